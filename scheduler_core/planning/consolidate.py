"""The consolidate action: running work moves together so that work that fits in all, but nowhere at once, starts."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler_core.model import Action
from scheduler_core.planning.demand import Demand, Form
from scheduler_core.planning.eviction import Answer, Effort, Search
from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.placement import NO_FIT
from scheduler_core.planning.running import Running
from scheduler_core.planning.sparing import Sparing
from scheduler_core.planning.state import Cause, Refusal, State
from scheduler_core.planning.step import gate
from scheduler_core.planning.victims import Batch, VictimOrder


class Consolidate:
    """Moves preemptible work of any queue; all of it is placed again in the same plan."""

    action: Action = "consolidate"

    def __init__(self, state: State, running: Running) -> None:
        self.state = state
        self.running = running
        self.effort = Effort()
        self.most = state.snapshot.config.max_consolidation_victims

    def may_start(self, gang: Gang, pool: str) -> bool:
        if self.most == 0 or not gang.preemptible:
            return False
        wanted = gang.step_request(least=True)
        if wanted[0] > self.running.free_units(pool) or wanted[1] > self.running.free_cpu(pool):
            return False
        return bool(self.running.candidates(pool).leaves) and gate(self.state, gang, pool) is None

    def take(self, gang: Gang, pool: str) -> Answer | Refusal:
        search = Search(self.state, gang, pool, _Rules(self, gang, pool), self.effort)
        answer = search.run()
        if answer is Answer.FOUND:
            return answer
        return Refusal(self.action, pool, gave_up=answer is Answer.GAVE_UP, in_vain=search.in_vain > 0)

    def fits_elsewhere(self, demand: Demand, node: int, pool: str) -> bool:
        """Whether some other node of the pool has room for the demand; shares may also move on their node."""
        fits = (self.state.placer.scores(demand, later=True) < NO_FIT) & self.state.cluster.in_pool(pool)
        cluster = self.state.cluster
        alike = demand.form == Form.WHOLE and all(cluster.gpus[d].shareable for d in cluster.spans[node])
        return int(fits.sum()) > int(fits[node] and alike)


class _Rules:
    puts_back = True
    most_batches: int | None = 64

    def __init__(self, action: Consolidate, gang: Gang, pool: str) -> None:
        self.action = action
        self.gang = gang
        self.pool = pool
        protection = action.running.protection
        self.sparing = Sparing(action.state, lambda victim: protection.from_reclaim(victim, gang))
        self.cause = Cause("consolidate", gang.id, f"moves so that {gang.id} fits")

    def order(self) -> VictimOrder:
        candidates = self.action.running.candidates(self.pool)
        entries = {leaf: candidates.entries(leaf) for leaf in sorted(candidates.leaves)}
        return VictimOrder(self.action.state.siblings(self.pool), entries, self._allows)

    def may_lose(self, victims: Sequence[Batch]) -> bool:
        return self.action.most < 0 or len({batch.gang.id for batch in victims}) <= self.action.most

    def may_work(self, node: int, victims: Sequence[Batch]) -> bool:
        """Whether any of them fits elsewhere as things stand."""
        if not self.may_lose(victims):
            return False
        demands = {batch.gang.demands[k].index: batch.gang.demands[k] for batch in victims for k in batch.tasks}
        return any(self.action.fits_elsewhere(demand, node, self.pool) for demand in demands.values())

    def accepts(self, taken: Sequence[Batch], lost: Sequence[Batch]) -> bool:
        return not lost and self.may_lose(taken)

    def _allows(self, batch: Batch) -> bool:
        return batch.gang is not self.gang and self.sparing.allows(batch)
