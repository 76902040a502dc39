"""The output of a task: one file whose head is let go of when it has grown too long; the rest stays at its offsets."""

from __future__ import annotations

import ctypes
import errno
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from scheduler_core.workload import Output

_log = logging.getLogger(__name__)
_CHUNK = 64 * 1024
_STEP = 1024 * 1024
"""A hole begins and ends with blocks of the file system, whatever their size."""
_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02
"""Of Linux's fallocate(2)."""
_BLOCK = 512
_libc = ctypes.CDLL(None, use_errno=True)


class OutputReader:
    """Reads an output from byte `offset` on, below zero from so many bytes before its end, as far as it has come."""

    def __init__(self, path: Path, offset: int) -> None:
        self._path = path
        self._offset = offset
        self._descriptor: int | None = None

    def __enter__(self) -> OutputReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def read(self) -> Output | None:
        """The next piece, behind what was let go of; null where there is no more yet."""
        is_inside = False
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            is_inside = self._begin(os.fstat(self._descriptor).st_size)
        start = self._kept_from()
        data = os.pread(self._descriptor, _CHUNK, start)
        if is_inside or start > self._offset:
            # The rest of a line tells nobody anything, unless there is no other.
            cut = data.find(b"\n") + 1
            if cut < len(data):
                start, data = start + cut, data[cut:]
        if not data:
            return None
        self._offset = start + len(data)
        return Output(offset=start, data=data)

    def _begin(self, size: int) -> bool:
        """Whether that may be in the middle of a line."""
        is_inside = -size < self._offset < 0
        self._offset = max(0, size + self._offset) if self._offset < 0 else min(self._offset, size)
        return is_inside

    def _kept_from(self) -> int:
        assert self._descriptor is not None  # noqa: S101 (the caller has opened it)
        try:
            return os.lseek(self._descriptor, self._offset, os.SEEK_DATA)
        except OSError as error:
            # At the end there is no data.
            if error.errno == errno.ENXIO:
                return self._offset
            raise


class OutputRotation:
    """Lets go of the first half of outputs that hold more than so many MiB of the disk."""

    def __init__(self, most_mib: int) -> None:
        self._most = most_mib * 1024 * 1024
        self._is_possible = hasattr(_libc, "fallocate")

    def look(self, outputs: Iterable[Path]) -> None:
        """Shorten what has grown too long; only the thread that reads outputs may call this."""
        for path in outputs:
            with suppress(FileNotFoundError):
                if self._is_possible and path.stat().st_blocks * _BLOCK > self._most:
                    self._shorten(path)

    def _shorten(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            end = (os.fstat(descriptor).st_size - self._most // 2) // _STEP * _STEP
            nothing, length = ctypes.c_int64(0), ctypes.c_int64(end)
            if end > 0 and _libc.fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, nothing, length):
                self._is_possible = False
                _log.warning("Outputs grow without a limit: %s", os.strerror(ctypes.get_errno()))
        finally:
            os.close(descriptor)
