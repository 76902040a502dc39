"""What stands before a workload's turn on a small snapshot: queues and their shares, nodes and what is free of them.

Written from the contract and the notes, sections 3 and 4, without any code of the planner, so as to judge it. Small
means: one pool, requests for whole devices, shares and CPU, one group for each workload, no past usage. GPU amounts are
thousandths of a device.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache, cached_property
from itertools import chain, combinations
from typing import Any, NamedTuple, TypeAlias

from scheduler_core.model import Bind, Node, PlannedWorkload, Queue, Snapshot, Task, TaskRequest

Amounts: TypeAlias = tuple[int, int, int]
"""Thousandths of a device, thousandths of a core, MiB."""

Bounds: TypeAlias = tuple[Fraction | None, ...]

NOTHING: Amounts = (0, 0, 0)


def amounts_of(request: TaskRequest) -> Amounts:
    """What a queue is charged for a request."""
    count, share = devices_of(request)
    return count * share, request.cpu_milli, request.memory_mib


def devices_of(request: TaskRequest) -> tuple[int, int]:
    """How many devices are asked for, and the thousandths of each."""
    return _devices(request.gpu, request.gpu_devices)


@cache
def _devices(gpu: int | float | str, devices: int) -> tuple[int, int]:
    share = Fraction(str(gpu)) * 1000
    return (int(share) // 1000, 1000) if share >= 1000 or not share else (devices, int(share))


def add(left: Amounts, right: Amounts, sign: int = 1) -> Amounts:
    """The sum, or the difference with `sign` -1."""
    return left[0] + sign * right[0], left[1] + sign * right[1], left[2] + sign * right[2]


def total(amounts: Iterable[Amounts]) -> Amounts:
    """The sum of all."""
    result = NOTHING
    for each in amounts:
        result = add(result, each)
    return result


def plain(amounts: Amounts) -> tuple[Fraction, Fraction, Fraction]:
    """Devices, thousandths of a core, MiB."""
    return Fraction(amounts[0], 1000), Fraction(amounts[1]), Fraction(amounts[2])


def over(amounts: Amounts, bounds: Bounds) -> bool:
    """Whether some amount is above its bound."""
    return any(b is not None and a > b for a, b in zip(plain(amounts), bounds, strict=True))


class Claim(NamedTuple):
    """What one queue has to say when its level is divided: notes, section 3."""

    name: str
    priority: int
    quota: Fraction | None
    limit: Fraction | None
    weight: Fraction
    requested: Fraction


def divided(whole: Fraction, claims: Sequence[Claim]) -> dict[str, Fraction]:
    """One resource among siblings, older first: quotas, then surplus by priority, then what was rounded off."""
    want = {c.name: c.requested if c.limit is None else min(c.limit, c.requested) for c in claims}
    share = {c.name: min(whole if c.quota is None else c.quota, want[c.name]) for c in claims}
    rest = whole - sum(share.values())
    if rest <= 0:
        return share
    cut: dict[str, Fraction] = {}
    buckets = [[c for c in claims if c.priority == p] for p in sorted({c.priority for c in claims}, reverse=True)]
    for bucket in buckets:
        met = True
        while met and rest > 0:
            rest, met = one_round(rest, bucket, want, share, cut)
    for bucket in buckets:
        for claim in sorted((c for c in bucket if c.name in cut), key=lambda c: -cut[c.name]):
            give = min(Fraction(1), rest)
            share[claim.name] += give
            rest -= give
    return share


def one_round(
    rest: Fraction,
    bucket: Sequence[Claim],
    want: Mapping[str, Fraction],
    share: dict[str, Fraction],
    cut: dict[str, Fraction],
) -> tuple[Fraction, bool]:
    """What is left after a round, and whether somebody's need was met, so that there is another one."""
    hungry = [c for c in bucket if want[c.name] > share[c.name] and c.weight]
    weights = sum(c.weight for c in hungry)
    start, met = rest, False
    for claim in hungry:
        need, offer = want[claim.name] - share[claim.name], start * claim.weight / weights
        give = need if need <= offer else Fraction(offer // 1)
        if need <= offer:
            cut.pop(claim.name, None)
        elif offer > give:
            cut[claim.name] = offer - give
        give = min(give, rest)
        share[claim.name] += give
        rest -= give
        met |= give > 0 and need < offer
    return rest, met


class Quotas:
    """The queue tree with its bounds, and the fair share of every queue."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.queues = {q.name: q for q in sorted(snapshot.queues, key=lambda q: (q.created, q.name))}
        self.quota = {name: tuple(_fraction(t.quota) for t in _terms(q)) for name, q in self.queues.items()}
        self.limit = {name: tuple(_fraction(t.limit) for t in _terms(q)) for name, q in self.queues.items()}
        self.fair: dict[str, tuple[Fraction, ...]] = {}
        requested = self._requested(snapshot)
        ready = [node for node in snapshot.nodes if node.ready]
        self._divide(
            None,
            (
                Fraction(sum(len(node.gpus) for node in ready)),
                Fraction(sum(node.cpu_milli for node in ready)),
                Fraction(sum(node.memory_mib for node in ready)),
            ),
            requested,
        )

    def path(self, name: str) -> list[str]:
        """The queue and those above it."""
        above = self.queues[name].parent
        return [name] if above is None else [name, *self.path(above)]

    def children(self, name: str | None) -> list[str]:
        return [q.name for q in self.queues.values() if q.parent == name]

    def sides(self, mine: str, theirs: str) -> tuple[str, str]:
        """The two queues just below the lowest common ancestor."""
        left, right = self.path(mine), self.path(theirs)
        return [q for q in left if q not in right][-1], [q for q in right if q not in left][-1]

    def owed(self, name: str) -> Bounds:
        """max(quota, fair share), capped by the limit."""
        return tuple(
            limit if quota is None else max(quota, fair) if limit is None else min(limit, max(quota, fair))
            for quota, fair, limit in zip(self.quota[name], self.fair[name], self.limit[name], strict=True)
        )

    def _requested(self, snapshot: Snapshot) -> dict[str, Amounts]:
        """Running and pending work, in every queue above it too."""
        requested = dict.fromkeys(self.queues, NOTHING)
        for workload in snapshot.workloads:
            asked = total(amounts_of(t.request) for t in workload.tasks if t.state in ("running", "pending"))
            for name in self.path(workload.queue):
                requested[name] = add(requested[name], asked)
        return requested

    def _divide(self, parent: str | None, whole: tuple[Fraction, ...], requested: Mapping[str, Amounts]) -> None:
        names = self.children(parent)
        shares = [divided(whole[r], [self._claim(name, r, requested[name]) for name in names]) for r in range(3)]
        for name in names:
            self.fair[name] = tuple(share[name] for share in shares)
            self._divide(name, self.fair[name], requested)

    def _claim(self, name: str, r: int, requested: Amounts) -> Claim:
        weight = Fraction(str(_terms(self.queues[name])[r].weight))
        quota, limit = self.quota[name][r], self.limit[name][r]
        return Claim(name, self.queues[name].priority, quota, limit, weight, plain(requested)[r])


def _terms(queue: Queue) -> tuple[Any, ...]:
    return queue.gpu, queue.cpu_milli, queue.memory_mib


def _fraction(amount: float | None) -> Fraction | None:
    return None if amount is None else Fraction(str(amount))


class Held(NamedTuple):
    """A task with its place."""

    workload: PlannedWorkload
    task: Task
    node: str
    gpu_ids: frozenset[str]


class Room:
    """What one node still has; `devices` maps an id to what is free of it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.amounts = [self.node.max_tasks, self.node.cpu_milli, self.node.memory_mib]
        self.devices = {gpu.id: 1000 for gpu in self.node.gpus}
        self.whole_only = {gpu.id for gpu in self.node.gpus if not gpu.shareable}

    def hold(self, task: Task, gpu_ids: Iterable[str], sign: int = 1) -> None:
        """Take what the task needs of the node and of these devices; give it back with `sign` -1."""
        needs = 1, task.request.cpu_milli, task.request.memory_mib
        self.amounts = [have - sign * need for have, need in zip(self.amounts, needs, strict=True)]
        for gpu in gpu_ids:
            self.devices[gpu] -= sign * devices_of(task.request)[1]

    def choices(self, task: Task) -> Iterator[tuple[str, ...]]:
        """Every set of devices on which the task fits here."""
        needs = 1, task.request.cpu_milli, task.request.memory_mib
        if not self.node.ready or (task.node_names is not None and self.node.name not in task.node_names):
            return
        if any(need and have < need for have, need in zip(self.amounts, needs, strict=True)):
            return
        count, share = devices_of(task.request)
        shared = share < 1000
        open_ = [d for d, free in self.devices.items() if free >= share and not (shared and d in self.whole_only)]
        yield from combinations(open_, count)

    def state(self) -> tuple[int, ...]:
        return *self.amounts, *self.devices.values()


class Wanted(NamedTuple):
    """A task that needs a place, other than the one it had (for work that moves)."""

    task: Task
    but_not: tuple[str, frozenset[str]] | None = None


def can_place(rooms: Sequence[Room], wanted: Sequence[Wanted]) -> bool:
    """Whether all of them fit beside each other: every assignment is tried."""
    ordered = sorted(wanted, key=lambda w: amounts_of(w.task.request), reverse=True)
    return _place_from(0, rooms, ordered, set())


def _place_from(k: int, rooms: Sequence[Room], wanted: Sequence[Wanted], failed: set[object]) -> bool:
    if k == len(wanted):
        return True
    state = k, *(room.state() for room in rooms)
    if state in failed:
        return False
    task, but_not = wanted[k]
    for room in rooms:
        for gpu_ids in room.choices(task):
            if (room.node.name, frozenset(gpu_ids)) == but_not:
                continue
            room.hold(task, gpu_ids)
            placed = _place_from(k + 1, rooms, wanted, failed)
            room.hold(task, gpu_ids, -1)
            if placed:
                return True
    failed.add(state)
    return False


class Ground:
    """What stands when a workload's turn comes: who is active and where, and what every queue is charged.

    `gone` are victims taken before; `placed` is what the plan has put somewhere so far.
    """

    def __init__(self, quotas: Quotas, gone: Collection[str] = (), placed: Iterable[Bind] = ()) -> None:
        self.quotas = quotas
        self.snapshot = snapshot = quotas.snapshot
        self.gone = frozenset(gone)
        self.workloads = {w.id: w for w in snapshot.workloads}
        everywhere = [(w, t) for w in snapshot.workloads for t in w.tasks]
        owners = {t.id: (w, t) for w, t in everywhere}
        self.active = {
            t.id: Held(w, t, t.node or "", frozenset(t.gpu_ids))
            for w, t in everywhere
            if t.state == "running" and t.id not in self.gone
        }
        self.active.update((b.task, Held(*owners[b.task], b.node, frozenset(b.gpu_ids))) for b in placed)
        self.fresh = {owners[b.task][0].id for b in placed}
        self.stuck = [Held(w, t, t.node or "", frozenset(t.gpu_ids)) for w, t in everywhere if t.state == "stuck"]
        self.releasing = [
            Held(w, t, t.node or "", frozenset(t.gpu_ids))
            for w, t in everywhere
            if t.state == "releasing" or t.id in self.gone
        ]

    @cached_property
    def allocated(self) -> dict[str, Amounts]:
        return self._charged(self.active.values())

    @cached_property
    def fixed(self) -> dict[str, Amounts]:
        """What non-preemptible work is charged."""
        return self._charged(held for held in self.active.values() if not held.workload.is_preemptible)

    def _charged(self, held: Iterable[Held]) -> dict[str, Amounts]:
        charged = dict.fromkeys(self.quotas.queues, NOTHING)
        for workload, task, *_ in held:
            for name in self.quotas.path(workload.queue):
                charged[name] = add(charged[name], amounts_of(task.request))
        return charged

    def rooms(self, without: Collection[str] = (), releasing: bool = False) -> list[Room]:
        """The nodes beside everything that is active or stuck, or releasing too, but for some tasks."""
        rooms = {node.name: Room(node) for node in self.snapshot.nodes}
        for held in chain(self.active.values(), self.stuck, self.releasing if releasing else ()):
            if held.task.id not in without:
                rooms[held.node].hold(held.task, held.gpu_ids)
        return list(rooms.values())

    def steps(self, workload: PlannedWorkload) -> list[tuple[Task, ...]]:
        """What it may start next: the missing minimum, first tasks first, or any one task above it."""
        missing = max(0, minimum(workload) - self.active_tasks(workload))
        waiting = sorted((t for t in workload.tasks if t.state == "pending"), key=lambda t: -t.priority)
        waiting = [t for t in waiting if t.id not in self.active]
        if missing:
            return [tuple(waiting[:missing])] if len(waiting) >= missing else []
        return [(task,) for task in waiting]

    def active_tasks(self, workload: PlannedWorkload) -> int:
        return sum(t.id in self.active for t in workload.tasks)


def minimum(workload: PlannedWorkload) -> int:
    """The least tasks with which it runs."""
    return len(workload.tasks) if workload.groups is None else workload.groups[0].min_members


def total_of(tasks: Iterable[Task]) -> Amounts:
    """What all of them ask for."""
    return total(amounts_of(task.request) for task in tasks)
