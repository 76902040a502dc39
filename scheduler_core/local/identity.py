"""Processes by pid and start time, so that a pid that was used again is never taken for the old process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

_PROC = Path("/proc")


class Process(Struct, frozen=True):
    """A process of this boot: its pid and its start, in the system's own unit."""

    pid: int
    start: str

    def is_alive(self) -> bool:
        """Whether exactly this process still runs; a zombie has ended."""
        return start_of(self.pid) == self.start

    def is_known(self) -> bool:
        """Whether the pid is still this process's, be it that of a zombie whose threads are still going."""
        return _state_and_start(self.pid)[1] == self.start


def start_of(pid: int) -> str | None:
    """When a process started (boot id and clock ticks on Linux); null when it has ended."""
    state, start = _state_and_start(pid)
    return None if state in ("Z", "X") else start


def _state_and_start(pid: int) -> tuple[str, str | None]:
    if sys.platform == "linux":
        try:
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except (OSError, UnicodeDecodeError):
            return "X", None
        return fields[0], f"{_boot()}:{fields[19]}"
    shown = subprocess.run(
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = shown.stdout.strip().partition(" ")
    return (state[0], started.strip()) if state else ("X", None)


def session_members(session: int) -> list[int]:
    """The pids of a session, its leader left out."""
    members = []
    for entry in _PROC.glob("[0-9]*"):
        pid = int(entry.name)
        with suppress(OSError):
            if pid != session and os.getsid(pid) == session:
                members.append(pid)
    return members


def signal_session(leader: Process, number: signal.Signals) -> None:
    """Send a signal to everything in a supervisor's session but the supervisor itself."""
    if not leader.is_alive():
        return
    for pid in session_members(leader.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
