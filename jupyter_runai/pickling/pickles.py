"""What every pickle that travels has in common: a limit to its size, and one line for what cannot be pickled."""

from __future__ import annotations

from typing import Any, BinaryIO

from jupyter_runai.running.values import OverLimit

__all__ = ["LARGEST_BYTES", "WARN_BYTES", "LimitedFile", "OverLimit", "first_line"]

WARN_BYTES = 100_000_000
LARGEST_BYTES = 2_000_000_000


class LimitedFile:
    """A file that refuses to grow beyond a limit."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file = file
        self._limit = limit
        self.size = 0

    def write(self, data: Any) -> int:
        length = memoryview(data).nbytes
        self.size += length
        if self.size > self._limit:
            raise OverLimit
        return self._file.write(data)


def first_line(error: BaseException) -> str:
    """The first line of what an exception says, without its full stop; its type where it says nothing."""
    try:
        text = str(error).strip() or type(error).__name__
    except Exception:
        text = type(error).__name__
    return text.splitlines()[0].rstrip(".")
