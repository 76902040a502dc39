"""Whether work makes use of its devices, and whether its processes have left them, as one reading shows."""

from __future__ import annotations

from collections.abc import Mapping

from scheduler_core.local.metering.meter import busy_share
from scheduler_core.local.record.records import TaskRecord
from scheduler_core.nvml import PhysicalDevice, Sample

_HIDDEN_MILLI = 50
"""Of a device's memory so much may be held by nobody that is listed: the driver itself."""


def is_in_use(known: TaskRecord, samples: Mapping[str, Sample], memory_mib: Mapping[int, int]) -> bool | None:
    """Whether a task computes on any of its devices; null where nothing tells. `memory_mib` is its own, by pid."""
    found: bool | None = False
    for held in known.allocation.devices if known.allocation is not None else ():
        sample = samples.get(held.id)
        busy = None if sample is None else busy_share(sample, memory_mib, held.portion_milli)
        if busy is None and sample is not None and sample.utilization == 0:
            busy = 0.0
        if busy:
            return True
        if busy is None:
            found = None
    return found


def is_off(device: PhysicalDevice, sample: Sample, memory_mib: Mapping[int, int]) -> bool:
    """Whether a reading shows that none of a task's processes is on its device.

    Where processes are hidden, such as in a container, memory that nobody listed holds may be theirs.
    """
    if not sample.ready or any(pid in sample.processes for pid in memory_mib):
        return False
    hidden = (sample.used_mib or 0) - sum(sample.processes.values())
    return hidden * 1000 <= device.memory_mib * _HIDDEN_MILLI
