"""What the processes of tasks use: of this host by one pass over /proc, of its devices by what NVML has read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from scheduler_core.local.machine.identity import is_of_user, mark_of
from scheduler_core.local.record.records import TaskId, TaskRecord
from scheduler_core.nvml import Sample

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PARENT, _SESSION, _USER, _SYSTEM, _START, _RESIDENT = 1, 3, 11, 12, 19, 21
"""Fields of /proc/PID/stat after the name, from 0."""


class Usage(Struct, frozen=True):
    """The processes of one task by (pid, start): CPU seconds used so far; and the bytes they hold together."""

    cpu_s: Mapping[tuple[int, str], float]
    resident: int


def usage_of_tasks(supervisors: Mapping[int, TaskId]) -> dict[TaskId, Usage]:
    """What each task uses, by the pid of its supervisor: what lives in its session, and what that has started."""
    fields = {pid: read for pid in _pids() if (read := _stat(pid)) is not None}
    cpu: dict[TaskId, dict[tuple[int, str], float]] = {task: {} for task in supervisors.values()}
    resident = dict.fromkeys(supervisors.values(), 0)
    for pid, read in fields.items():
        task = _owner(pid, fields, supervisors)
        if task is not None and pid not in supervisors:
            cpu[task][pid, read[_START]] = (int(read[_USER]) + int(read[_SYSTEM])) / _TICKS
            resident[task] += int(read[_RESIDENT]) * _PAGE
    return {task: Usage(cpu[task], resident[task]) for task in supervisors.values()}


def memory_of_tasks(
    running: Mapping[TaskId, TaskRecord], samples: Mapping[str, Sample], owners: Mapping[TaskId, int]
) -> dict[TaskId, dict[int, int]]:
    """The MiB on its own devices of each process of each task; `owners` are the users whose mark alone is believed."""
    sessions = {known.supervisor.pid: task for task, known in running.items() if known.supervisor is not None}
    marks = {str(task): task for task in running}
    used: dict[TaskId, dict[int, int]] = {}
    for device, sample in samples.items():
        for pid, mib in sample.processes.items():
            task = _task_of(pid, sessions, marks, owners)
            if task is not None and device in devices_of(running[task]):
                of_task = used.setdefault(task, {})
                of_task[pid] = of_task.get(pid, 0) + mib
    return used


def _task_of(
    pid: int, sessions: Mapping[int, TaskId], marks: Mapping[str, TaskId], owners: Mapping[TaskId, int]
) -> TaskId | None:
    with suppress(OSError):
        task = sessions.get(os.getsid(pid))
        if task is not None:
            return task
    task = marks.get(mark_of(pid) or "")
    return task if task is not None and is_of_user(pid, owners.get(task)) else None


def devices_of(known: TaskRecord) -> frozenset[str]:
    """The devices that a task holds a share of."""
    return frozenset() if known.allocation is None else frozenset(device.id for device in known.allocation.devices)


def _owner(pid: int, fields: Mapping[int, list[str]], supervisors: Mapping[int, TaskId]) -> TaskId | None:
    while pid in fields:
        task = supervisors.get(int(fields[pid][_SESSION])) or supervisors.get(pid)
        if task is not None:
            return task
        pid = int(fields[pid][_PARENT])
    return None


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir(_PROC) if name.isdigit()]  # noqa: PTH208 (each second: half the time)
    except OSError:
        return []


def _stat(pid: int) -> list[str] | None:
    with suppress(OSError, UnicodeDecodeError):
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return None
