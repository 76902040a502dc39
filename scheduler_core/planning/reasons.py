"""Why a workload, or the rest of one, waits: one code and one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

from scheduler_core.model import VerdictCode, VerdictState
from scheduler_core.planning import wording
from scheduler_core.planning.capacity import Capacity
from scheduler_core.planning.cluster import Place
from scheduler_core.planning.demand import Demand
from scheduler_core.planning.fit import Fit, fit, shortage_code
from scheduler_core.planning.gangs import Gang, steps_request
from scheduler_core.planning.making_room import kind_of
from scheduler_core.planning.occupancy import BOTH
from scheduler_core.planning.queues import Blocked
from scheduler_core.planning.state import Placement, Refusal, State
from scheduler_core.planning.step import attempt, gate, horizons, is_exact
from scheduler_core.planning.together import Together
from scheduler_core.planning.topology import domains

Reason: TypeAlias = tuple[VerdictCode, str]


class Outcome(Struct):
    """What the plan does with one workload.

    `reason` is None until it is known. `pools` are those that no limit or quota closes; `demand` is what finds no place
    in `pool`, or None where each task of the step would fit alone and only `together` of them fit beside each other;
    `certain`: no other way of placing them would do.
    """

    gang: Gang
    state: VerdictState
    bound: list[Placement]
    nominated: list[Placement]
    pool: str
    reason: Reason | None = None
    pools: tuple[str, ...] = ()
    demand: Demand | None = None
    together: int = 0
    certain: bool = False
    refusals: tuple[Refusal, ...] = ()


class Reasons:
    """Finds reasons in two passes: `in_the_end` reads the state after the plan, `at_the_start` the state before it."""

    def __init__(self, state: State, moves: bool) -> None:
        self.state = state
        self.moves = moves
        self.capacity = Capacity(state.cluster)
        self._fits: dict[tuple[int, str], Fit] = {}
        self._room_at_start: dict[object, bool] = {}
        self._together: dict[object, int] = {}
        self._running_in: dict[str, set[str]] = {}
        self._beyond: dict[str, str] = {}
        self._never_told: dict[object, str] = {}
        self._room: Together | None = None

    def fit(self, demand: Demand, pool: str) -> Fit:
        """What the pool offers the demand after the plan."""
        key = (demand.index, pool)
        found = self._fits.get(key)
        if found is None:
            found = self._fits[key] = fit(self.state.placer, demand, pool)
        return found

    def in_the_end(self, outcome: Outcome) -> None:
        """Causes that are seen without trying: the queue, the gang, size, limits; else what is short is noted."""
        state, gang = self.state, outcome.gang
        tasks = gang.next_tasks()
        if not state.tree.is_leaf(gang.queue):
            outcome.reason = "queue_not_found", self._no_queue(gang.queue)
        elif not gang.reachable() or not tasks:
            group = gang.first_unreachable()
            gated = group.reachable(with_gated=True)
            outcome.reason = "gated" if gated else "gang_incomplete", wording.incomplete(group, gated)
        elif not state.pools_of(gang):
            outcome.reason = "no_node_fits", self._wrong_pool(gang)
        elif self.capacity.never_fits(gang, state.pools_of(gang)):
            outcome.demand = gang.demands[tasks[0]]
            outcome.reason = self._never(outcome, tasks)
        else:
            self._gates_and_room(outcome, tasks)

    def at_the_start(self, outcome: Outcome) -> Reason:
        """The rest: no room, with what `in_the_end` has noted, or only because others were placed first."""
        if not self._had_room(outcome):
            return self._with_refusals(outcome, self._shortage(outcome))
        if self.moves:
            return "waiting_turn", f"{self._shortage(outcome)[1]}; there was room before work ahead of it started"
        return "waiting_turn", "would fit now, but this plan starts nothing: allocate is not among its actions"

    def _no_queue(self, queue: str) -> str:
        tree = self.state.tree
        if queue in tree.children:
            return f"queue {queue} has queues below it: only leaves run workloads"
        if queue in tree.queues:
            return f"queue {queue} stands under a parent that does not exist"
        return f"there is no queue {queue}"

    def _wrong_pool(self, gang: Gang) -> str:
        pools = sorted(self.state.home_pools(gang))
        asked = " or ".join(gang.workload.pools)
        return f"it runs in pool {' and '.join(pools)} and may grow only in one pool, {asked}"

    def _never(self, outcome: Outcome, tasks: Sequence[int]) -> Reason:
        gang, pools = outcome.gang, self.state.pools_of(outcome.gang)
        demands = {gang.demands[k].index: gang.demands[k] for k in tasks}
        masks = [self.state.cluster.in_pool(pool) for pool in pools]
        for demand in demands.values():
            if not any(self.capacity.copies(demand, mask) for mask in masks):
                outcome.demand = demand
                key = demand.index, pools
                if key not in self._never_told:
                    self._never_told[key] = wording.never(demand, self.state.cluster, pools)
                return "never_fits", self._never_told[key]
        asked = " and ".join(wording.asks(demand, self.state.scale) for demand in list(demands.values())[:3])
        what = f"asks for {len(tasks)} tasks of {asked} together"
        label = _required_label(gang)
        if label is not None:
            return "never_fits", f"{what} inside one {label} and none is that large: it can never start here"
        room = min(max(self.capacity.copies(demand, mask) for mask in masks) for demand in demands.values())
        return "never_fits", f"{what} and the empty cluster holds {room}: it can never start here"

    def _gates_and_room(self, outcome: Outcome, tasks: Sequence[int]) -> None:
        gang = outcome.gang
        gates = {pool: self._gate(gang, tasks, pool) for pool in self.state.pools_of(gang)}
        outcome.pools = tuple(pool for pool, cause in gates.items() if cause is None)
        outcome.refusals = tuple(self.state.refusals.get(kind_of(gang), {}).values())
        cause = self.state.blocked.get(gang.id) or (None if outcome.pools else next(iter(gates.values())))
        if cause is not None:
            code: VerdictCode = "over_limit" if cause.rule == "limit" else "non_preemptible_over_quota"
            outcome.demand = gang.demands[tasks[0]]
            outcome.reason = self._with_refusals(outcome, (code, wording.blocked(cause)))
            return
        outcome.pool = outcome.pools[0]
        self._look(outcome, tasks)
        self._note_share(outcome, tasks)

    def _gate(self, gang: Gang, tasks: Sequence[int], pool: str) -> Blocked | None:
        least = steps_request(gang, tasks, least=True)
        books = self.state.books[pool]
        return gate(self.state, gang, pool) or books.gate(gang.queue, least, gang.preemptible)

    def _look(self, outcome: Outcome, tasks: Sequence[int]) -> None:
        """Note what fits nowhere by itself in the first pool; where a pool has nothing such, what fits together."""
        demands = [outcome.gang.demands[k] for k in tasks]
        for pool in outcome.pools:
            misfit = next((demand for demand in demands if not self.fit(demand, pool).fits), None)
            if misfit is None:
                outcome.pool, outcome.demand = pool, None
                outcome.together = self._count_together(demands, pool)
                outcome.certain = is_exact(outcome.gang) or self._surely_not(outcome, demands)
                return
            if outcome.demand is None:
                outcome.demand = misfit

    def _count_together(self, demands: list[Demand], pool: str) -> int:
        """How many of the tasks fit beside each other in the pool, topology aside."""
        key = pool, tuple(sorted(demand.index for demand in demands))
        count = self._together.get(key)
        if count is None:
            held: list[tuple[Place, Demand]] = []
            for demand in demands:
                place = self.state.placer.best(demand, [self.state.cluster.in_pool(pool)], later=False, headroom=None)
                if place is not None:
                    self.state.occupancy.hold(place, demand, BOTH)
                    held.append((place, demand))
            for place, demand in reversed(held):
                self.state.occupancy.release(place, demand, BOTH)
            count = self._together[key] = len(held)
        return count

    def _note_share(self, outcome: Outcome, tasks: Sequence[int]) -> None:
        """Note the queue's share in words, where it is used up and another queue runs work that could be taken."""
        gang, pool = outcome.gang, outcome.pool
        books, queue = self.state.books[pool], gang.queue
        wanted, held = steps_request(gang, tasks, least=False), books.allocated[queue]
        over = next((r for r in range(3) if held[r] + wanted[r] > books.fair_floor[queue][r]), None)
        if over is not None and self._others_run_preemptible(pool, queue):
            self._beyond[gang.id] = wording.beyond_share(books, queue, over, wanted[over])

    def _others_run_preemptible(self, pool: str, queue: str) -> bool:
        running = self._running_in.get(pool)
        if running is None:
            running = self._running_in[pool] = {
                gang.queue for gang in self.state.gangs if gang.preemptible and pool in self.state.home_pools(gang)
            }
        return bool(running - {queue})

    def _had_room(self, outcome: Outcome) -> bool:
        """Whether the step would have fitted before others were placed; its own placements stay."""
        gang = outcome.gang
        known = None if outcome.bound else gang.signature()
        key = (outcome.pools, known)
        if known is not None and key in self._room_at_start:
            return self._room_at_start[key]
        for own in outcome.bound:
            self.state.place(gang, own.task, own.place, later=False, pool=own.pool)
        room = any(attempt(self.state, gang, pool, later) for later in horizons(self.state) for pool in outcome.pools)
        self.state.rollback(0)
        if known is not None:
            self._room_at_start[key] = room
        return room

    def _shortage(self, outcome: Outcome) -> Reason:
        """What is missing for the step when the plan has been carried out."""
        if outcome.demand is None:
            return self._not_together(outcome)
        found = self.fit(outcome.demand, outcome.pool)
        code = shortage_code(found, outcome.demand)
        sentence = wording.no_place(outcome.demand, found, self.state.scale)
        beyond = self._beyond.get(outcome.gang.id)
        if beyond is not None and code == "no_node_fits" and found.open_nodes:
            return "over_fair_share", f"{sentence}; {beyond}"
        return code, sentence

    def _with_refusals(self, outcome: Outcome, reason: Reason) -> Reason:
        """The reason, and why nobody makes room."""
        code, sentence = reason
        if outcome.gang.id in self.state.barred or any(refusal.in_vain for refusal in outcome.refusals):
            return "waiting_turn", f"{sentence}; room that is made for it would go to work ahead of it"
        for refusal in outcome.refusals:
            if refusal.protected:
                return "victims_protected", f"{sentence}; {wording.refused(refusal)}"
            if refusal.gave_up and refusal.action != "consolidate":
                return "search_gave_up", f"{sentence}; {wording.refused(refusal)}"
        told = [words for refusal in outcome.refusals if (words := wording.refused(refusal))]
        return code, "; ".join([sentence, *told])

    def _not_together(self, outcome: Outcome) -> Reason:
        gang = outcome.gang
        tasks = gang.next_tasks()
        label = _required_label(gang)
        if label is not None:
            sentence = f"no single {label} has room now for {wording.plural(len(tasks), 'task')}"
            code: VerdictCode = "topology_does_not_fit"
        else:
            kinds = {gang.demands[k].index: gang.demands[k] for k in tasks}
            asked = " and ".join(wording.asks(demand, self.state.scale) for demand in list(kinds.values())[:3])
            sentence = f"needs {len(tasks)} tasks of {asked} to start together, and {outcome.together} of them fit now"
            code = "gang_does_not_fit"
        if outcome.certain:
            return code, sentence
        return "search_gave_up", f"{sentence} in any of the orders that were tried; others were not"

    def _surely_not(self, outcome: Outcome, demands: Sequence[Demand]) -> bool:
        """Whether arithmetic shows that the step has no room in any pool, or in any domain that it requires there."""
        cluster, label = self.state.cluster, _required_label(outcome.gang)
        if self._room is None:
            self._room = Together(self.state.placer, later=True)
        for pool in outcome.pools:
            nodes = cluster.in_pool(pool)
            scopes = [nodes] if label is None else domains(cluster, label, nodes).values()
            if not all(self._room.surely_not(demands, scope) for scope in scopes):
                return False
        return True


def _required_label(gang: Gang) -> str | None:
    topologies = [gang.workload.topology, *(group.topology for group in gang.groups.values())]
    return next((t.required for t in topologies if t is not None and t.required is not None), None)
