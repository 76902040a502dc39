"""Whether evictions would help: allocate, planned again without the victims, has to place those they are for."""

from __future__ import annotations

from collections.abc import Mapping, Set

from msgspec.structs import replace

from scheduler_core.model import Snapshot, Task
from scheduler_core.planning.allocate import allocate
from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.state import Placement, State


def broken_promises(state: State) -> set[str]:
    """Workloads that others are evicted for in vain: something else would take the room (contract rule 6).

    Planned again are the snapshot without the victims, and the next one, in which the binds of this plan run too.
    """
    victims: dict[str, set[int]] = {}
    promised: dict[str, set[str]] = {}
    for entry in state.removals():
        beneficiary = entry.cause.beneficiary
        if beneficiary is not None and not state.is_back(entry.gang, entry.task):
            victims.setdefault(entry.gang.id, set()).add(entry.task)
            owed = promised.setdefault(beneficiary, {beneficiary})
            if entry.cause.action == "consolidate":
                owed.add(entry.gang.id)
    if not promised:
        return set()
    binds = {(p.gang.id, p.task): p for p in state.placements() if not p.later}
    broken: set[str] = set()
    for started in ({}, binds) if binds else ({},):
        placed = _placed_again(_next(state, victims, started))
        broken |= {beneficiary for beneficiary, owed in promised.items() if not owed <= placed}
    return broken


def _placed_again(snapshot: Snapshot) -> Set[str]:
    state = State(snapshot)
    allocate(state)
    return {placement.gang.id for placement in state.placements()}


def _next(state: State, victims: Mapping[str, Set[int]], binds: Mapping[tuple[str, int], Placement]) -> Snapshot:
    """The snapshot in which the victims are off their devices and wait again, and the binds run."""
    touched = victims.keys() | {gang for gang, _ in binds}

    def after(gang: Gang, k: int) -> Task:
        task, bind = gang.tasks[k], binds.get((gang.id, k))
        if k in victims.get(gang.id, ()):
            return replace(task, state="pending", node=None, gpu_ids=(), mig_slices=())
        if bind is None:
            return task
        node, gpu_ids, slices = state.cluster.names(bind.place)
        return replace(task, state="running", node=node, gpu_ids=gpu_ids, mig_slices=slices)

    workloads = tuple(
        replace(gang.workload, tasks=tuple(after(gang, k) for k in range(len(gang.tasks))))
        if gang.id in touched
        else gang.workload
        for gang in state.gangs
    )
    return replace(state.snapshot, workloads=workloads)
