"""The planner's one door: a snapshot in, a plan out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from msgspec import Struct

from scheduler_core.model import (
    ACTIONS,
    RESOURCES,
    Action,
    Bind,
    Eviction,
    Nomination,
    Plan,
    QueueShare,
    Snapshot,
)
from scheduler_core.planning.allocate import allocate, line_up
from scheduler_core.planning.consolidate import Consolidate
from scheduler_core.planning.explanation import explain
from scheduler_core.planning.making_room import Lines, Taker, make_room
from scheduler_core.planning.preempt import Preempt
from scheduler_core.planning.promises import Promises
from scheduler_core.planning.reclaim import Reclaim
from scheduler_core.planning.running import Running
from scheduler_core.planning.stale_gang import evict_stale_gangs
from scheduler_core.planning.state import Placement, State
from scheduler_core.planning.validation import validate

_Spot = TypeVar("_Spot", bound=Bind)

_TAKERS: Mapping[Action, Callable[[State, Running], Taker]] = {
    "consolidate": Consolidate,
    "reclaim": Reclaim,
    "preempt": Preempt,
}


def plan(snapshot: Snapshot) -> Plan:
    """What may start now, what is held for later, and why everything else waits.

    Pure: the same snapshot gives the same plan, whatever the order of its lists of nodes, queues and workloads.

    Raises:
        BadSnapshot: the snapshot contradicts itself.
    """
    validate(snapshot)
    state = decide(snapshot).state
    binds = [placement for placement in state.settled() if not placement.later]
    nominated = Promises(state).nominations()
    shares = tuple(_shares(state))
    evictions = tuple(_evictions(state))
    verdicts = tuple(explain(state, [*binds, *nominated], moves="allocate" in snapshot.config.actions))
    return Plan(
        binds=tuple(_spots(state, binds, Bind)),
        nominations=tuple(_spots(state, nominated, Nomination)),
        evictions=evictions,
        verdicts=verdicts,
        shares=shares,
    )


class Decision(Struct, frozen=True):
    """The state after all actions, and the running work that they have looked at."""

    state: State
    running: Running


def decide(snapshot: Snapshot) -> Decision:
    """Apply the actions. Workloads for which others would be evicted in vain are barred from that, in turn."""
    barred: set[str] = set()
    while True:
        decision = _apply_actions(snapshot, barred)
        broken = Promises(decision.state).broken_at_once()
        if not broken:
            return decision
        barred |= broken


def _apply_actions(snapshot: Snapshot, barred: Collection[str]) -> Decision:
    state, actions = State(snapshot, barred), snapshot.config.actions
    running, lines = Running(state), None
    if "allocate" not in actions:
        line_up(state)
    for action in ACTIONS:
        if action not in actions:
            continue
        if action == "allocate":
            allocate(state)
        elif action == "stale_gang":
            evict_stale_gangs(state)
        else:
            lines = lines or Lines(state)
            make_room(state, _TAKERS[action](state, running), lines)
    return Decision(state, running)


def _evictions(state: State) -> Iterator[Eviction]:
    gone = (entry for entry in state.removals() if not state.is_back(entry.gang, entry.task))
    for entry in sorted(gone, key=lambda entry: (entry.gang.id, entry.task)):
        yield Eviction(
            task=entry.gang.tasks[entry.task].id,
            workload=entry.gang.id,
            action=entry.cause.action,
            beneficiary=entry.cause.beneficiary,
            reason=entry.cause.reason,
        )


def _spots(state: State, placements: Iterable[Placement], kind: type[_Spot]) -> Iterator[_Spot]:
    for placement in sorted(placements, key=lambda p: (p.gang.id, p.task)):
        node, gpu_ids, slices = state.cluster.names(placement.place)
        yield kind(task=placement.gang.tasks[placement.task].id, node=node, gpu_ids=gpu_ids, mig_slices=slices)


def _shares(state: State) -> Iterator[QueueShare]:
    for pool, books in sorted(state.books.items()):
        for name in sorted(state.tree.queues):
            for r, resource in enumerate(RESOURCES):
                terms = books.terms[name][r]
                yield QueueShare(
                    queue=name,
                    pool=pool,
                    resource=resource,
                    quota=terms.quota,
                    fair_share=float(books.fair[name][r]),
                    allocated=float(books.plain(r, books.allocated[name][r])),
                    requested=float(books.plain(r, books.requested[name][r])),
                    limit=terms.limit,
                )
