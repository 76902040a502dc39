"""The queue tree and its books: what each queue is owed, holds and may still take, for each pool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

from msgspec import Struct

from scheduler_core.model import RESOURCES, GpuQuota, HostQuota, PoolQuota, Queue, Resource, Usage
from scheduler_core.planning.demand import NOTHING, Scale, Vector, add
from scheduler_core.planning.shares import Claim, fair_shares

Bounds: TypeAlias = tuple[int | None, int | None, int | None]
"""Upper bounds in units, thousandths of a core and MiB, rounded down; None is unlimited."""

ZERO = Fraction(0)


_NOTHING_BESIDE: Mapping[str, Vector] = {}


class Blocked(Struct, frozen=True):
    """The gate that a request fails: which queue, which resource, and the numbers in its plain unit."""

    rule: str
    queue: str
    resource: Resource
    allocated: Fraction
    requested: Fraction
    bound: Fraction


@lru_cache(maxsize=4096)
def exact(value: float) -> Fraction:
    """A quota as it is written: 0.3 is three tenths, not the nearest double."""
    return Fraction(str(value))


class QueueTree:
    """Queues by name. A queue with a missing ancestor is an orphan: it has no path and no share."""

    def __init__(self, queues: Sequence[Queue]) -> None:
        self.queues = {queue.name: queue for queue in sorted(queues, key=lambda q: (q.created, q.name))}
        self.paths: dict[str, tuple[str, ...]] = {}
        for name in self.queues:
            self._walk(name)
        self.children: dict[str | None, list[str]] = {}
        for name in self.paths:
            self.children.setdefault(self.queues[name].parent, []).append(name)

    def is_leaf(self, name: str) -> bool:
        """Whether the queue is in the tree and has no children: only then it runs workloads."""
        return name in self.paths and name not in self.children

    def _walk(self, name: str) -> None:
        path: list[str] = []
        at: str | None = name
        while at is not None:
            queue = self.queues.get(at)
            if queue is None:
                return
            path.append(at)
            at = queue.parent
        self.paths[name] = tuple(path)


class PoolBooks:
    """The books of one pool. Fair shares are set once, after what runs and what is asked for is known."""

    def __init__(self, pool: str, tree: QueueTree, scale: Scale, totals: tuple[Fraction, Fraction, Fraction]) -> None:
        self.pool = pool
        self.tree = tree
        self.scale = scale
        self.totals = totals
        self.terms: dict[str, tuple[GpuQuota | HostQuota, ...]] = {n: _terms(q, pool) for n, q in tree.queues.items()}
        self.quota: dict[str, Bounds] = {n: self._bounds([t.quota for t in ts]) for n, ts in self.terms.items()}
        self.limit: dict[str, Bounds] = {n: self._bounds([t.limit for t in ts]) for n, ts in self.terms.items()}
        self.allocated: dict[str, Vector] = dict.fromkeys(tree.queues, NOTHING)
        self.fixed: dict[str, Vector] = dict.fromkeys(tree.queues, NOTHING)
        self.requested: dict[str, Vector] = dict.fromkeys(tree.queues, NOTHING)
        self.fair: dict[str, tuple[Fraction, ...]] = {}
        self.fair_floor: dict[str, Vector] = {}

    def request(self, queue: str, vector: Vector) -> None:
        """Count work that runs or is pending into the queue and its ancestors."""
        for name in self.path(queue):
            self.requested[name] = add(self.requested[name], vector)

    def charge(self, queue: str, vector: Vector, preemptible: bool, sign: int = 1) -> None:
        """Count placed work into the queue and its ancestors; `sign` -1 takes it off again."""
        units, cpu, memory = vector if sign > 0 else (-vector[0], -vector[1], -vector[2])
        allocated, fixed = self.allocated, self.fixed
        for name in self.path(queue):
            held = allocated[name]
            allocated[name] = held[0] + units, held[1] + cpu, held[2] + memory
            if not preemptible:
                held = fixed[name]
                fixed[name] = held[0] + units, held[1] + cpu, held[2] + memory

    def read_running(self, queue: str, vector: Vector, preemptible: bool) -> None:
        """Count work that runs in the snapshot: it is asked for and held."""
        self.request(queue, vector)
        self.charge(queue, vector, preemptible)

    def divide(self, k: Fraction) -> None:
        """Set the fair share of every queue from the requests counted so far."""
        shares = [fair_shares(self.totals[r], list(self._claims(r)), k) for r in range(3)]
        for name in self.tree.queues:
            fair = tuple(share.get(name, ZERO) for share in shares)
            self.fair[name] = fair
            self.fair_floor[name] = tuple(self._floor(r, amount) for r, amount in enumerate(fair))  # type: ignore[assignment]

    def gate(
        self, queue: str, vector: Vector, preemptible: bool, beside: Mapping[str, Vector] = _NOTHING_BESIDE
    ) -> Blocked | None:
        """The first limit, or quota for non-preemptible work, that the request would break on the way to the root.

        `beside` counts towards limits on top of what is allocated.
        """
        for name in self.path(queue):
            held = add(self.allocated[name], beside[name]) if name in beside else self.allocated[name]
            blocked = self._over("limit", name, held, vector, self.limit[name])
            if blocked is None and not preemptible:
                blocked = self._over("quota", name, self.fixed[name], vector, self.quota[name])
            if blocked is not None:
                return blocked
        return None

    def headroom(self, queue: str, preemptible: bool) -> int | None:
        """GPU units that limits, and quotas for non-preemptible work, still allow; None is unlimited."""
        rooms: list[int] = []
        for name in self.path(queue):
            limit, quota = self.limit[name][0], self.quota[name][0]
            if limit is not None:
                rooms.append(limit - self.allocated[name][0])
            if quota is not None and not preemptible:
                rooms.append(quota - self.fixed[name][0])
        return min(rooms, default=None)

    def allocatable(self, queue: str, resource: int) -> Fraction | None:
        """What the queue may use before it is over: its limit, or less where quota and fair share say so."""
        terms = self.terms[queue][resource]
        limit = None if terms.limit is None else exact(terms.limit)
        if terms.quota is None:
            return limit
        owed = max(exact(terms.quota), self.fair[queue][resource])
        return owed if limit is None else min(limit, owed)

    def allocatable_floor(self, queue: str) -> Bounds:
        """The same for each resource in whole units, rounded down."""
        bounds = (self.allocatable(queue, r) for r in range(3))
        gpu, cpu, memory = (None if b is None else self._floor(r, b) for r, b in enumerate(bounds))
        return gpu, cpu, memory

    def plain(self, resource: int, amount: int) -> Fraction:
        """Units as devices; thousandths of a core and MiB stay what they are."""
        return self.scale.devices(amount) if resource == 0 else Fraction(amount)

    def path(self, queue: str) -> tuple[str, ...]:
        """The queue and those above it; an orphan stands alone, a queue that does not exist is nothing."""
        return self.tree.paths.get(queue) or ((queue,) if queue in self.tree.queues else ())

    def _over(self, rule: str, name: str, held: Vector, more: Vector, bounds: Bounds) -> Blocked | None:
        for r in range(3):
            bound = bounds[r]
            if bound is not None and more[r] > 0 and held[r] + more[r] > bound:
                terms = self.terms[name][r]
                written = terms.limit if rule == "limit" else terms.quota
                return Blocked(
                    rule=rule,
                    queue=name,
                    resource=RESOURCES[r],
                    allocated=self.plain(r, held[r]),
                    requested=self.plain(r, more[r]),
                    bound=exact(written or 0.0),
                )
        return None

    def _claims(self, resource: int) -> Iterator[Claim]:
        for name in self.tree.paths:
            queue, terms = self.tree.queues[name], self.terms[name][resource]
            yield Claim(
                name=name,
                parent=queue.parent,
                priority=queue.priority,
                created=queue.created,
                quota=None if terms.quota is None else exact(terms.quota),
                limit=None if terms.limit is None else exact(terms.limit),
                weight=exact(terms.weight),
                requested=self.plain(resource, self.requested[name][resource]),
                usage=exact(getattr(queue.usage or _NO_USAGE, RESOURCES[resource])),
            )

    def _bounds(self, amounts: Sequence[float | None]) -> Bounds:
        gpu, cpu, memory = (None if a is None else self._floor(r, exact(a)) for r, a in enumerate(amounts))
        return gpu, cpu, memory

    def _floor(self, resource: int, amount: Fraction) -> int:
        scaled = amount * self.scale.device if resource == 0 else amount
        return scaled.numerator // scaled.denominator


_NO_USAGE = Usage()
_UNNAMED_POOL = PoolQuota()


def _terms(queue: Queue, pool: str) -> tuple[GpuQuota | HostQuota, ...]:
    if pool == "default":
        return queue.gpu, queue.cpu_milli, queue.memory_mib
    terms = queue.pools.get(pool, _UNNAMED_POOL)
    return terms.gpu, terms.cpu_milli, terms.memory_mib
