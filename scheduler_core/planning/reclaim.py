"""The reclaim action: a queue within its fair share takes back what other queues hold beyond theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scheduler_core.model import Action
from scheduler_core.planning.demand import add
from scheduler_core.planning.eviction import Answer, Effort, Search
from scheduler_core.planning.fairness import ShareTest, within
from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.running import Running
from scheduler_core.planning.sparing import Sparing
from scheduler_core.planning.state import Cause, Refusal, State
from scheduler_core.planning.victims import Batch, VictimOrder


class Reclaim:
    """Takes from other queues; the share tests of each reclaimer stand on the books as they are at its turn."""

    action: Action = "reclaim"

    def __init__(self, state: State, running: Running) -> None:
        self.state = state
        self.running = running
        self.effort = Effort()

    def may_start(self, gang: Gang, pool: str) -> bool:
        books, leaf = self.state.books[pool], gang.queue
        request = gang.step_request(least=False)
        if not within(add(books.allocated[leaf], request), books.fair_floor[leaf]):
            return False
        return bool(self.running.candidates(pool).leaves - {leaf})

    def take(self, gang: Gang, pool: str) -> Answer | Refusal:
        test = self._test(gang, pool)
        if not test.may_start():
            return Answer.NO
        candidates = self.running.candidates(pool)
        leaves = [
            leaf
            for leaf in sorted(candidates.leaves)
            if leaf != gang.queue and test.may_take(leaf, test.allocated[test.sides(leaf)[1]])
        ]
        refusal = self._by_arithmetic(gang, pool, test, leaves)
        if refusal is not None:
            return refusal
        rules = _Rules(self, gang, test, pool, leaves)
        search = Search(self.state, gang, pool, rules, self.effort)
        answer = search.run() if leaves else Answer.NO
        if answer is not Answer.FOUND and self.may_move(gang, pool):
            moving = _Rules(self, gang, test, pool, sorted(candidates.leaves - {gang.queue}))
            if Search(self.state, gang, pool, moving, self.effort).run() is Answer.FOUND:
                return Answer.FOUND
        return answer if answer is Answer.FOUND else rules.refusal(answer, search.in_vain > 0)

    def may_move(self, gang: Gang, pool: str) -> bool:
        """Whether there is room in all: then work of any queue may be placed elsewhere, which is no loss to it."""
        if not self.state.snapshot.config.allow_consolidating_reclaim:
            return False
        return gang.step_request(least=True)[0] <= self.running.free_units(pool)

    def _test(self, gang: Gang, pool: str) -> ShareTest:
        return ShareTest(self.state.books[pool], gang, gang.step_request(least=False))

    def _by_arithmetic(self, gang: Gang, pool: str, test: ShareTest, leaves: Sequence[str]) -> Refusal | None:
        """A certain "no": what is free and all that the share tests let go come to less than the request."""
        candidates, scale = self.running.candidates(pool), self.state.scale
        by_side: dict[str, list[str]] = {}
        for leaf in leaves:
            by_side.setdefault(test.sides(leaf)[1], []).append(leaf)
        reach = self.running.free_units(pool)
        for theirs, below in by_side.items():
            most = test.most_units(theirs, below[0], candidates.bulk(below))
            reach += most
        wanted = gang.step_request(least=True)[0]
        if wanted <= reach:
            return None
        missing, within_reach = float(scale.devices(wanted - reach)), float(scale.devices(reach))
        return Refusal(self.action, pool, missing=missing, within_reach=within_reach)


class _Rules:
    puts_back: bool
    most_batches: int | None = None

    def __init__(self, action: Reclaim, gang: Gang, test: ShareTest, pool: str, leaves: Iterable[str]) -> None:
        self.action = action
        self.gang = gang
        self.test = test
        self.pool = pool
        self.leaves = leaves
        protection = action.running.protection
        self.sparing = Sparing(action.state, lambda victim: protection.from_reclaim(victim, gang))
        self.puts_back = action.state.snapshot.config.allow_consolidating_reclaim
        reason = f"queue {gang.queue} takes back its fair share for {gang.id}"
        self.cause = Cause("reclaim", gang.id, reason)

    def order(self) -> VictimOrder:
        candidates = self.action.running.candidates(self.pool)
        entries = {leaf: candidates.entries(leaf) for leaf in self.leaves}
        return VictimOrder(self.action.state.siblings(self.pool), entries, self.sparing.allows)

    def may_lose(self, victims: Sequence[Batch]) -> bool:
        return self.test.holds((batch.gang.queue, batch.charge()) for batch in victims)

    def may_work(self, node: int, victims: Sequence[Batch]) -> bool:
        return self.may_lose(victims) or self.action.may_move(self.gang, self.pool)

    def accepts(self, taken: Sequence[Batch], lost: Sequence[Batch]) -> bool:
        return self.may_lose(lost)

    def refusal(self, answer: Answer, in_vain: bool) -> Refusal:
        gave_up = answer is Answer.GAVE_UP
        return Refusal("reclaim", self.pool, gave_up=gave_up, in_vain=in_vain, protected=self.sparing.all_protected)
