"""The planner's one door: a snapshot in, a plan out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from scheduler_core.model import ACTIONS, RESOURCES, Action, Bind, MigSlice, Nomination, Plan, QueueShare, Snapshot
from scheduler_core.planning.allocate import allocate
from scheduler_core.planning.errors import BadSnapshot
from scheduler_core.planning.explanation import explain
from scheduler_core.planning.state import Placement, State
from scheduler_core.planning.validation import validate

_Spot = TypeVar("_Spot", bound=Bind)

PLACEMENTS = ("binpack", "spread")

ACTION_STEPS: Mapping[Action, Callable[[State], None]] = {"allocate": allocate}
"""The actions known, applied in the order of `ACTIONS`."""


def plan(snapshot: Snapshot) -> Plan:
    """What may start now, what is held for later, and why everything else waits.

    Pure: the same snapshot gives the same plan, whatever the order of its lists of nodes, queues and workloads.

    Raises:
        BadSnapshot: the snapshot contradicts itself, or asks for a placement that this planner does not know.
    """
    validate(snapshot)
    if snapshot.config.placement not in PLACEMENTS:
        known = " or ".join(PLACEMENTS)
        raise BadSnapshot(f"placement is {known}, not {snapshot.config.placement}", "$.config.placement")
    state = State(snapshot)
    for action in ACTIONS:
        if action in snapshot.config.actions and action in ACTION_STEPS:
            ACTION_STEPS[action](state)
    placed = sorted(state.placements(), key=lambda p: (p.gang.id, p.task))
    shares = tuple(_shares(state))
    binds = tuple(_spot(state, p, Bind) for p in placed if not p.later)
    nominations = tuple(_spot(state, p, Nomination) for p in placed if p.later)
    verdicts = tuple(explain(state, moves="allocate" in snapshot.config.actions))
    return Plan(binds=binds, nominations=nominations, verdicts=verdicts, shares=shares)


def _spot(state: State, placement: Placement, kind: type[_Spot]) -> _Spot:
    place, cluster = placement.place, state.cluster
    ids = tuple(cluster.gpus[d].id for d in place.devices)
    slices = tuple(MigSlice(gpu=g, profile=p) for g, p in zip(ids, place.profiles, strict=False))
    return kind(
        task=placement.gang.tasks[placement.task].id,
        node=cluster.nodes[place.node].name,
        gpu_ids=() if slices else ids,
        mig_slices=slices,
    )


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
