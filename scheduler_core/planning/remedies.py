"""What would let a waiting workload start: the smallest change of each kind to its request, tried on the planned state.

Each change is tried for real, as the plan would place it, and undone. Of each kind the smallest change that works is
found by halving: less of everything fits wherever more of it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from msgspec.structs import replace

from scheduler_core.model import MILLI, NON_PREEMPTIBLE_PRIORITY, Group, PlannedWorkload, Remedy, Snapshot, TaskRequest
from scheduler_core.planning import wording
from scheduler_core.planning.errors import BadSnapshot
from scheduler_core.planning.eviction import Answer
from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.plan import Decision, decide
from scheduler_core.planning.preempt import Preempt
from scheduler_core.planning.step import attempt, gate
from scheduler_core.planning.validation import validate


class Change(NamedTuple):
    """A remedy and the workload as it would be with it."""

    remedy: Remedy
    workload: PlannedWorkload


def remedies(snapshot: Snapshot, workload_id: str) -> list[Remedy]:
    """The smallest changes that would let the workload start beside everything that this plan starts.

    Empty where nothing of it waits, or where no single change helps.

    Raises:
        BadSnapshot: the snapshot contradicts itself, or has no such workload.
    """
    return [change.remedy for change in changes(snapshot, workload_id)]


def changes(snapshot: Snapshot, workload_id: str, priorities: Mapping[str, int] | None = None) -> list[Change]:
    """The same, each with what the workload would be; `priorities` are those that people give, any where null."""
    validate(snapshot)
    decision = decide(snapshot)
    state = decision.state
    gang = next((gang for gang in state.gangs if gang.id == workload_id), None)
    if gang is None:
        raise BadSnapshot(f"there is no workload {workload_id!r}", "$.workloads")
    if not gang.waiting() or not gang.next_tasks() or not state.tree.is_leaf(gang.queue):
        return []
    return list(_Trial(decision, gang, priorities or {}).changes())


class _Trial:
    """Tries changed copies of one workload."""

    def __init__(self, decision: Decision, gang: Gang, priorities: Mapping[str, int]) -> None:
        self.priorities = priorities
        self.state = decision.state
        self.running = decision.running
        self.gang = gang
        self.workload = gang.workload

    def changes(self) -> Iterator[Change]:
        """One remedy at most of each kind, the mildest kinds first."""
        request = self.workload.tasks[self.gang.next_tasks()[0]].request
        yield from self._share(request)
        yield from self._devices(request)
        for field in ("gpu_memory_mib", "cpu_milli", "memory_mib"):
            yield from self._less_of(request, field)
        yield from self._workers()
        yield from self._models(request)
        yield from self._pool()
        yield from self._priority()

    def _share(self, request: TaskRequest) -> Iterator[Change]:
        """A smaller share of a device, or a share instead of one whole device."""
        milli = request.portion_milli or (MILLI if request.whole_devices == 1 else 0)
        yield from self._most(
            milli - 1,
            lambda value: self._with_request(replace_gpu(request, value)),
            lambda value: f"gpu {_devices(milli)} to {_devices(value)}",
        )

    def _devices(self, request: TaskRequest) -> Iterator[Change]:
        field = "gpu_devices" if request.portion_milli or request.gpu_memory_mib else "gpu"
        count = request.gpu_devices if field == "gpu_devices" else request.whole_devices
        yield from self._most(
            count - 1,
            lambda value: self._with_request(replace(request, **{field: value})),
            lambda value: f"devices {count} to {value}",
        )

    def _less_of(self, request: TaskRequest, field: str) -> Iterator[Change]:
        amount: int = getattr(request, field)
        yield from self._most(
            amount - 1,
            lambda value: self._with_request(replace(request, **{field: value})),
            lambda value: f"{field} {amount} to {value}",
        )

    def _workers(self) -> Iterator[Change]:
        """Fewer tasks: of a gang without groups of its own fewer in all, else a lower minimum of its only group."""
        groups = self.workload.groups
        if (groups is not None and len(groups) > 1) or self.gang.homes:
            return
        wanted = len(self.workload.tasks) if groups is None else groups[0].min_members
        noun = "workers" if groups is None else "minimum workers"
        yield from self._most(wanted - 1, self._with_workers, lambda value: f"{noun} {wanted} to {value}")

    def _models(self, request: TaskRequest) -> Iterator[Change]:
        if request.models is not None:
            changed = self._with_request(replace(request, models=None))
            where = self._starts(changed)
            if where is not None:
                yield _change(f"models {' or '.join(request.models)} to any", where, changed)

    def _pool(self) -> Iterator[Change]:
        for pool in sorted(self.state.cluster.pool_masks.keys() - set(self.workload.pools)):
            changed = replace(self.workload, pools=(pool,))
            where = self._starts(changed)
            if where is not None:
                yield _change(f"pool {' or '.join(self.workload.pools)} to {pool}", where, changed)
                return

    def _priority(self) -> Iterator[Change]:
        """A higher priority that may preempt, or, where its quota is used up, one that is preemptible."""
        own, named = self.workload.priority, sorted(self.priorities.values())
        if not self.gang.preemptible and self.workload.preemptible is None:
            below = max((one for one in named if one < NON_PREEMPTIBLE_PRIORITY), default=NON_PREEMPTIBLE_PRIORITY - 1)
            changed = replace(self.workload, priority=below)
            where = self._starts(changed)
            if where is not None:
                yield _change(f"{self._priorities(own, below)}, which is preemptible", where, changed)
                return
        for pool in self.state.pools_of(self.gang):
            entries = self.running.candidates(pool).entries(self.gang.queue)
            enough = {-entry[0] + 1 for entry in entries if -entry[0] >= own}
            if named:
                enough = {next((one for one in named if one >= least), own) for least in enough} - {own}
            for priority in sorted(enough):
                changed = replace(self.workload, priority=priority)
                effect = self._preempts(changed, pool)
                if effect is not None:
                    yield _change(self._priorities(own, priority), effect, changed)
                    return

    def _priorities(self, before: int, after: int) -> str:
        names = {number: name for name, number in self.priorities.items()}
        return f"priority {names.get(before, before)} to {names.get(after, after)}"

    def _preempts(self, workload: PlannedWorkload, pool: str) -> str | None:
        gang, mark, waiting = self._compiled(workload), self.state.mark(), self.state.waiting
        # It stands in line for itself, or the room would seem to go to others.
        self.state.waiting = [gang if each is self.gang else each for each in waiting]
        answer = Preempt(self.state, self.running).take(gang, pool)
        self.state.waiting = waiting
        if answer is not Answer.FOUND:
            return None
        at = self._where(mark)
        gone = sum(not self.state.is_back(entry.gang, entry.task) for entry in self.state.removals(mark))
        self.state.rollback(mark)
        return f"starts on {at} when {wording.plural(gone, 'task')} of lower priority left"

    def _most(
        self, limit: int, changed: Callable[[int], PlannedWorkload], words: Callable[[int], str]
    ) -> Iterator[Change]:
        """The change to the largest value from 1 to the limit with which it starts, if any."""
        if limit < 1 or (where := self._starts(changed(1))) is None:
            return
        low, high = 1, limit + 1
        while low + 1 < high:
            middle = (low + high) // 2
            found = self._starts(changed(middle))
            low, high, where = (middle, high, found) if found is not None else (low, middle, where)
        yield _change(words(low), where, changed(low))

    def _with_request(self, request: TaskRequest) -> PlannedWorkload:
        """The workload with this request for all tasks that ask like the first that waits."""
        asked = self.workload.tasks[self.gang.next_tasks()[0]].request
        tasks = tuple(
            replace(task, request=request) if task.state == "pending" and task.request == asked else task
            for task in self.workload.tasks
        )
        return replace(self.workload, tasks=tasks)

    def _with_workers(self, count: int) -> PlannedWorkload:
        groups = self.workload.groups
        if groups is None:
            return replace(self.workload, tasks=self.workload.tasks[:count])
        lower: Group = replace(groups[0], min_members=count)
        return replace(self.workload, groups=(lower,))

    def _starts(self, workload: PlannedWorkload) -> str | None:
        """Where it starts now, as a sentence; None where it does not."""
        gang, state = self._compiled(workload), self.state
        mark = state.mark()
        for pool in state.pools_of(gang):
            if gate(state, gang, pool) is None and attempt(state, gang, pool, later=False):
                at = self._where(mark)
                state.rollback(mark)
                return f"starts now on {at}"
        return None

    def _where(self, mark: int) -> str:
        nodes = [placement.place.node for placement in self.state.placements(mark) if placement.gang.id == self.gang.id]
        return wording.where(self.state.cluster, nodes)

    def _compiled(self, workload: PlannedWorkload) -> Gang:
        gang = Gang(workload, [self.state.demands.of(task) for task in workload.tasks])
        gang.homes = dict(self.gang.homes)
        return gang


def _change(words: str, effect: str, workload: PlannedWorkload) -> Change:
    return Change(Remedy(change=words, effect=effect), workload)


def replace_gpu(request: TaskRequest, milli: int) -> TaskRequest:
    """The request for a share of so many thousandths of each device."""
    return replace(request, gpu=_devices(milli))


def _devices(milli: int) -> str:
    return wording.number(Fraction(milli, MILLI))
