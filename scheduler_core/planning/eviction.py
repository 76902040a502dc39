"""The search for work to evict so that one gang's next step can start.

Victims are taken in their order until some node has room for the next task; what is on other nodes stays. Then all is
put back in starting order, victims too, as the next plan would: the gang must still find its place, and the rules of
the action must hold for what is lost. Source: notes on the solvers of KAI Scheduler v0.17 (node-local, then all nodes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from itertools import chain, islice
from typing import Protocol

from scheduler_core.planning.demand import Demand
from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.order import PoolOrder
from scheduler_core.planning.pile import Pile, may_stay
from scheduler_core.planning.promises import Promises
from scheduler_core.planning.state import Cause, Placement, State
from scheduler_core.planning.step import Step, attempt, gate, is_exact
from scheduler_core.planning.victims import Batch, VictimOrder

MOST_TRIES = 64
"""Sets of victims that are tried out for one workload by one action before it gives up."""

_MOST_IN_VAIN = 3
"""Sets that would work, were it not that the next plan gives the room to others."""

_MOST_DROPS = 24
"""Victims of all nodes together, of which those that need not go are left out one by one."""


class Answer(Enum):
    """`NO` is certain; `GAVE_UP` means that the sets tried do not show that no other would do."""

    FOUND = "found"
    NO = "no"
    GAVE_UP = "gave up"


class Effort:
    """What one action may spend in one plan; the bound is on work, not on time, so that equal snapshots plan alike."""

    def __init__(self) -> None:
        self.tries = 256
        self.in_vain = 16
        self.batches = 100_000

    def spent(self) -> bool:
        """Whether the action has to stop for everybody."""
        return self.tries <= 0 or self.in_vain <= 0 or self.batches <= 0


class Rules(Protocol):
    """What an action asks of a set of victims for one gang. `puts_back`: victims may be placed again in the plan.

    `most_batches`: so many are looked at where victims of all nodes are taken together; None: all.
    """

    puts_back: bool
    cause: Cause
    most_batches: int | None

    def order(self) -> VictimOrder:
        """The victims, from the first."""

    def may_lose(self, victims: Sequence[Batch]) -> bool:
        """Whether all of them could be lost."""

    def may_work(self, node: int, victims: Sequence[Batch]) -> bool:
        """Whether it is worth trying out: a quick look at victims that make room on the node."""

    def accepts(self, taken: Sequence[Batch], lost: Sequence[Batch]) -> bool:
        """Whether the outcome is right: what is taken from its place, and what of that is not placed again."""


class Search:
    """One gang, one pool, one action."""

    def __init__(self, state: State, gang: Gang, pool: str, rules: Rules, effort: Effort) -> None:
        self.state = state
        self.effort = effort
        self.gang = gang
        self.pool = pool
        self.rules = rules
        self.start = state.mark()
        self.tries = 0
        self.in_vain = 0

    def run(self) -> Answer:
        """On `FOUND` the state holds the evictions and the nominations; otherwise it is as it was."""
        if self.effort.spent():
            return Answer.GAVE_UP
        if not self.gang.has_choice and not self.gang.has_topology:
            answers = []
            for tasks in self.gang.steps():
                answers.append(self._node_by_node(tasks))
                if answers[-1] is Answer.FOUND:
                    return Answer.FOUND
                self.state.rollback(self.start)
            if None not in answers:
                return Answer.GAVE_UP if Answer.GAVE_UP in answers else Answer.NO
        return self._all_nodes()

    def _node_by_node(self, tasks: Sequence[int]) -> Answer | None:
        """Make room for one task after the other; None where more than that has to be tried."""
        pile = Pile(self.state)
        recorded: list[Batch] = []
        victims = iter(self.rules.order())
        unmet: Demand | None = None
        for k in tasks[:-1]:
            if self._place(k):
                continue
            demand = self.gang.demands[k]
            chosen = self._room_for(demand, victims, pile, recorded, skip_pile=demand is unmet)
            if chosen is None:
                return None
            unmet = demand
            recorded += chosen
            self._evict(chosen)
            if not self._place(k):
                return None
        return self._last_task(tasks, recorded, pile, victims)

    def _last_task(
        self, tasks: Sequence[int], recorded: list[Batch], pile: Pile, victims: Iterable[Batch]
    ) -> Answer | None:
        """Every way to make room for the last task is tried out as a whole."""
        if recorded:
            if self._try_without(recorded):
                return Answer.FOUND
            self._again(tasks[:-1], recorded)
        fitted, alone = bool(recorded), len(tasks) == 1
        for node, chosen in self._ways(self.gang.demands[tasks[-1]], victims, pile):
            fitted = True
            everything = [*recorded, *chosen]
            # With other tasks of the gang in their places for now, a quick look would see too little room.
            if alone and not self.rules.may_work(node, everything):
                continue
            if self._try_without(everything):
                return Answer.FOUND
            if self._is_enough():
                return Answer.GAVE_UP
            self._again(tasks[:-1], recorded)
        if not alone or self._limited():
            return None
        return Answer.GAVE_UP if fitted else Answer.NO

    def _ways(self, demand: Demand, victims: Iterable[Batch], pile: Pile) -> Iterator[tuple[int, list[Batch]]]:
        for batch in victims:
            self.effort.batches -= 1
            pile.add(batch)
            for node in sorted(batch.nodes()):
                for chosen in pile.sets_for(node, demand):
                    yield node, chosen

    def _room_for(
        self, demand: Demand, victims: Iterable[Batch], pile: Pile, recorded: Sequence[Batch], skip_pile: bool
    ) -> list[Batch] | None:
        """The first set that makes room for one task and could be lost."""
        piled = ((node, chosen) for node in pile.nodes() for chosen in pile.sets_for(node, demand))
        for _, chosen in chain(() if skip_pile else piled, self._ways(demand, victims, pile)):
            if self.rules.may_lose([*recorded, *chosen]):
                pile.drop(chosen)
                return chosen
        return None

    def _again(self, tasks: Sequence[int], recorded: Sequence[Batch]) -> None:
        """Back to the state before the last task, after a set has been tried in vain."""
        self.state.rollback(self.start)
        self._evict(recorded)
        for k in tasks:
            self._place(k)

    def _all_nodes(self) -> Answer:
        """The shortest run of victims, on whatever nodes, that makes room for the whole step."""
        victims = list(islice(self.rules.order(), self.rules.most_batches))
        self.effort.batches -= len(victims)
        if not victims or not self._is_open(victims) or not self._has_room(victims):
            certain = len(victims) != self.rules.most_batches and (is_exact(self.gang) or not self._is_open(victims))
            return Answer.NO if certain else Answer.GAVE_UP
        low, high = 0, 1
        while high < len(victims) and not self._has_room(victims[:high]):
            low, high = high, 2 * high
        high = min(high, len(victims))
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._has_room(victims[:middle]) else (middle, high)
        needed = self._on_nodes_used(victims[:high])
        if needed and self._try_without(needed):
            return Answer.FOUND
        # More than can be pruned is not taken from all nodes at once: most of it would go for nothing.
        if high > _MOST_DROPS or self._is_enough():
            return Answer.GAVE_UP
        return Answer.FOUND if self._try_without(victims[:high]) else Answer.GAVE_UP

    def _is_open(self, victims: Sequence[Batch]) -> bool:
        """Whether no limit or quota is in the way when all of these are gone."""
        self._evict(victims)
        blocked = self._limited()
        self.state.rollback(self.start)
        return not blocked

    def _has_room(self, victims: Sequence[Batch]) -> bool:
        """Whether the step fits, and no limit is in the way, when all of these are gone."""
        self.state.rollback(self.start)
        self._evict(victims)
        fits = gate(self.state, self.gang, self.pool) is None and attempt(self.state, self.gang, self.pool, later=True)
        self.state.rollback(self.start)
        return fits

    def _on_nodes_used(self, victims: Sequence[Batch]) -> list[Batch]:
        """Those of the victims that share a node with the step when it is placed in their absence."""
        self._evict(victims)
        mark = self.state.mark()
        attempt(self.state, self.gang, self.pool, later=True)
        used = {placement.place.node for placement in self.state.placements(mark)}
        self.state.rollback(self.start)
        gangs = {batch.gang.id for batch in victims if batch.nodes() & used}
        return [batch for batch in victims if batch.gang.id in gangs]

    def _try_without(self, victims: list[Batch]) -> bool:
        """Try the victims out together, then leave out one after the other as long as it still works."""
        if not 1 < len(victims) <= _MOST_DROPS:
            return self._try(victims)
        if not self._works(victims):
            return False
        for batch in reversed(victims):
            if may_stay(batch, victims):
                fewer = [other for other in victims if other is not batch]
                if self._has_room(fewer) and self._works(fewer):
                    victims = fewer
        return self._try(victims)

    def _is_enough(self) -> bool:
        return self.tries >= MOST_TRIES or self.in_vain >= _MOST_IN_VAIN or self.effort.spent()

    def _limited(self) -> bool:
        """Whether a limit or quota, rather than room, is in the way."""
        return gate(self.state, self.gang, self.pool) is not None

    def _try(self, victims: Sequence[Batch]) -> bool:
        """Evict, put all back in starting order, judge what is lost and what the next plan does; undone if wrong."""
        if not self._works(victims):
            return False
        if self._is_promised(victims):
            self._leave_alone_who_is_back(victims)
            return True
        self.state.rollback(self.start)
        return False

    def _works(self, victims: Sequence[Batch]) -> bool:
        """Evict, put all back in starting order, judge what is lost; undone if wrong."""
        self.tries += 1
        self.effort.tries -= 1
        self.state.rollback(self.start)
        self._evict(victims)
        if self._put_back(victims if self.rules.puts_back else ()):
            self._send_home(victims)
            if self._is_right(victims):
                return True
        self.state.rollback(self.start)
        return False

    def _is_right(self, victims: Sequence[Batch]) -> bool:
        taken = self._left_over(victims, self.state.is_back)
        lost = self._left_over(taken, lambda gang, k: k in gang.homes)
        # Where all are back it was not they who made the room, and nobody would know for whom it is held.
        return bool(taken) and self.rules.accepts(taken, lost)

    def _is_promised(self, victims: Sequence[Batch]) -> bool:
        """Whether the next plan keeps it; victims that it would not place again are not promised a place."""
        placed = Promises(self.state).kept()
        if placed is not None:
            moved = [p for p in self.state.settled() if p.task in self.state.evicted.get(p.gang.id, ())]
            unkept = [p for p in moved if p.gang.id not in placed and not self.state.is_back(p.gang, p.task)]
            # A gang of which some stay and others would find no place is not torn apart.
            torn = any(self.state.is_back(p.gang, k) for p in unkept for k in self.state.evicted[p.gang.id])
            for placement in unkept:
                self.state.withdraw(placement)
            if not torn and (not unkept or self._is_right(victims)):
                return True
        self.in_vain += 1
        self.effort.in_vain -= 1
        return False

    def _send_home(self, victims: Sequence[Batch]) -> None:
        """Let victims stay whose place nobody has taken in the end; what has to stand together goes home together."""
        moved = {(id(p.gang), p.task): p for p in self.state.settled()}
        away: dict[object, list[Placement]] = {}
        for batch in victims:
            for k in batch.tasks:
                placement = moved.get((id(batch.gang), k))
                if placement is not None and not self.state.is_back(batch.gang, k):
                    group = id(batch.gang) if batch.gang.has_topology else (id(batch.gang), k)
                    away.setdefault(group, []).append(placement)
        for placements in away.values():
            self._take_home(placements)

    def _take_home(self, placements: Sequence[Placement]) -> None:
        """All of them, or none."""
        state = self.state
        mark = state.mark()
        for placement in placements:
            state.withdraw(placement)
        for placement in placements:
            gang, k = placement.gang, placement.task
            home = state.evicted[gang.id][k]
            # At home it may be charged more than where it was placed within the limits.
            books, dearer = state.books[home.pool], home.charge[0] > placement.charge[0]
            over = dearer and books.gate(gang.queue, home.charge, gang.preemptible) is not None
            if over or not state.may_return(gang, k):
                state.rollback(mark)
                return
            state.place(gang, k, home.place, later=True, pool=home.pool)
        state.commit(mark)

    def _leave_alone_who_is_back(self, victims: Sequence[Batch]) -> None:
        """Do the same again without touching those that ended where they were: others may still take them."""
        state = self.state
        taken = self._left_over(victims, state.is_back)
        stands = {(id(p.gang), p.task, id(p.place)) for p in state.settled() if not state.is_back(p.gang, p.task)}
        kept = [p for p in state.placements(self.start) if (id(p.gang), p.task, id(p.place)) in stands]
        state.rollback(self.start)
        self._evict(taken)
        mark = state.mark()
        for p in kept:
            state.place(p.gang, p.task, p.place, p.later, p.pool)
        state.commit(mark)

    def _put_back(self, victims: Sequence[Batch]) -> bool:
        gangs = {id(gang): gang for gang in (self.gang, *(batch.gang for batch in victims))}
        order = PoolOrder(self.state.siblings(self.pool), [g for g in gangs.values() if g.reachable()])
        refused: set[object] = set()
        while (gang := order.pop()) is not None:
            placed = self._start(gang, refused)
            if gang is self.gang:
                if not placed:
                    return False
            elif placed and gang.kinds:
                order.push(gang)
            order.refresh(gang.queue)
        return True

    def _start(self, gang: Gang, refused: set[object]) -> bool:
        if not gang.next_tasks() or gate(self.state, gang, self.pool) is not None:
            return False
        known = gang.signature()
        if known is not None and known in refused:
            return False
        mark = self.state.mark()
        if attempt(self.state, gang, self.pool, later=True):
            if gang is self.gang or self._only_victims(mark):
                self.state.commit(mark)
                return True
            self.state.rollback(mark)
        if known is not None:
            refused.add(known)
        return False

    def _only_victims(self, mark: int) -> bool:
        """Whether none was placed that waited before: room that is made is not for it."""
        return all(p.gang.tasks[p.task].state == "running" for p in self.state.placements(mark))

    def _left_over(self, victims: Sequence[Batch], settled: Callable[[Gang, int], bool]) -> list[Batch]:
        """The batches without the tasks that are settled."""
        left = (
            Batch(b.gang, tuple(k for k in b.tasks if not settled(b.gang, k)), b.surplus, b.charges) for b in victims
        )
        return [batch for batch in left if batch.tasks]

    def _evict(self, victims: Iterable[Batch]) -> None:
        for batch in victims:
            for k in batch.tasks:
                self.state.evict(batch.gang, k, self.rules.cause)

    def _place(self, k: int) -> bool:
        """Place one task of the step without counting it as started."""
        return Step(self.state, self.gang, self.pool, later=True).task(k)
