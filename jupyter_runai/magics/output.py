"""A workload's output as it comes under the cell: text in order, displays in the place of their plain form."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from IPython.display import clear_output, publish_display_data

from jupyter_runai.words.output import PlainOutput

_LONGEST_SEARCH = 65_536
"""So many bytes of others' output may come between a display's record and its text."""


class RichOutput(PlainOutput):
    """The text of `plain`, and from a file beside it what `running/displays.py` recorded.

    Of the log it gets what comes from byte `start` on; the first `shown` bytes of the file are another cell's.

    `cleared` is called after the cell's outputs were cleared: what is to stay is shown again there. Without it nothing
    is cleared.
    """

    def __init__(
        self, path: Path, plain: PlainOutput, cleared: Callable[[], None] | None, start: int = 0, shown: int = 0
    ) -> None:
        self._path = path
        self._plain = plain
        self._cleared = cleared
        self._read = shown
        self._records: deque[dict[str, Any]] = deque()
        self._ahead = bytearray()
        self._at = start
        self._clear_first = False

    def feed(self, data: bytes) -> None:
        self._ahead += data
        self.catch_up()

    def catch_up(self) -> None:
        self._read_records()
        while self._records and self._reached(self._records[0]):
            self._show(self._records.popleft())
        if not self._records:
            self._emit(len(self._ahead))

    def close(self) -> None:
        self.catch_up()
        for record in self._records:
            self._show(record)
        self._records.clear()
        self._emit(len(self._ahead))
        self._plain.close()

    def _read_records(self) -> None:
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._read += len(line)
                    self._records.append(json.loads(line))
        except FileNotFoundError:
            pass  # Nothing was displayed yet.

    def _reached(self, record: dict[str, Any]) -> bool:
        """Whether all text before a record is shown, and its own, that it stands for, taken out."""
        before = record["at"] - self._at
        if before > len(self._ahead):
            self._emit(len(self._ahead))
            return False
        self._emit(max(0, before))
        text = record.get("text", "").encode("utf-8", "backslashreplace")
        found = self._ahead.find(text)
        if found >= 0:
            self._emit(found)
            self._drop(len(text))
            return True
        return len(self._ahead) > len(text) + _LONGEST_SEARCH

    def _show(self, record: dict[str, Any]) -> None:
        if "clear" in record:
            self._clear_first = True
            if not record["clear"]:
                self._clear()
            return
        self._clear()
        shown = {"display_id": record["display_id"]} if record.get("display_id") is not None else {}
        update = record.get("update", False)
        publish_display_data(record["data"], record["metadata"], transient=shown, update=update)

    def _emit(self, count: int) -> None:
        if count:
            self._clear()
            self._plain.feed(bytes(self._ahead[:count]))
            self._drop(count)

    def _drop(self, count: int) -> None:
        del self._ahead[:count]
        self._at += count

    def _clear(self) -> None:
        """Carry out a clearing that waited for something to show."""
        if self._clear_first and self._cleared is not None:
            self._clear_first = False
            clear_output(wait=True)
            self._cleared()
