"""Where the output of cells in interpreters of their own goes, and how long it is by now."""

from __future__ import annotations

import asyncio
import os
import stat

_CHUNK = 65_536


class FileOutput:
    """The file that is this process's own output: cells write to it themselves."""

    target: int | None = None

    @property
    def end(self) -> int:
        return os.fstat(1).st_size

    async def pass_on(self, source: asyncio.StreamReader | None) -> None:
        """Nothing is passed on."""

    def end_line(self) -> None:
        """A file is read to its end."""


class PipedOutput:
    """Output that cannot be measured where it goes: it is passed on, and counted."""

    target: int | None = asyncio.subprocess.PIPE

    def __init__(self) -> None:
        self.end = 0
        self._ends_line = True

    async def pass_on(self, source: asyncio.StreamReader | None) -> None:
        while source is not None and (data := await source.read(_CHUNK)):
            self._say(data)

    def end_line(self) -> None:
        """The last line of a cell is read only once it has ended."""
        if not self._ends_line:
            self._say(b"\n")

    def _say(self, data: bytes) -> None:
        self.end += len(data)
        self._ends_line = data.endswith(b"\n")
        while data:
            data = data[os.write(1, data) :]


def own_output() -> FileOutput | PipedOutput:
    """What this process's output is."""
    return FileOutput() if stat.S_ISREG(os.fstat(1).st_mode) else PipedOutput()
