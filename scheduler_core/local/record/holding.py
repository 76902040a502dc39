"""What a record says that its workload holds, and what of that is new."""

from __future__ import annotations

from scheduler_core.accounting.holding import Entry, Holding, Share, changed
from scheduler_core.local.record.records import Record
from scheduler_core.workload import State

_WAITING: frozenset[State] = frozenset({"creating", "pending", "resuming"})


def entries_of(before: Record | None, record: Record, at: float) -> list[Entry]:
    """What changes with this record at this time (seconds since the epoch): one entry, none where all goes on."""
    holding = holding_of(record, 0 if before is None else _evictions(before, record))
    was = None if before is None else holding_of(before)
    if holding == was:
        return []
    change = holding if was is None else changed(holding, was, -1)
    return [Entry(at=round(at * 1000), workload=record.workload.id, change=change)]


def holding_of(record: Record, evictions: int = 0) -> Holding:
    """What a workload holds; each of its tasks has its request of cores set aside while it is there."""
    workload, cpu_milli = record.workload, record.spec.request.cpu_milli
    allocation = None if workload.has_ended else workload.allocation
    states = workload.task_states
    alive = states.get("initializing", 0) + states.get("running", 0) if states else int(allocation is not None)
    return Holding(
        name=workload.name,
        owner=workload.owner,
        project=workload.queue,
        preemptible=workload.preemptible,
        shares=()
        if allocation is None
        else tuple(
            Share(
                device=held.id,
                milli=held.portion_milli,
                memory_mib=held.memory_mib,
                index=held.index,
                model=held.model,
                node=allocation.node,
            )
            for held in allocation.devices
        ),
        cpu_milli=0 if allocation is None else cpu_milli * alive,
        waits=int(workload.state in _WAITING),
        evictions=evictions,
    )


def _evictions(before: Record, record: Record) -> int:
    """1 where the workload, or some of its tasks, were told to go for others with this record, else 0."""
    if record.then == "pending" and before.then is None and record.workload.state == "suspending":
        return 1
    if record.tasks is before.tasks:
        return 0
    both = zip(before.tasks, record.tasks, strict=False)
    return int(any(task.then == "pending" and was.then is None for was, task in both if task is not was))
