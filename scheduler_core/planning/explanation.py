"""A verdict for every workload that has a pending task: what happens to it, why, and who is ahead."""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Struct

from scheduler_core.model import RESOURCES, Verdict, VerdictCode, VerdictState
from scheduler_core.planning import wording
from scheduler_core.planning.allocate import eligible, gate, note_turn
from scheduler_core.planning.capacity import Capacity
from scheduler_core.planning.demand import Demand, Form
from scheduler_core.planning.fit import Fit, fit, shortage_code
from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.order import PoolOrder
from scheduler_core.planning.queues import Blocked
from scheduler_core.planning.state import Placement, State, steps_request
from scheduler_core.planning.step import attempt, horizons, signature

Reason: TypeAlias = tuple[VerdictCode, str]

OUT_OF_LINE: frozenset[VerdictCode] = frozenset({"over_limit", "non_preemptible_over_quota", "never_fits"})
"""Work that waits for nobody: it is not counted ahead of others and has no position."""

_NEAREST = 10


class _Outcome(Struct):
    """What the plan does with one workload; `reason` is None until it is known why the rest waits."""

    gang: Gang
    state: VerdictState
    bound: list[Placement]
    nominated: list[Placement]
    reason: Reason | None = None
    demand: Demand | None = None


def explain(state: State, moves: bool) -> list[Verdict]:
    """The verdicts, by workload id; `moves` says that allocate was among the actions.

    The state is taken back to the start on the way.
    """
    for pool in sorted(state.books):
        if not moves:
            _line_up(state, pool)
    return _Explainer(state, moves).verdicts()


def _line_up(state: State, pool: str) -> None:
    order = PoolOrder(state.books[pool], eligible(state, pool))
    while (gang := order.pop()) is not None:
        note_turn(state, pool, gang)
        order.refresh(gang.workload.queue)


class _Explainer:
    def __init__(self, state: State, moves: bool) -> None:
        self.state = state
        self.moves = moves
        self.capacity = Capacity(state.cluster)
        self._fits: dict[tuple[int, str], Fit] = {}
        self._queue_facts: dict[tuple[str, str], dict[str, Any]] = {}
        self._room_at_start: dict[object, bool] = {}
        self._preemptible_in: dict[str, set[str]] = {}

    def verdicts(self) -> list[Verdict]:
        outcomes = self._outcomes()
        for outcome in outcomes:
            if outcome.reason is None:
                self._reason_in_the_end(outcome)
        facts = [self._facts(outcome) for outcome in outcomes]
        self._back_to_the_start()
        for outcome in outcomes:
            if outcome.reason is None:
                outcome.reason = self._reason_at_the_start(outcome)
        positions = self._positions({outcome.gang.id: outcome for outcome in outcomes})
        return [self._verdict(outcome, known, positions) for outcome, known in zip(outcomes, facts, strict=True)]

    def _outcomes(self) -> list[_Outcome]:
        placed: dict[str, list[Placement]] = {}
        for placement in self.state.placements:
            placed.setdefault(placement.gang.id, []).append(placement)
        outcomes = []
        for gang in self.state.gangs:
            if not any(task.state == "pending" for task in gang.tasks):
                continue
            mine = placed.get(gang.id, [])
            bound = [p for p in mine if not p.later]
            nominated = [p for p in mine if p.later]
            waiting = any(group.waiting for group in gang.groups.values())
            outcome = _Outcome(gang, "pending", bound, nominated)
            if bound:
                outcome.state = "partly_placed" if waiting or nominated else "placed"
            elif nominated:
                outcome.state = "nominated"
            outcome.reason = self._reason_when_placed(outcome, waiting)
            outcomes.append(outcome)
        return outcomes

    def _reason_when_placed(self, outcome: _Outcome, waiting: bool) -> Reason | None:
        cluster = self.state.cluster
        if outcome.nominated:
            at = wording.where(cluster, [p.place.node for p in outcome.nominated])
            return "waiting_release", f"holds a place on {at} and starts when what is releasing there has gone"
        if outcome.bound and not waiting:
            return "placed", f"starts now on {wording.where(cluster, [p.place.node for p in outcome.bound])}"
        return None

    def _reason_in_the_end(self, outcome: _Outcome) -> None:
        """Causes that are seen without trying: the queue, the gang, size, limits."""
        state, gang = self.state, outcome.gang
        queue = gang.workload.queue
        tasks = gang.next_tasks()
        outcome.demand = gang.demands[tasks[0]] if tasks else gang.demands[gang.waiting()[0]]
        if not state.tree.is_leaf(queue):
            outcome.reason = "queue_not_found", self._no_queue(queue)
        elif not gang.reachable() or not tasks:
            group = gang.first_unreachable()
            gated = group.reachable(with_gated=True)
            outcome.reason = "gated" if gated else "gang_incomplete", wording.incomplete(group, gated)
        elif not state.pools_of(gang):
            outcome.reason = "no_node_fits", self._wrong_pool(gang)
        elif self.capacity.never_fits(gang, state.pools_of(gang)):
            outcome.reason = self._never(outcome, tasks)
        else:
            cause = state.blocked.get(gang.id) or self._gate_of_all(gang, tasks)
            if cause is not None:
                code: VerdictCode = "over_limit" if cause.rule == "limit" else "non_preemptible_over_quota"
                outcome.reason = code, wording.blocked(cause)
            else:
                self._look(outcome, tasks)

    def _no_queue(self, queue: str) -> str:
        tree = self.state.tree
        if queue in tree.children:
            return f"queue {queue} has queues below it: only leaves run workloads"
        if queue in tree.queues:
            return f"queue {queue} stands under a parent that does not exist"
        return f"there is no queue {queue}"

    def _wrong_pool(self, gang: Gang) -> str:
        nodes = [node for _, node in self.state.homes[gang.id]]
        pools = sorted({self.state.cluster.nodes[node].pool for node in nodes})
        asked = " or ".join(gang.workload.pools)
        return f"it runs in pool {' and '.join(pools)} and may grow only in one pool, {asked}"

    def _never(self, outcome: _Outcome, tasks: list[int]) -> Reason:
        gang, pools = outcome.gang, self.state.pools_of(outcome.gang)
        demands = {gang.demands[k].index: gang.demands[k] for k in tasks or gang.waiting()}
        masks = [self.state.cluster.in_pool(pool) for pool in pools]
        for demand in demands.values():
            if not any(self.capacity.copies(demand, mask) for mask in masks):
                outcome.demand = demand
                return "never_fits", wording.never(gang, demand, self.capacity, pools)
        rooms = [max(self.capacity.copies(demand, mask) for mask in masks) for demand in demands.values()]
        asked = " and ".join(wording.asks(demand, self.state.scale) for demand in list(demands.values())[:3])
        label = self._required_label(gang)
        within = f" inside one {label}" if label else ""
        room = f"the empty cluster holds {min(rooms)}" if not label else "no empty one is that large"
        together = wording.plural(len(tasks), "task")
        return "never_fits", f"asks for {together} of {asked} together{within} and {room}: it can never start here"

    def _gate_of_all(self, gang: Gang, tasks: list[int]) -> Blocked | None:
        for pool in self.state.pools_of(gang):
            vector = steps_request(gang, tasks, least=True)
            cause = gate(self.state, gang, pool) or self.state.books[pool].gate(
                gang.workload.queue, vector, gang.preemptible
            )
            if cause is None:
                return None
        return cause

    def _look(self, outcome: _Outcome, tasks: list[int]) -> None:
        """Remember the first demand of the step that fits nowhere by itself."""
        for pool in self.state.pools_of(outcome.gang):
            for k in tasks:
                if not self._fit(outcome.gang.demands[k], pool).fits:
                    outcome.demand = outcome.gang.demands[k]
                    return

    def _reason_at_the_start(self, outcome: _Outcome) -> Reason:
        gang = outcome.gang
        if self._had_room(gang):
            if not self.moves:
                return "waiting_turn", "would fit now, but this plan starts nothing: allocate is not among its actions"
            return "waiting_turn", f"{self._shortage(outcome)[1]}; there was room before work ahead of it started"
        return self._shortage(outcome)

    def _shortage(self, outcome: _Outcome) -> Reason:
        """What is missing for the step when the plan has been carried out."""
        gang = outcome.gang
        pool = self.state.pool_of(gang)
        assert outcome.demand is not None  # noqa: S101 - set for every outcome without a reason
        found = self._fit(outcome.demand, pool)
        if found.fits:
            return self._together(gang)
        code = shortage_code(found, outcome.demand)
        sentence = wording.no_place(outcome.demand, found, self.state.scale)
        over = self._over_fair_share(gang, pool) if code == "no_node_fits" and found.open_nodes else None
        return ("over_fair_share", f"{sentence}; {over}") if over else (code, sentence)

    def _together(self, gang: Gang) -> Reason:
        tasks = gang.next_tasks()
        label = self._required_label(gang)
        if label:
            count = wording.plural(len(tasks), "task")
            return "topology_does_not_fit", f"no single {label} has room for {count} together"
        asked = wording.asks(gang.demands[tasks[0]], self.state.scale)
        return (
            "gang_does_not_fit",
            f"needs {len(tasks)} tasks to start together, the first of {asked}: not all of them fit",
        )

    def _required_label(self, gang: Gang) -> str | None:
        topologies = [gang.workload.topology, *(group.topology for group in gang.groups.values())]
        return next((t.required for t in topologies if t is not None and t.required is not None), None)

    def _over_fair_share(self, gang: Gang, pool: str) -> str | None:
        """The queue's share in words, where it is used up and another queue runs work that could be taken."""
        books, queue = self.state.books[pool], gang.workload.queue
        wanted = steps_request(gang, gang.next_tasks(), least=False)
        held, fair = self._held_in_the_end[pool, queue], books.fair_floor[queue]
        if not wanted[0] or held + wanted[0] <= fair[0] or not self._others_run_preemptible(pool, queue):
            return None
        share = wording.number(books.fair[queue][0])
        return f"queue {queue} holds {wording.number(self.state.scale.devices(held))} of its fair share of {share}"

    def _others_run_preemptible(self, pool: str, queue: str) -> bool:
        running = self._preemptible_in.get(pool)
        if running is None:
            nodes = self.state.cluster.nodes
            running = self._preemptible_in[pool] = {
                gang.workload.queue
                for gang in self.state.gangs
                if gang.preemptible and any(nodes[i].pool == pool for _, i in self.state.homes.get(gang.id, ()))
            }
        return bool(running - {queue})

    def _had_room(self, gang: Gang) -> bool:
        known = signature(gang)
        pools = self.state.pools_of(gang)
        key = (pools, known)
        if known is not None and key in self._room_at_start:
            return self._room_at_start[key]
        mark = len(self.state.placements)
        room = any(attempt(self.state, gang, pool, later) for later in horizons(self.state) for pool in pools)
        self.state.rollback(mark)
        if known is not None:
            self._room_at_start[key] = room
        return room

    def _back_to_the_start(self) -> None:
        self._held_in_the_end = {
            (pool, queue): held[0]
            for pool, books in self.state.books.items()
            for queue, held in books.allocated.items()
        }
        self.state.rollback(0)

    def _fit(self, demand: Demand, pool: str) -> Fit:
        key = (demand.index, pool)
        found = self._fits.get(key)
        if found is None:
            found = self._fits[key] = fit(self.state.placer, demand, pool)
        return found

    def _facts(self, outcome: _Outcome) -> dict[str, Any]:
        gang, state = outcome.gang, self.state
        pool = state.pool_of(gang)
        tasks = gang.next_tasks() if outcome.demand else [p.task for p in (*outcome.bound, *outcome.nominated)]
        asked = steps_request(gang, tasks or gang.waiting(), least=False)
        facts: dict[str, Any] = {
            "requested": {name: float(state.books[pool].plain(r, asked[r])) for r, name in enumerate(RESOURCES)},
            "pool": pool,
            **self._facts_of_queue(gang.workload.queue, pool),
        }
        if outcome.demand is not None:
            found = self._fit(outcome.demand, pool)
            facts["free_whole_devices"] = found.free_whole
            if outcome.demand.form in (Form.PORTION, Form.MEMORY):
                facts["largest_free_share"] = float(state.scale.devices(found.best))
            facts["nodes_ruled_out"] = found.causes
        return facts

    def _facts_of_queue(self, queue: str, pool: str) -> dict[str, Any]:
        key = (queue, pool)
        facts = self._queue_facts.get(key)
        if facts is None:
            facts = self._queue_facts[key] = {} if queue not in self.state.tree.paths else self._shares(queue, pool)
        return facts

    def _shares(self, queue: str, pool: str) -> dict[str, Any]:
        books = self.state.books[pool]
        terms = dict(zip(RESOURCES, books.terms[queue], strict=True))
        return {
            "queue": queue,
            "allocated": {n: float(books.plain(r, books.allocated[queue][r])) for r, n in enumerate(RESOURCES)},
            "quota": {name: terms[name].quota for name in RESOURCES},
            "fair_share": {name: float(books.fair[queue][r]) for r, name in enumerate(RESOURCES)},
            "limit": {name: terms[name].limit for name in RESOURCES},
        }

    def _positions(self, outcomes: dict[str, _Outcome]) -> dict[str, tuple[int, int, tuple[str, ...]]]:
        positions: dict[str, tuple[int, int, tuple[str, ...]]] = {}
        for pool in sorted(self.state.taken):
            line: list[str] = []
            in_leaf: dict[str, int] = {}
            for gang in self.state.taken[pool]:
                reason = outcomes[gang.id].reason
                if reason is None or reason[0] in OUT_OF_LINE:
                    continue
                queue = gang.workload.queue
                in_leaf[queue] = in_leaf.get(queue, 0) + 1
                positions[gang.id] = len(line) + 1, in_leaf[queue], tuple(line[-_NEAREST:])
                line.append(gang.id)
        return positions

    def _verdict(
        self, outcome: _Outcome, facts: dict[str, Any], positions: dict[str, tuple[int, int, tuple[str, ...]]]
    ) -> Verdict:
        assert outcome.reason is not None  # noqa: S101 - every outcome has one by now
        code, message = outcome.reason
        position, queue_position, ahead = positions.get(outcome.gang.id, (None, None, ()))
        return Verdict(
            workload=outcome.gang.id,
            state=outcome.state,
            code=code,
            message=message,
            facts=facts,
            position=position,
            queue_position=queue_position,
            ahead=ahead,
        )
