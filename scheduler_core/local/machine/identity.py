"""Processes by pid and start time, so that a pid that was used again is never taken for the old process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

MARK = b"RUNAI_TASK_ID="
SERVICE = "service"
"""The mark of what an engine runs for all its tasks."""

_PROC = Path("/proc")


class Process(Struct, frozen=True):
    """A process of this boot: its pid and its start, in the system's own unit."""

    pid: int
    start: str

    def is_alive(self) -> bool:
        """Whether exactly this process still runs; a zombie has ended.

        Where other users' processes are hidden, one of them counts as alive as long as its pid is taken.
        """
        state, start = _state_and_start(self.pid)
        return _is_hidden(self.pid) if start is None else state not in ("Z", "X") and start == self.start

    def is_known(self) -> bool:
        """Whether the pid is still this process's, be it that of a zombie whose threads are still going."""
        return _state_and_start(self.pid)[1] == self.start


def this_process() -> Process:
    """The process that asks."""
    return Process(os.getpid(), start_of(os.getpid()) or "")


def start_of(pid: int) -> str | None:
    """When a process started (boot id and clock ticks on Linux); null when it has ended."""
    state, start = _state_and_start(pid)
    return None if state in ("Z", "X") else start


def mark_of(pid: int) -> str | None:
    """The task that a process belongs to by its environment; null for none, or somebody else's."""
    with suppress(OSError):
        for pair in (_PROC / str(pid) / "environ").read_bytes().split(b"\0"):
            if pair.startswith(MARK):
                return pair.removeprefix(MARK).decode(errors="replace")
    return None


def is_of_user(pid: int, uid: int | None) -> bool:
    """Whether a process is this user's, by its real user; null means anybody's."""
    if uid is None:
        return True
    with suppress(OSError, ValueError, StopIteration):
        lines = (_PROC / str(pid) / "status").read_bytes().splitlines()
        return int(next(line for line in lines if line.startswith(b"Uid:")).split()[1]) == uid
    return False


def processes_of(task: str, supervisor: Process, uid: int | None = None) -> list[int]:
    """The pids of a task: what bears its mark, and what lives in its supervisor's session but the supervisor.

    A mark can be written by anybody: where the task is of the user `uid`, only that user's count.

    Without the supervisor only the mark counts: the number of its session may be somebody else's by now.
    """
    led = supervisor.is_alive()
    found = []
    for entry in _PROC.glob("[0-9]*"):
        pid = int(entry.name)
        if (led and pid == supervisor.pid) or start_of(pid) is None:
            continue
        with suppress(OSError):
            marked = mark_of(pid) == task and is_of_user(pid, uid)
            if marked or (led and os.getsid(pid) == supervisor.pid):
                found.append(pid)
    return found


def signal_task(task: str, supervisor: Process, number: signal.Signals, uid: int | None = None) -> bool:
    """Send a signal to all processes of a task but its supervisor; whether there was any."""
    pids = processes_of(task, supervisor, uid)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    return bool(pids)


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


def _is_hidden(pid: int) -> bool:
    """Whether the pid is taken by a process that this user may not look at."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return not (_PROC / str(pid)).exists()
    except OSError:
        return False
    return False


def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
