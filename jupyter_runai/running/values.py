"""How values lie in files: a pickle, and its large buffers beside it, each written once and then mapped.

`STEM.pickle` holds pickles one after another. `STEM.buffers`, where there are any, holds their out-of-band buffers in
the same order: each starts at a multiple of 64 bytes, after 64 bytes that begin with its length, little-endian.
"""

from __future__ import annotations

import mmap
import os
import pickle
from contextlib import ExitStack, contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

ALIGNMENT = 64
_SMALLEST_APART = 65_536
"""In bytes; a smaller buffer stays in the pickle."""


class OverLimit(Exception):
    """More was to be written than the limit allows."""


class ValueFiles:
    """The two files of one stem, for a pickler: `ValueFiles` is its file, `apart` its `buffer_callback`.

    Raises:
        OverLimit: from a pickler, when both together would be over `limit` bytes.
    """

    def __init__(self, stem: str, limit: int) -> None:
        self._stem = stem
        self._limit = limit
        self._open = ExitStack()
        self._pickle = self._opened(".pickle")
        self._buffers: BinaryIO | None = None
        self.size = 0
        self.pickled = 0
        """Of which so much is in the pickle."""

    def __enter__(self) -> ValueFiles:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def write(self, data: Any) -> int:
        count = memoryview(data).nbytes
        self._grow(count)
        self.pickled += count
        return self._pickle.write(data)

    def apart(self, buffer: pickle.PickleBuffer) -> bool:
        """Write a large buffer beside the pickle; true where it is to stay in it."""
        try:
            raw = buffer.raw()
        except BufferError:
            return True
        if raw.nbytes < _SMALLEST_APART:
            return True
        self._grow(raw.nbytes)
        if self._buffers is None:
            self._buffers = self._opened(".buffers")
        self._buffers.write(raw.nbytes.to_bytes(ALIGNMENT, "little"))
        self._buffers.write(raw)
        self._buffers.write(bytes(-raw.nbytes % ALIGNMENT))
        return False

    def _grow(self, count: int) -> None:
        self.size += count
        if self.size > self._limit:
            raise OverLimit

    def _opened(self, suffix: str) -> BinaryIO:
        descriptor = os.open(f"{self._stem}{suffix}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        return self._open.enter_context(os.fdopen(descriptor, "wb"))


@contextmanager
def unpickler(stem: str) -> Iterator[pickle.Unpickler]:
    """Loads the pickles of a stem one after another."""
    with open(f"{stem}.pickle", "rb") as file:
        yield pickle.Unpickler(file, buffers=_mapped(f"{stem}.buffers"))  # noqa: S301 (the user's own)


def _mapped(path: str) -> Iterator[memoryview]:
    """The buffers of a file, read when they are used; what is changed in them stays in this process.

    They outlive the file when it is deleted.
    """
    if not os.path.exists(path):
        return
    with open(path, "rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    start = 0
    while start < len(whole):
        length = int.from_bytes(whole[start : start + ALIGNMENT], "little")
        start += ALIGNMENT
        yield whole[start : start + length]
        start += length + -length % ALIGNMENT
