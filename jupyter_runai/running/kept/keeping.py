"""Keeps a cell's process for the next cell of its name, which finds there what those before it have left.

It listens on the private socket `cells.sock` in the folder of results. Both sides speak JSON, one object a line.
Whoever connects is told of the cell that ran last, at once or when it ends: {id, report, ends, names, seconds}, `ends`
holding the length of the log by then, `names` the variables that are there, `seconds` how long all of it is kept. An
order is the {folder} of the next cell's inputs, which is removed after it; without one in time the process ends.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import sys
import time

from ..reports import FAILED, report
from .activity import say_busy, say_kept
from .private_sockets import listening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Cell = dict[str, Any]
    Ended = tuple[int, dict[str, Any] | None]
    """The status of a cell and its report; null where the cell told its process to exit."""

SOCKET = "cells.sock"
_MARK = ".kept"
_LONGEST_ORDER = 65_536
_TELLING_S = 5.0


def keep_cells(
    inputs: str,
    folder: str,
    namespace: dict[str, Any],
    read: Callable[[str], Cell],
    run: Callable[[str, Cell], Ended],
) -> int:
    """Run the cell of these inputs and those that come after it; the status of the last."""
    if os.path.exists(f"{folder}/{_MARK}"):
        gone = "It was taken off its devices, and what its cells had left there is gone. Run them again."
        report(error={"type": "KeptLost", "message": gone, "traceback": gone})
        return FAILED
    door = _Door(folder)
    while True:
        cell = read(inputs)
        status, said = run(inputs, cell)
        if os.path.dirname(inputs) == folder:
            shutil.rmtree(inputs, ignore_errors=True)
        if said is not None:
            report(**said)
        if said is None or cell["keep"] is None:
            return status
        # Started anew, it would run a cell that others came after.
        os.close(os.open(f"{folder}/{_MARK}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        sys.stdout.flush()
        end = os.fstat(1).st_size
        last = {"id": cell["id"], "report": said, "ends": [end], "names": list(namespace)}
        order = door.next_order(last, cell["keep"])
        if order is None:
            return status
        inputs = f"{folder}/{order['folder']}"


class _Door:
    """Where notebooks come to hand over a cell."""

    def __init__(self, folder: str) -> None:
        self._visitors: dict[socket.socket, bytearray] = {}
        self._listener = listening(folder, SOCKET)

    def next_order(self, last: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """What somebody hands over in the time there is; null where nobody does."""
        until = time.monotonic() + seconds
        say_kept(seconds)
        for visitor in list(self._visitors):
            self._tell(visitor, last, seconds)
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([self._listener, *self._visitors], [], [], left)
            for end in ready:
                if end is self._listener:
                    visitor, _ = self._listener.accept()
                    visitor.settimeout(_TELLING_S)
                    self._visitors[visitor] = bytearray()
                    self._tell(visitor, last, left)
                else:
                    order = self._hear(end)
                    if order is not None:
                        say_busy()
                        return order
        return None

    def _tell(self, visitor: socket.socket, last: dict[str, Any], seconds: float) -> None:
        try:
            visitor.sendall(json.dumps({**last, "seconds": seconds}).encode() + b"\n")
        except OSError:
            self._part(visitor)

    def _hear(self, visitor: socket.socket) -> dict[str, Any] | None:
        heard = self._visitors[visitor]
        try:
            piece = visitor.recv(_LONGEST_ORDER)
        except OSError:
            piece = b""
        heard += piece
        if not piece or len(heard) > _LONGEST_ORDER:
            self._part(visitor)
            return None
        line, found, rest = bytes(heard).partition(b"\n")
        if not found:
            return None
        heard[:] = rest
        order: dict[str, Any] = json.loads(line)
        return order

    def _part(self, visitor: socket.socket) -> None:
        del self._visitors[visitor]
        visitor.close()
