"""A verdict for every workload that has a pending task: what happens to it, why, and who is ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import to_builtins

from scheduler_core.model import RESOURCES, Action, Verdict, VerdictCode, VerdictState
from scheduler_core.planning import wording
from scheduler_core.planning.demand import Form, Vector
from scheduler_core.planning.gangs import Gang, steps_request
from scheduler_core.planning.making_room import kind_of
from scheduler_core.planning.reasons import Outcome, Reason, Reasons
from scheduler_core.planning.state import Placement, State

OUT_OF_LINE: frozenset[VerdictCode] = frozenset({"over_limit", "non_preemptible_over_quota", "never_fits"})
"""Work that waits for nobody: it is not counted ahead of others and has no position."""

Position: TypeAlias = tuple[int | None, int | None, tuple[str, ...]]

_NO_POSITION: Position = (None, None, ())
_NEAREST = 10


def explain(state: State, placements: Sequence[Placement], moves: bool) -> list[Verdict]:
    """The verdicts, by workload id, on a plan with these placements; `moves` says that allocate was among the actions.

    The state is taken back to the start on the way.
    """
    reasons = Reasons(state, moves)
    facts = _Facts(state, reasons)
    outcomes = _outcomes(state, placements)
    first = _first_alike(state, outcomes)
    told = {id(outcome): outcome for outcome in first}
    for outcome in told.values():
        if outcome.reason is None:
            reasons.in_the_end(outcome)
    known = {key: facts.of(outcome) for key, outcome in told.items()}
    if any(outcome.reason is None for outcome in told.values()):
        state.rollback(0)
    settled = {key: outcome.reason or reasons.at_the_start(outcome) for key, outcome in told.items()}
    positions = _positions(
        state, {outcome.gang.id: settled[id(like)][0] for outcome, like in zip(outcomes, first, strict=True)}
    )
    return [
        _verdict(outcome, settled[id(like)], known[id(like)], positions.get(outcome.gang.id, _NO_POSITION))
        for outcome, like in zip(outcomes, first, strict=True)
    ]


def _first_alike(state: State, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """For each outcome the first that the same is said of: equal work of a queue that waits as a whole."""
    known: dict[object, Outcome] = {}
    first = []
    for outcome in outcomes:
        gang = outcome.gang
        if outcome.reason is not None or gang.homes or gang.id in state.barred:
            first.append(outcome)
        else:
            first.append(known.setdefault((kind_of(gang), state.blocked.get(gang.id)), outcome))
    return first


def _outcomes(state: State, placements: Sequence[Placement]) -> list[Outcome]:
    placed: dict[str, list[Placement]] = {}
    for placement in placements:
        placed.setdefault(placement.gang.id, []).append(placement)
    evicted: dict[str, list[Action]] = {}
    for entry in state.removals():
        if entry.cause.beneficiary is not None and not state.is_back(entry.gang, entry.task):
            evicted.setdefault(entry.cause.beneficiary, []).append(entry.cause.action)
    outcomes = []
    for gang in state.waiting:
        mine = [p for p in placed.get(gang.id, ()) if gang.tasks[p.task].state == "pending"]
        bound, nominated = [p for p in mine if not p.later], [p for p in mine if p.later]
        complete = len(bound) == sum(task.state == "pending" for task in gang.tasks)
        outcome = Outcome(gang, _state_of(bound, nominated, complete), bound, nominated, state.pool_of(gang))
        outcome.reason = _reason_when_placed(state, outcome, evicted)
        outcomes.append(outcome)
    return outcomes


def _state_of(bound: list[Placement], nominated: list[Placement], complete: bool) -> VerdictState:
    if bound:
        return "placed" if complete else "partly_placed"
    return "nominated" if nominated else "pending"


def _reason_when_placed(state: State, outcome: Outcome, evicted: Mapping[str, list[Action]]) -> Reason | None:
    if outcome.nominated:
        at = wording.where(state.cluster, [p.place.node for p in outcome.nominated])
        taken = evicted.get(outcome.gang.id)
        if taken is not None:
            tasks = wording.plural(len(taken), "task")
            return "waiting_release", f"holds a place on {at} and starts when {tasks}, evicted by {taken[0]}, left"
        return "waiting_release", f"holds a place on {at} and starts when what is releasing there has gone"
    if outcome.state == "placed":
        return "placed", f"starts now on {wording.where(state.cluster, [p.place.node for p in outcome.bound])}"
    return None


def _positions(state: State, codes: dict[str, VerdictCode]) -> dict[str, Position]:
    positions: dict[str, Position] = {}
    for pool in sorted(state.taken):
        line: list[str] = []
        in_leaf: dict[str, int] = {}
        for gang in state.taken[pool]:
            if codes[gang.id] not in OUT_OF_LINE:
                queue = gang.queue
                in_leaf[queue] = in_leaf.get(queue, 0) + 1
                positions[gang.id] = len(line) + 1, in_leaf[queue], tuple(line[-_NEAREST:])
                line.append(gang.id)
    return positions


def _verdict(outcome: Outcome, reason: Reason, facts: dict[str, Any], position: Position) -> Verdict:
    return Verdict(
        workload=outcome.gang.id,
        state=outcome.state,
        code=reason[0],
        message=reason[1],
        facts=facts,
        position=position[0],
        queue_position=position[1],
        ahead=position[2],
    )


class _Facts:
    """The arithmetic behind verdicts, read from the state after the plan."""

    def __init__(self, state: State, reasons: Reasons) -> None:
        self.state = state
        self.reasons = reasons
        self._of_request: dict[tuple[str, str, Vector], dict[str, Any]] = {}
        self._of_queue: dict[tuple[str, str], dict[str, Any]] = {}

    def of(self, outcome: Outcome) -> dict[str, Any]:
        """Request, shares of the queue and, for what waits, what the pool has free and why its nodes are out."""
        gang, tasks = outcome.gang, self._asked(outcome)
        facts = self._basic(gang.queue, outcome.pool, steps_request(gang, tasks, least=False))
        waits = outcome.reason is None or outcome.demand is not None
        if not waits and not outcome.refusals:
            return facts
        facts = dict(facts)
        if outcome.refusals:
            facts["making_room"] = [to_builtins(refusal) for refusal in outcome.refusals]
        if waits:
            demand = outcome.demand or gang.demands[tasks[0]]
            found = self.reasons.fit(demand, outcome.pool)
            facts["free_whole_devices"] = found.free_whole
            if demand.form in (Form.PORTION, Form.MEMORY):
                facts["largest_free_share"] = float(self.state.scale.devices(found.best))
            facts["nodes_ruled_out"] = found.causes
        return facts

    def _asked(self, outcome: Outcome) -> Sequence[int]:
        """Tasks of the step that waits; where none does, those that were placed."""
        gang: Gang = outcome.gang
        if outcome.state == "placed" or outcome.nominated:
            return [p.task for p in (*outcome.bound, *outcome.nominated)]
        return gang.next_tasks() or gang.waiting()

    def _basic(self, queue: str, pool: str, asked: Vector) -> dict[str, Any]:
        """What is true of every workload of the queue that asks for so much."""
        key = queue, pool, asked
        found = self._of_request.get(key)
        if found is None:
            plain = self.state.books[pool].plain
            requested = {name: float(plain(r, asked[r])) for r, name in enumerate(RESOURCES)}
            found = self._of_request[key] = {"requested": requested, "pool": pool, **self._queue(queue, pool)}
        return found

    def _queue(self, queue: str, pool: str) -> dict[str, Any]:
        key = (queue, pool)
        if key not in self._of_queue:
            self._of_queue[key] = self._shares(queue, pool) if queue in self.state.tree.paths else {}
        return self._of_queue[key]

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
