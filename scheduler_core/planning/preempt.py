"""The preempt action: inside one queue, work of lower priority makes room for work of higher priority."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from scheduler_core.model import Action
from scheduler_core.planning.eviction import Answer, Effort, Search
from scheduler_core.planning.gangs import Gang, steps_request
from scheduler_core.planning.order import Entry
from scheduler_core.planning.running import Running
from scheduler_core.planning.sparing import Sparing
from scheduler_core.planning.state import Cause, Refusal, State
from scheduler_core.planning.victims import Batch, VictimOrder


class Preempt:
    """Takes from the same queue, strictly lower priorities only."""

    action: Action = "preempt"

    def __init__(self, state: State, running: Running) -> None:
        self.state = state
        self.running = running
        self.effort = Effort()

    def may_start(self, gang: Gang, pool: str) -> bool:
        lowest = self.running.lowest_priority(pool, gang.queue)
        return lowest is not None and lowest < gang.workload.priority

    def take(self, gang: Gang, pool: str) -> Answer | Refusal:
        entries = self.running.candidates(pool).entries(gang.queue)
        lower = entries[bisect_right(entries, -gang.workload.priority, key=_rank) :]
        reach = self.running.free_units(pool) + sum(
            home.charge[0] for entry in lower for home in entry[-1].homes.values()
        )
        wanted = min(steps_request(gang, tasks, least=True)[0] for tasks in gang.steps())
        if wanted > reach:
            devices = self.state.scale.devices
            return Refusal(
                self.action, pool, missing=float(devices(wanted - reach)), within_reach=float(devices(reach))
            )
        rules = _Rules(self, gang, pool, lower)
        search = Search(self.state, gang, pool, rules, self.effort)
        answer = search.run()
        return answer if answer is Answer.FOUND else rules.refusal(answer, search.in_vain > 0)


def _rank(entry: Entry) -> int:
    return entry[0]


class _Rules:
    puts_back = True
    most_batches: int | None = None

    def __init__(self, action: Preempt, gang: Gang, pool: str, entries: list[Entry]) -> None:
        self.action = action
        self.gang = gang
        self.pool = pool
        self.entries = entries
        self.sparing = Sparing(action.state, action.running.protection.from_preempt)
        reason = f"{gang.id} has priority {gang.workload.priority} in queue {gang.queue}"
        self.cause = Cause("preempt", gang.id, reason)

    def order(self) -> VictimOrder:
        return VictimOrder(self.action.state.siblings(self.pool), {self.gang.queue: self.entries}, self.sparing.allows)

    def may_lose(self, victims: Sequence[Batch]) -> bool:
        return True

    def may_work(self, node: int, victims: Sequence[Batch]) -> bool:
        return True

    def accepts(self, taken: Sequence[Batch], lost: Sequence[Batch]) -> bool:
        return True

    def refusal(self, answer: Answer, in_vain: bool) -> Refusal:
        gave_up = answer is Answer.GAVE_UP or self.sparing.left_alone
        return Refusal("preempt", self.pool, gave_up=gave_up, in_vain=in_vain, protected=self.sparing.all_protected)
