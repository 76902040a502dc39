"""An exhaustive judge of evictions on small snapshots, written from the contract's text and nothing else.

It shares no code with the planner: shares, placement, victims and the rules of each action are worked out anew, by
trying everything. Only for rule 6 it asks the planner what allocate alone would do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Literal, NamedTuple, TypeAlias

from msgspec.structs import replace

from scheduler_core import plan
from scheduler_core.model import Plan, PlannedWorkload, Snapshot, Task
from tests.planning.ground import (
    NOTHING,
    Amounts,
    Bounds,
    Ground,
    Quotas,
    Wanted,
    add,
    amounts_of,
    can_place,
    minimum,
    over,
    plain,
    total,
    total_of,
)

Moving: TypeAlias = Literal["consolidate", "reclaim", "preempt"]
Losses: TypeAlias = Mapping[str, Sequence[Task]]
"""The tasks that each workload loses, the first to go first."""

MOST_SETS = 4000
"""Sets of victims that are looked at for one question before the judge abstains."""


class Abstained(Exception):
    """The question has more answers than the judge cares to try."""


class Victim(NamedTuple):
    """A workload that may lose tasks: those that run, in the order in which they go."""

    workload: PlannedWorkload
    running: tuple[Task, ...]
    protected: bool

    @property
    def surplus(self) -> int:
        """How many tasks it could do without."""
        return max(0, len(self.running) - minimum(self.workload))

    @property
    def losses(self) -> list[int]:
        """How many tasks it may lose: surplus, one after the other, or all."""
        everything = len(self.running)
        whole = [everything] if everything > self.surplus and not self.protected else []
        return [*range(self.surplus + 1), *whole]

    @property
    def removable(self) -> tuple[Task, ...]:
        """Tasks that may be taken from their place."""
        return self.running[: self.surplus] if self.protected else self.running

    @property
    def movable(self) -> tuple[Task, ...]:
        """Tasks that may be placed elsewhere: not those of a gang that would still be below its minimum."""
        return self.removable if len(self.running) >= minimum(self.workload) else ()

    def units(self, gone: Sequence[Task]) -> list[Amounts]:
        """What goes at a time when it loses these: surplus tasks by themselves, the minimum together."""
        charges = [amounts_of(task.request) for task in gone]
        if len(gone) <= self.surplus:
            return charges
        return [*charges[: self.surplus], total(charges[self.surplus :])]


class Found(NamedTuple):
    """Victims that the contract allows: all that go from their place, and those of them that get no other."""

    step: tuple[Task, ...]
    taken: frozenset[str]
    lost: frozenset[str]


class Judge:
    """One workload and one action on one ground: which victims may be taken for it."""

    def __init__(self, ground: Ground, workload: str, action: Moving) -> None:
        self.ground = ground
        self.quotas = ground.quotas
        self.workload = ground.workloads[workload]
        self.action = action
        self.path = self.quotas.path(self.workload.queue)
        self.config = ground.snapshot.config
        self.victims = {v.workload.id: v for v in self._victims()}
        self._promises: dict[frozenset[str], bool] = {}

    def find(self) -> Found | None:
        """Some set of victims that is allowed.

        Raises:
            Abstained: too many sets to look at.
        """
        looked = 0
        for step in self.ground.steps(self.workload)[:1]:
            for taken, lost in self._sets(step):
                looked += 1
                if looked > MOST_SETS:
                    raise Abstained
                if taken and self._has_room(step, taken, lost) and self.keeps_promise(taken):
                    return Found(step, taken, lost)
        return None

    def needs_nobody(self) -> bool:
        """Whether it could start without victims: then it is for allocate, in the next plan if not in this one."""
        steps = self.ground.steps(self.workload)
        return any(self._is_within_bounds(s, {}) and self._has_room(s, frozenset(), frozenset()) for s in steps)

    def objections(self, step: Sequence[Task], taken: Collection[str], lost: Collection[str]) -> Iterator[str]:
        """What speaks against these victims, of which only `lost` get no other place; rule 6 aside."""
        moved = set(taken) - set(lost)
        losses = self._losses(lost)
        if {t.id for t in step} not in [{t.id for t in each} for each in self.ground.steps(self.workload)]:
            yield "starts something else than the next step"
        if not set(taken) <= {t.id for v in self.victims.values() for t in v.running}:
            yield "takes what may not be taken"
        if not moved <= {t.id for v in self.victims.values() for t in v.movable}:
            yield "moves what is protected, or below its minimum"
        if losses is None:
            yield "takes from the middle of a workload, or what is protected, or leaves it below its minimum"
            return
        if not self._may_start(step):
            yield "may not start this action"
        if not self._is_within_bounds(step, losses):
            yield "goes over a limit or quota"
        if not self._may_lose(step, losses):
            yield "the share tests do not hold"
        if not self._may_move(taken, moved):
            yield "moves too many, or does not move all"
        if not self._has_room(step, frozenset(taken), frozenset(lost)):
            yield "there is no room"

    def keeps_promise(self, taken: frozenset[str]) -> bool:
        """Rule 6: allocate alone, with the victims pending and off their devices, places the beneficiary."""
        if taken not in self._promises:
            self._promises[taken] = self.workload.id in placed_by_allocate(
                self.ground.snapshot, self.ground.gone | taken
            )
        return self._promises[taken]

    def _sets(self, step: Sequence[Task]) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
        """All that may be taken, with what of it is lost, as far as room and promise allow."""
        if not self._may_start(step):
            return
        for losses in self._all_losses():
            if not (self._is_within_bounds(step, losses) and self._may_lose(step, losses)):
                continue
            lost = frozenset(t.id for gone in losses.values() for t in gone)
            for moved in self._all_moves(step, lost):
                if self._may_move(lost | moved, moved):
                    yield lost | moved, lost

    def _all_losses(self) -> Iterator[Losses]:
        if self.action == "consolidate":
            yield {}
            return
        for counts in product(*(victim.losses for victim in self.victims.values())):
            yield {v.workload.id: v.running[:n] for v, n in zip(self.victims.values(), counts, strict=True) if n}

    def _all_moves(self, step: Sequence[Task], lost: frozenset[str]) -> Iterator[frozenset[str]]:
        """What may move beside what is lost, fewest first; none where not even free choice for all of it would do."""
        yield frozenset()
        if self.action == "preempt":
            return
        if self.action == "reclaim" and not self.config.allow_consolidating_reclaim:
            return
        movable = [t for v in self.victims.values() for t in v.movable if t.id not in lost]
        rooms = self.ground.rooms(without=[*lost, *(t.id for t in movable)])
        if can_place(rooms, [Wanted(t) for t in [*step, *movable]]):
            for size in range(1, len(movable) + 1):
                yield from (frozenset(t.id for t in moved) for moved in combinations(movable, size))

    def _losses(self, lost: Collection[str]) -> Losses | None:
        """How many each workload loses; None where it would be too many, or what is protected.

        Usually its last tasks go. Where a task before them finds no other place and they do, it goes and they stay.
        """
        losses = {}
        for name, victim in self.victims.items():
            gone = [t for t in victim.running if t.id in lost]
            if len(gone) not in victim.losses or not all(t in victim.removable for t in gone):
                return None
            if gone:
                losses[name] = gone
        return losses

    def _may_start(self, step: Sequence[Task]) -> bool:
        if self.action == "consolidate":
            return self.workload.is_preemptible and self.config.max_consolidation_victims != 0
        if self.action == "preempt":
            return True
        leaf = self.workload.queue
        return not over(add(self.ground.allocated[leaf], total_of(step)), self.quotas.fair[leaf])

    def _may_move(self, taken: Collection[str], moved: Collection[str]) -> bool:
        if self.action == "consolidate":
            cap = self.config.max_consolidation_victims
            owners = {v.workload.id for v in self.victims.values() if any(t.id in taken for t in v.running)}
            return set(taken) == set(moved) and (cap < 0 or len(owners) <= cap)
        return self.action == "preempt" or self.config.allow_consolidating_reclaim or not moved

    def _lost_by_queue(self, losses: Losses) -> dict[str, Amounts]:
        lost = dict.fromkeys(self.quotas.queues, NOTHING)
        for name, gone in losses.items():
            for queue in self.quotas.path(self.victims[name].workload.queue):
                lost[queue] = add(lost[queue], total_of(gone))
        return lost

    def _is_within_bounds(self, step: Sequence[Task], losses: Losses) -> bool:
        """Limits with the victims off, and quotas for non-preemptible work, at every level, in what is asked for."""
        asked, lost = total_of(step), self._lost_by_queue(losses)
        for name in self.path:
            held = add(self.ground.allocated[name], lost[name], -1)
            if _goes_over(held, asked, self.quotas.limit[name]):
                return False
            if not self.workload.is_preemptible and _goes_over(self.ground.fixed[name], asked, self.quotas.quota[name]):
                return False
        return True

    def _may_lose(self, step: Sequence[Task], losses: Losses) -> bool:
        """The share tests of reclaim: for each victim, and then for the order of shares."""
        if self.action != "reclaim":
            return True
        by_side: dict[tuple[str, str], dict[str, dict[str, Sequence[Task]]]] = {}
        for name, gone in losses.items():
            leaf = self.victims[name].workload.queue
            sides = self.quotas.sides(self.workload.queue, leaf)
            by_side.setdefault(sides, {}).setdefault(leaf, {})[name] = gone
        asked = total_of(step)
        if not all(self._side_may_lose(asked, *sides, leaves) for sides, leaves in by_side.items()):
            return False
        return all(self._keeps_order(name, asked, self._lost_by_queue(losses)) for name in self.path)

    def _side_may_lose(self, asked: Amounts, mine: str, theirs: str, leaves: Mapping[str, Losses]) -> bool:
        """Whether each unit may go, in some order of the leaves; only what is there before the last unit counts.

        What a side holds becomes less with each unit, so if the last one may go, all before it may.
        """
        in_order = [self.in_order(losses) for losses in leaves.values()]
        everything = total(unit for units in in_order for unit in units)
        guaranteed = not over(add(self.ground.allocated[mine], asked), self.quotas.quota[mine])
        for units in in_order:
            before_last = add(add(self.ground.allocated[theirs], everything, -1), units[-1])
            if over(before_last, self.quotas.owed(theirs)):
                return True
            if guaranteed and over(before_last, self.quotas.quota[theirs]):
                return True
        return False

    def in_order(self, losses: Losses) -> list[Amounts]:
        """Units of one leaf as they are taken: lowest priority, most above the minimum, youngest, last by id."""
        left = {name: self.victims[name].units(tasks) for name, tasks in losses.items()}
        gone = dict.fromkeys(losses, 0)
        taken = []

        def rank(name: str) -> tuple[int, int, float, str]:
            workload = self.victims[name].workload
            above = len(self.victims[name].running) - gone[name] - minimum(workload)
            return -workload.priority, (above > 0) - (above < 0), workload.created, name

        while any(left.values()):
            name = max((name for name, units in left.items() if units), key=rank)
            taken.append(left[name].pop(0))
            gone[name] += 1
        return taken

    def _keeps_order(self, name: str, asked: Amounts, lost: Mapping[str, Amounts]) -> bool:
        """The ratio of allocated to fair share, where above 1, stays below that of siblings that lost something."""
        after = plain(add(add(self.ground.allocated[name], lost[name], -1), asked))
        for sibling in self.quotas.children(self.quotas.queues[name].parent):
            if sibling == name or lost[sibling] == NOTHING:
                continue
            theirs = plain(add(self.ground.allocated[sibling], lost[sibling], -1))
            for r in range(3):
                fair, their_fair = self.quotas.fair[name][r], self.quotas.fair[sibling][r]
                if not their_fair or not (asked[r] or lost[sibling][r]) or after[r] <= fair:
                    continue
                if not fair or after[r] / fair >= theirs[r] / their_fair:
                    return False
        return True

    def _has_room(self, step: Sequence[Task], taken: frozenset[str], lost: frozenset[str]) -> bool:
        moved = [self.ground.active[name] for name in sorted(taken - lost)]
        wanted = [*map(Wanted, step), *(Wanted(held.task, (held.node, held.gpu_ids)) for held in moved)]
        return can_place(self.ground.rooms(without=taken), wanted)

    def _victims(self) -> Iterator[Victim]:
        for workload in self.ground.workloads.values():
            running = [t for t in workload.tasks if t.id in self.ground.active]
            if running and workload.id not in self.ground.fresh and self._in_scope(workload):
                # The last started goes first; what is listed first started first.
                running.reverse()
                running.sort(key=lambda t: t.priority)
                yield Victim(workload, tuple(running), self._is_protected(workload))

    def _in_scope(self, victim: PlannedWorkload) -> bool:
        if not victim.is_preemptible or victim.id == self.workload.id:
            return False
        if self.action == "preempt":
            return victim.queue == self.workload.queue and victim.priority < self.workload.priority
        return self.action == "consolidate" or victim.queue != self.workload.queue

    def _is_protected(self, victim: PlannedWorkload) -> bool:
        """Within the minimum runtime: of its queue for preempt, else from just below the common ancestor upwards."""
        queues = [self.quotas.queues[name] for name in self.quotas.path(victim.queue)]
        if self.action == "preempt":
            values = [q.preempt_min_runtime_s for q in queues]
        else:
            own = [q for q in queues if q.name not in self.path]
            values = [q.reclaim_min_runtime_s for q in queues[max(0, len(own) - 1) :]]
        runtime = next((value for value in values if value is not None), 0.0)
        return victim.started is not None and self.ground.snapshot.time < victim.started + runtime


def _goes_over(held: Amounts, asked: Amounts, bounds: Bounds) -> bool:
    """Whether something that is asked for comes to more than its bound; excess of other kinds may stay."""
    after = plain(add(held, asked))
    return any(
        bound is not None and ask and have > bound for have, ask, bound in zip(after, asked, bounds, strict=True)
    )


def placed_by_allocate(snapshot: Snapshot, victims: Collection[str]) -> set[str]:
    """Workloads of which allocate alone places a task, when the victims are pending and off their devices."""

    def after(task: Task) -> Task:
        return replace(task, state="pending", node=None, gpu_ids=()) if task.id in victims else task

    workloads = tuple(replace(w, tasks=tuple(map(after, w.tasks))) for w in snapshot.workloads)
    made = plan(replace(snapshot, workloads=workloads, config=replace(snapshot.config, actions=("allocate",))))
    placed = {spot.task for spot in (*made.binds, *made.nominations)}
    return {w.id for w in workloads if any(t.id in placed for t in w.tasks)}


def grounds(quotas: Quotas, made: Plan, workload: str) -> list[Ground]:
    """The grounds on which a plan may have judged a workload: some others have had their turn before, or not yet.

    What is bound is there in all of them; a nomination comes with the evictions that it is for, if there are any.
    """
    owners = {t.id: w.id for w in quotas.snapshot.workloads for t in w.tasks}
    causes = {e.task: e.beneficiary or "" for e in made.evictions}
    nominated = [(spot, causes.get(spot.task, owners[spot.task])) for spot in made.nominations]
    others = {*causes.values(), *(cause for _, cause in nominated)} - {workload}

    def on(earlier: Collection[str]) -> Ground:
        gone = [task for task, cause in causes.items() if cause in earlier]
        return Ground(quotas, gone, [*made.binds, *(spot for spot, cause in nominated if cause in earlier)])

    return [on(earlier) for size in range(len(others) + 1) for earlier in combinations(sorted(others), size)]
