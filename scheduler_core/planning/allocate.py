"""The allocate action: give free resources to waiting work, one step at a time, in order."""

from __future__ import annotations

from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.order import PoolOrder
from scheduler_core.planning.state import State
from scheduler_core.planning.step import attempt, gate, horizons


def allocate(state: State) -> None:
    """Place what fits. Pools go by name; each workload waits in its first pool and tries its pools in order."""
    refused: set[object] = set()
    for pool in sorted(state.books):
        order = PoolOrder(state.siblings(pool), eligible(state, pool))
        while (gang := order.pop()) is not None:
            if _take(state, gang, refused) and gang.kinds:
                order.push(gang)
            order.refresh(gang.queue)
            note_turn(state, pool, gang)


def line_up(state: State) -> None:
    """Note the order in which allocate would take the workloads, and place nothing."""
    for pool in sorted(state.books):
        order = PoolOrder(state.siblings(pool), eligible(state, pool))
        while (gang := order.pop()) is not None:
            note_turn(state, pool, gang)
            order.refresh(gang.queue)


def eligible(state: State, pool: str) -> list[Gang]:
    """Gangs that wait in the pool and have enough tasks for a step."""
    return [
        gang
        for gang in state.waiting
        if gang.workload.pools[0] == pool and state.tree.is_leaf(gang.queue) and gang.reachable() and gang.next_tasks()
    ]


def note_turn(state: State, pool: str, gang: Gang) -> None:
    """Remember the first time that a workload's turn came."""
    turns = state.taken.setdefault(pool, [])
    if gang.id not in state.seen:
        state.seen.add(gang.id)
        turns.append(gang)


def _take(state: State, gang: Gang, refused: set[object]) -> bool:
    """Place the gang's next step: now in any of its pools, else later in any of them."""
    mark = state.mark()
    known = gang.signature()
    state.blocked.pop(gang.id, None)
    if known is not None and all(
        (pool, later, known) in refused for pool in state.pools_of(gang) for later in horizons(state)
    ):
        return False
    gates = {pool: gate(state, gang, pool) for pool in state.pools_of(gang)}
    open_pools = [pool for pool, blocked in gates.items() if blocked is None]
    if not open_pools:
        state.blocked.update((gang.id, blocked) for blocked in list(gates.values())[:1] if blocked)
    for later in horizons(state):
        for pool in open_pools:
            if known is not None and (pool, later, known) in refused:
                continue
            if attempt(state, gang, pool, later):
                state.commit(mark)
                return True
            if known is not None:
                refused.add((pool, later, known))
    return False
