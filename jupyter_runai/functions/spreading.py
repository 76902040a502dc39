"""How many tasks the items of a map become, and which task has which items; `running/items.py` knows the same."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler_core.errors import InvalidRequest
from scheduler_core.model import MILLI, TaskRequest
from scheduler_core.workload import MOST_TASKS, Device

FEW = 64
"""Up to so many items each is a task of its own, wherever they run."""
_TASKS_A_PLACE = 8
"""One that is slow by chance then holds up an eighth of what its place sees to, and many items share a start."""


def tasks_for(items: int, chunksize: int) -> int:
    """How many tasks take `chunksize` items each, as far as a workload can have so many.

    Raises:
        InvalidRequest: that is no number of items.
    """
    if isinstance(chunksize, bool) or not isinstance(chunksize, int) or chunksize < 1:
        raise InvalidRequest(f"chunksize: a whole number of items from 1 on, not {chunksize!r}.")
    return min(-(-items // chunksize), MOST_TASKS)


def tasks_at(items: int, request: TaskRequest, devices: Sequence[Device]) -> int:
    """How many tasks keep these devices busy to the end without a process for each of many items."""
    places = sum(_places(request, device) for device in devices)
    return min(items, MOST_TASKS, max(FEW, _TASKS_A_PLACE * places // max(1, request.whole_devices)))


def task_of(item: int, items: int, tasks: int) -> int:
    """The task that has this item: all have equally many, or one more."""
    return ((item + 1) * tasks - 1) // items


def _places(request: TaskRequest, device: Device) -> int:
    """How many tasks fit on one device."""
    if request.portion_milli:
        return MILLI // request.portion_milli
    return device.memory_mib // request.gpu_memory_mib if request.gpu_memory_mib else 1
