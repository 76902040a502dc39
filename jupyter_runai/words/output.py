"""The output of a workload's tasks as text, as it comes."""

from __future__ import annotations

import codecs
import re
import sys

MOST_FOLLOWED = 16
"""Of more tasks than that the first ones' output is shown; `logs NAME --task N` has that of each."""
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)")


class PlainOutput:
    """Text as it comes."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, data: bytes) -> None:
        sys.stdout.write(self._decoder.decode(data))
        sys.stdout.flush()

    def catch_up(self) -> None:
        """Show what came without text."""

    def close(self) -> None:
        self._decoder.reset()


class LabelledOutput(PlainOutput):
    """Whole lines after the rank of their task: `[1] text`."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self._label = f"[{rank}] "
        self._rest = ""

    def feed(self, data: bytes) -> None:
        text = self._rest + self._decoder.decode(data)
        end = 0
        for line in _LINE.finditer(text):
            # Half of a line's end may still be on its way.
            if line[0].endswith("\r") and line.end() == len(text):
                break
            sys.stdout.write(f"{self._label}{line[0]}")
            end = line.end()
        self._rest = text[end:]
        sys.stdout.flush()

    def close(self) -> None:
        if self._rest:
            sys.stdout.write(f"{self._label}{self._rest}\n")
            self._rest = ""
