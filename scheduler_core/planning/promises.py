"""Whether evictions would help: allocate, planned again without the victims, has to place those they are for."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from scheduler_core.model import PlannedWorkload, Snapshot, Task
from scheduler_core.planning.allocate import allocate
from scheduler_core.planning.state import State


def broken_promises(state: State) -> set[str]:
    """Workloads that others are evicted for in vain: something else would take the room (contract rule 6)."""
    victims: dict[str, set[str]] = {}
    beneficiaries: set[str] = set()
    for entry in state.removals():
        if not state.is_back(entry.gang, entry.task):
            victims.setdefault(entry.gang.id, set()).add(entry.gang.tasks[entry.task].id)
            if entry.cause.beneficiary is not None:
                beneficiaries.add(entry.cause.beneficiary)
    if not beneficiaries:
        return set()
    again = State(_without(state.snapshot, victims))
    allocate(again)
    return beneficiaries - {placement.gang.id for placement in again.placements()}


def _without(snapshot: Snapshot, victims: Mapping[str, set[str]]) -> Snapshot:
    """The snapshot in which the victims are off their devices and wait again."""

    def waiting(task: Task, gone: set[str]) -> Task:
        return replace(task, state="pending", node=None, gpu_ids=(), mig_slices=()) if task.id in gone else task

    def without(workload: PlannedWorkload) -> PlannedWorkload:
        gone = victims.get(workload.id)
        if gone is None:
            return workload
        return replace(workload, tasks=tuple(waiting(task, gone) for task in workload.tasks))

    return replace(snapshot, workloads=tuple(without(workload) for workload in snapshot.workloads))
