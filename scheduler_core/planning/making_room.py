"""What consolidate, reclaim and preempt share: whose turn it is, and who need not be tried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from scheduler_core.model import Action
from scheduler_core.planning.allocate import eligible
from scheduler_core.planning.eviction import Answer
from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.order import PoolOrder
from scheduler_core.planning.promises import Promises
from scheduler_core.planning.state import Refusal, State
from scheduler_core.planning.step import attempt, gate, shape


class Taker(Protocol):
    """One action over a whole plan."""

    action: Action

    def may_start(self, gang: Gang, pool: str) -> bool:
        """Whether the gang may take anything at all: quick, before its turn."""

    def take(self, gang: Gang, pool: str) -> Answer | Refusal:
        """Evict and nominate, or leave the state as it is and say why."""


class Lines:
    """Who still waits when room is first to be made: of one queue and shape in one line, the last is the first."""

    def __init__(self, state: State) -> None:
        self._of_pool = {pool: _lines(eligible(state, pool)) for pool in sorted(state.books)}

    def pools(self) -> Iterable[str]:
        return self._of_pool

    def that_may_start(self, taker: Taker, pool: str) -> Iterator[list[Gang]]:
        """The lines of the pool without those that got a place since, and those that may not take anything."""
        for line in self._of_pool[pool].values():
            may_start: dict[int, bool] = {}
            left = []
            for gang in line:
                priority = gang.workload.priority
                if priority not in may_start:
                    may_start[priority] = any(taker.may_start(gang, each) for each in gang.workload.pools)
                if may_start[priority] and not _placed(gang):
                    left.append(gang)
            if left:
                yield left


def _lines(gangs: Iterable[Gang]) -> dict[object, list[Gang]]:
    lines: dict[object, list[Gang]] = {}
    for gang in gangs:
        if not _placed(gang):
            lines.setdefault(kind_of(gang), []).append(gang)
    for line in lines.values():
        line.sort(key=lambda gang: (-gang.workload.priority, gang.workload.created, gang.id), reverse=True)
    return lines


def make_room(state: State, taker: Taker, lines: Lines) -> None:
    """Let each workload that still waits try once, in starting order, in its pools in order.

    Where the first of a line gets nothing, none behind it does.
    """
    for pool in lines.pools():
        behind = {line.pop(): line for line in lines.that_may_start(taker, pool)}
        order = PoolOrder(state.siblings(pool), behind)
        while (gang := order.pop()) is not None:
            line = behind.pop(gang)
            if _take(state, taker, gang) and line:
                following = line.pop()
                behind[following] = line
                order.push(following)
            order.refresh(gang.queue)


def _placed(gang: Gang) -> bool:
    return bool(gang.homes) and any(home.fresh for home in gang.homes.values())


def _take(state: State, taker: Taker, gang: Gang) -> bool:
    # Who has just been evicted, or moved, for others takes no turn of its own in this plan.
    if gang.id in state.barred or gang.id in state.evicted:
        return False
    for pool in state.pools_of(gang):
        if taker.may_start(gang, pool):
            if state.evicted and _take_leftover(state, gang, pool):
                return True
            answer = taker.take(gang, pool)
            if answer is Answer.FOUND:
                return True
            if isinstance(answer, Refusal):
                state.refusals.setdefault(kind_of(gang), {})[taker.action] = answer
    return False


def _take_leftover(state: State, gang: Gang, pool: str) -> bool:
    """Nominate it on room that was made for others and that they do not need, if the next plan would do so too.

    Limits and quotas hold as long as the victims are there: it is not for this work that they go.
    """
    several_ways = gang.has_choice or gang.charged_by_device or (gang.satisfied() and len(gang.kinds) > 1)
    if several_ways or gate(state, gang, pool, state.leaving(pool)) is not None:
        return False
    mark = state.mark()
    if attempt(state, gang, pool, later=True):
        state.commit(mark)
        promises = Promises(state)
        promises.owed[gang.id] = {gang.id}
        if promises.kept() is not None:
            return True
        state.rollback(mark)
    return False


def kind_of(gang: Gang) -> object:
    """Equal for workloads of which an action that refuses one refuses all of lower rank."""
    return gang.queue, gang.preemptible, gang.workload.pools, shape(gang)
