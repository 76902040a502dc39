"""The last lines of an output, as a terminal would leave them."""

from __future__ import annotations

import codecs
import re

_KEPT_CHARACTERS = 20_000
_LINES = 10
_LONGEST_LINE = 300
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z^_])")
_PERCENT = re.compile(r"(?<!\d)(100|\d{1,2})%\|")


class LogTail:
    """Keeps the end of an output that comes in pieces."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._text = ""

    def add(self, chunk: bytes) -> None:
        """What was written next; it may end anywhere."""
        self._text = (self._text + self._decoder.decode(chunk))[-_KEPT_CHARACTERS:]

    @property
    def lines(self) -> tuple[str, ...]:
        """Up to ten lines; of one that was written over, its last state."""
        lines = _ESCAPES.sub("", self._text).rstrip("\n").split("\n")[-_LINES:]
        settled = [line.rstrip("\r").rpartition("\r")[2][:_LONGEST_LINE] for line in lines]
        return tuple(settled) if any(settled) else ()

    @property
    def percent(self) -> int | None:
        """How far a progress bar among the last lines says the work is; null without one."""
        found = [match for line in self.lines for match in _PERCENT.findall(line)]
        return int(found[-1]) if found else None
