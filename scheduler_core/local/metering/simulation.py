"""The load of simulated devices: made up, a slow wave for each task, so that charts move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import pi, sin

from scheduler_core.local.record.records import TaskId, TaskRecord
from scheduler_core.model import MILLI
from scheduler_core.nvml import PhysicalDevice, Sample
from scheduler_core.workload import HeldDevice

_PERIOD_S = 90
_WARM_UP_S = 20
_PHASES = 97


def simulated_load(task: TaskId, known: TaskRecord, now: float) -> tuple[float | None, float | None]:
    """(devices' worth of computing, MiB) of a task; null where it has no device."""
    held = known.allocation.devices if known.allocation is not None else ()
    if not held:
        return None, None
    loads = [device_load(task, known, device, now) for device in held]
    return sum(computing for computing, _ in loads), sum(mib for _, mib in loads)


def simulated_samples(
    devices: Iterable[PhysicalDevice], running: Mapping[TaskId, TaskRecord], now: float
) -> dict[str, Sample]:
    """A reading of each device: what the tasks that run on it would use."""
    used = {device.id: (0.0, 0.0) for device in devices}
    for task, known in running.items():
        for held in known.allocation.devices if known.allocation is not None else ():
            computing, mib = device_load(task, known, held, now)
            if held.id in used:
                used[held.id] = used[held.id][0] + computing, used[held.id][1] + mib
    return {
        device: Sample(ready=True, used_mib=int(mib), utilization=round(min(1.0, computing), 3))
        for device, (computing, mib) in used.items()
    }


def device_load(task: TaskId, known: TaskRecord, held: HeldDevice, now: float) -> tuple[float, float]:
    """(computing, MiB) of a task on one device of those that it holds."""
    phase = (int(task.workload, 16) % _PHASES + task.index) / _PHASES
    wave = 0.75 + 0.2 * sin(2 * pi * (now / _PERIOD_S + phase))
    warm = min(1.0, (now - (known.started or now)) / _WARM_UP_S)
    return held.portion_milli / MILLI * wave * warm, held.memory_mib * (0.2 + 0.6 * warm)
