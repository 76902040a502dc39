"""Unix sockets in a folder, which may lie deeper than an address is long: by their names in it."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def listening(folder: str, name: str) -> socket.socket:
    """One that its owner alone reaches, in the place of one that was there; nobody is waited for."""
    listener = socket.socket(socket.AF_UNIX)
    listener.setblocking(False)
    mask = os.umask(0o177)
    try:
        with _within(folder):
            if os.path.lexists(name):
                os.unlink(name)
            listener.bind(name)
    finally:
        os.umask(mask)
    listener.listen()
    return listener


def connected(folder: str, name: str) -> socket.socket:
    """The other end. Raises OSError: nobody listens there."""
    end = socket.socket(socket.AF_UNIX)
    try:
        with _within(folder):
            end.connect(name)
    except OSError:
        end.close()
        raise
    return end


@contextmanager
def _within(folder: str) -> Iterator[None]:
    here = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)
