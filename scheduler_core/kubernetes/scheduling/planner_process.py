"""`python -m scheduler_core.kubernetes.scheduling.planner_process`: reads snapshots, answers each with its plan."""

from __future__ import annotations

import signal
import sys
from typing import BinaryIO

import msgspec

from scheduler_core.kubernetes.scheduling.planner import LENGTH, Planned
from scheduler_core.model import Snapshot
from scheduler_core.planning.check import check
from scheduler_core.planning.errors import BadSnapshot
from scheduler_core.planning.plan import plan


def main() -> int:
    """Answer until the input ends, which it does with whoever asks."""
    # Whoever asks ends us; on a terminal both are interrupted.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    read = msgspec.msgpack.Decoder(Snapshot).decode
    while content := _next(sys.stdin.buffer):
        answer = msgspec.msgpack.encode(_planned(read(content)))
        sys.stdout.buffer.write(LENGTH.pack(len(answer)) + answer)
        sys.stdout.buffer.flush()
    return 0


def _next(source: BinaryIO) -> bytes:
    head = source.read(LENGTH.size)
    return source.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else b""


def _planned(snapshot: Snapshot) -> Planned:
    try:
        made = plan(snapshot)
    except BadSnapshot as error:
        return Planned(plan=None, refusal=str(error))
    return Planned(plan=made, violations=tuple(one.message for one in check(snapshot, made)))


if __name__ == "__main__":
    sys.exit(main())
