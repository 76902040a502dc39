"""The allocate action: give free resources to waiting work, one step at a time, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.order import PoolOrder
from scheduler_core.planning.queues import Blocked
from scheduler_core.planning.state import State
from scheduler_core.planning.step import attempt, gate, horizons
from scheduler_core.planning.surplus import Remainder

Seen = Callable[[Gang, Blocked | None], None]
"""Is told of each turn of a gang, and of what closes all its pools to it."""


def allocate(state: State) -> None:
    """Place what fits, and note whose turn came when."""

    def seen(gang: Gang, blocked: Blocked | None) -> None:
        _note_turn(state, gang)
        state.blocked.pop(gang.id, None)
        if blocked is not None:
            state.blocked[gang.id] = blocked

    fill(state, state.waiting, seen)


def fill(state: State, waiting: Iterable[Gang], seen: Seen | None = None) -> None:
    """Place what fits of the gangs. Pools go by name; each waits in its first pool and tries its pools in order."""
    refused: set[object] = set()
    by_pool: dict[str, list[Gang]] = {}
    for gang in waiting:
        if _is_eligible(state, gang):
            by_pool.setdefault(gang.workload.pools[0], []).append(gang)
    for pool in sorted(by_pool):
        order = PoolOrder(state.siblings(pool), by_pool[pool])
        while (taken := order.pop()) is not None:
            placed, blocked = _take(state, taken, refused)
            if placed and taken.kinds:
                order.push(taken)
            order.refresh(taken.queue)
            if seen is not None:
                seen(taken, blocked)


def line_up(state: State) -> None:
    """Note the order in which allocate would take the workloads, and place nothing."""
    for pool in sorted(state.books):
        order = PoolOrder(state.siblings(pool), eligible(state, pool))
        while (gang := order.pop()) is not None:
            _note_turn(state, gang)
            order.refresh(gang.queue)


def eligible(state: State, pool: str) -> list[Gang]:
    """Gangs that wait in the pool and have enough tasks for a step."""
    return [gang for gang in state.waiting if gang.workload.pools[0] == pool and _is_eligible(state, gang)]


def _is_eligible(state: State, gang: Gang) -> bool:
    return state.tree.is_leaf(gang.queue) and gang.reachable() and bool(gang.next_tasks())


def _waits_for_minimum(gang: Gang) -> bool:
    """Whether its minimum is only nominated: then nothing of it starts yet."""
    promised = {k for k, home in gang.homes.items() if home.promised}
    return bool(promised) and Remainder(gang, promised).is_below()


def _note_turn(state: State, gang: Gang) -> None:
    """Remember the first time that a workload's turn came."""
    if gang.id not in state.seen:
        state.seen.add(gang.id)
        state.taken.setdefault(gang.workload.pools[0], []).append(gang)


def _take(state: State, gang: Gang, refused: set[object]) -> tuple[bool, Blocked | None]:
    """Place the gang's next step: now in any of its pools, else later in any of them.

    The second value says what closes all its pools to it, if something does.
    """
    known = gang.signature()
    pools = state.pools_of(gang)
    times = (True,) if _waits_for_minimum(gang) else horizons(state)
    if known is not None and all((pool, later, known) in refused for pool in pools for later in times):
        return False, None
    mark = state.mark()
    gates = {pool: gate(state, gang, pool) for pool in pools}
    open_pools = [pool for pool, blocked in gates.items() if blocked is None]
    if not open_pools:
        return False, next(iter(gates.values()), None)
    for later in times:
        for pool in open_pools:
            if known is not None and (pool, later, known) in refused:
                continue
            if attempt(state, gang, pool, later):
                state.commit(mark)
                return True, None
            if known is not None:
                refused.add((pool, later, known))
    return False, None
