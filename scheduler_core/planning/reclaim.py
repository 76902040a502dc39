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
from scheduler_core.planning.victims import Batch, Bulk, VictimOrder


class Reclaim:
    """Takes from other queues; the share tests of each reclaimer stand on the books as they are at its turn."""

    action: Action = "reclaim"

    def __init__(self, state: State, running: Running) -> None:
        self.state = state
        self.running = running
        self.effort = Effort()
        self.moves = state.snapshot.config.allow_consolidating_reclaim

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
        rules = _Rules(self, gang, test, pool, leaves, moves=False)
        search = Search(self.state, gang, pool, rules, self.effort)
        answer = search.run() if leaves else Answer.NO
        others = sorted(candidates.leaves - {gang.queue})
        if answer is not Answer.FOUND and self.moves and others:
            moving = _Rules(self, gang, test, pool, others, moves=True)
            moved = Search(self.state, gang, pool, moving, self.effort).run()
            answer = answer if moved is Answer.NO else moved
        return answer if answer is Answer.FOUND else rules.refusal(answer, search.in_vain > 0)

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
    """`moves`: victims of any queue may be placed elsewhere, as long as what is lost in the end may be lost."""

    puts_back: bool
    most_batches: int | None = None

    def __init__(
        self, action: Reclaim, gang: Gang, test: ShareTest, pool: str, leaves: Iterable[str], *, moves: bool
    ) -> None:
        self.action = action
        self.gang = gang
        self.test = test
        self.pool = pool
        self.leaves = leaves
        self.moves = moves
        self.short = gang.step_request(least=True)[0] - action.running.free_units(pool)
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
        return self._may_move(victims) if self.moves else self.may_lose(victims)

    def _may_move(self, victims: Sequence[Batch]) -> bool:
        """Whether what the share tests let go of these comes to what is not free: all else has to find a place."""
        by_side: dict[str, list[Batch]] = {}
        for batch in victims:
            by_side.setdefault(self.test.sides(batch.gang.queue)[1], []).append(batch)
        reach = 0
        for theirs, batches in by_side.items():
            bulk = Bulk.of([batch.charge()[0] for batch in batches])
            reach += self.test.most_units(theirs, batches[0].gang.queue, bulk)
        return self.short <= reach

    def accepts(self, taken: Sequence[Batch], lost: Sequence[Batch]) -> bool:
        return self.may_lose(lost)

    def refusal(self, answer: Answer, in_vain: bool) -> Refusal:
        gave_up = answer is Answer.GAVE_UP or self.sparing.left_alone
        return Refusal("reclaim", self.pool, gave_up=gave_up, in_vain=in_vain, protected=self.sparing.all_protected)
