"""A run of the trace in which running work may move, so that work starts that would not fit otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from scheduler_core import Plan, Snapshot, plan
from scheduler_core.model import Bind, PlannedWorkload


class Moved(Struct):
    """What came of it: the tasks that were placed, how many moves that took, and of how many plans."""

    placed: set[str]
    moves: int
    plans: int


def with_moves(snapshot: Snapshot, batches: Iterable[Sequence[PlannedWorkload]]) -> Moved:
    """Let the workloads arrive batch by batch, and plan and carry out until nothing changes; the rest is dropped.

    Each workload has one task. What starts without moves is as in a run of one plan up to the first that does not fit.
    """
    places = {bind.task: bind for bind in plan(snapshot).binds}
    config = replace(snapshot.config, actions=("allocate", "consolidate"))
    running: list[PlannedWorkload] = []
    moved = Moved(set(), 0, 0)
    for batch in batches:
        if all(work.tasks[0].id in places for work in batch):
            running += [_at(work, places[work.tasks[0].id]) for work in batch]
            continue
        places.clear()
        waiting = list(batch)
        while True:
            made = plan(replace(snapshot, config=config, workloads=(*running, *waiting)))
            moved.plans += 1
            moved.moves += len(made.evictions)
            if not made.binds and not made.evictions:
                break
            running, waiting = _carried_out(made, running, waiting)
    moved.placed = {work.tasks[0].id for work in running}
    return moved


def _carried_out(
    made: Plan, running: list[PlannedWorkload], waiting: list[PlannedWorkload]
) -> tuple[list[PlannedWorkload], list[PlannedWorkload]]:
    gone = {eviction.task for eviction in made.evictions}
    started = {bind.task: bind for bind in made.binds}
    stay = [work for work in running if work.tasks[0].id not in gone]
    start = [_at(work, started[work.tasks[0].id]) for work in waiting if work.tasks[0].id in started]
    wait = [work for work in waiting if work.tasks[0].id not in started]
    return stay + start, [_waiting(work) for work in running if work.tasks[0].id in gone] + wait


def _at(work: PlannedWorkload, bind: Bind) -> PlannedWorkload:
    task = replace(work.tasks[0], state="running", node=bind.node, gpu_ids=bind.gpu_ids)
    return replace(work, tasks=(task,), started=0.0)


def _waiting(work: PlannedWorkload) -> PlannedWorkload:
    return replace(work, tasks=(replace(work.tasks[0], state="pending", node=None, gpu_ids=()),), started=None)
