"""Unix sockets in folders whose names are longer than an address can be."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scheduler_core.errors import EngineUnavailable

_LONGEST_SOCKET_PATH = 100


@contextmanager
def short_socket_path(path: Path) -> Iterator[str]:
    """A name for `path` that fits into a socket address (108 bytes), however deep the folder lies."""
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        yield str(path)
        return
    if sys.platform != "linux":
        raise EngineUnavailable(
            f"The socket path {path} is longer than this system allows.",
            "Use a folder with a shorter name: RUNAI_ENGINE_DIR says where an engine lies.",
        )
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
