"""Whose turn it is: sibling queues by what they are owed and hold, workloads by priority and age.

The best workload of every subtree is kept at its queue; after each pop only the path to the root is worked out again.
Source: contract rule 7 and section 4 of KAI's orders; ties end with the older queue, then the name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fractions import Fraction
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from scheduler_core.planning.demand import NOTHING, Vector
from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.queues import PoolBooks
from scheduler_core.planning.surplus import elastic_state

Divisor: TypeAlias = tuple[int, int, bool]
"""A resource's share is amount * first / second; the last says that nothing of it may be used."""

QueueKey: TypeAlias = tuple[bool, bool, int, bool, int, int, int]
Best: TypeAlias = tuple[QueueKey, str, Vector, Vector]
"""The rank of a queue with the request of the best workload below it, that workload's leaf, and what was held then."""

Entry: TypeAlias = tuple[int, int, float, str, Gang]


class SiblingOrder:
    """How queues of one pool stand to their siblings; what does not change during a plan is worked out once."""

    def __init__(self, books: PoolBooks) -> None:
        self.books = books
        self.tree = books.tree
        self._divisors = {name: _divisors(books, name) for name in self.tree.paths}
        # Different shares differ by at least 1 / by^2, so that many bits order them as the exact fractions would.
        self._bits = 2 * max((by.bit_length() for ds in self._divisors.values() for _, by, _ in ds), default=0)
        self._rank: dict[str, int] = {}
        for siblings in self.tree.children.values():
            self._rank.update(_rank_by_allocatable(books, siblings))

    def key(self, name: str, held: Vector, request: Vector, less: Vector = NOTHING) -> QueueKey:
        """Smaller is taken first: a queue that holds so much, with `request` more, its share with `less` off."""
        fair, quota = self.books.fair_floor[name], self.books.quota[name]
        with_it = held[0] + request[0], held[1] + request[1], held[2] + request[2]
        over = held[0] > fair[0] and held[1] > fair[1] and held[2] > fair[2]
        beyond = any(q is not None and w > q for w, q in zip(with_it, quota, strict=True))
        divisors = self._divisors[name]
        forbidden = any(zero and w > 0 for w, (_, _, zero) in zip(with_it, divisors, strict=True))
        share = max(0, with_it[0] - less[0]), max(0, with_it[1] - less[1]), max(0, with_it[2] - less[2])
        return (
            over,
            beyond,
            -self.tree.queues[name].priority,
            forbidden,
            self._dominant(share, divisors),
            self._dominant(held, divisors),
            self._rank[name],
        )

    def _dominant(self, amounts: Vector, divisors: Sequence[Divisor]) -> int:
        """The largest share of any resource, as a whole number that orders exactly."""
        return max([(a * times << self._bits) // by for a, (times, by, _) in zip(amounts, divisors, strict=True)])


class PoolOrder:
    """The workloads that wait in one pool, popped one at a time, best first."""

    def __init__(self, siblings: SiblingOrder, gangs: Iterable[Gang]) -> None:
        self.siblings = siblings
        self.tree = siblings.tree
        self._leaves: dict[str, list[Entry]] = {}
        for gang in gangs:
            self._leaves.setdefault(gang.queue, []).append(entry_of(gang))
        for heap in self._leaves.values():
            heapify(heap)
        self._best: dict[str, Best] = {}
        for leaf in self._leaves:
            self.refresh(leaf)

    def pop(self) -> Gang | None:
        """Take the best workload out; call `refresh` on its queue when its books have changed."""
        roots = [self._best[name] for name in self.tree.children.get(None, ()) if name in self._best]
        if not roots:
            return None
        leaf = min(roots, key=_by_key)[1]
        return heappop(self._leaves[leaf])[-1]

    def push(self, gang: Gang) -> None:
        """Put a workload back that has more to start."""
        heappush(self._leaves[gang.queue], entry_of(gang))

    def refresh(self, leaf: str) -> None:
        """Work out again the best workload of a leaf and of every queue above it."""
        for name in self.tree.paths[leaf]:
            if name == leaf:
                heap = self._leaves[leaf]
                found = (leaf, _request(heap[0][-1])) if heap else None
            else:
                children = [self._best[child] for child in self.tree.children[name] if child in self._best]
                found = min(children, key=_by_key)[1:3] if children else None
            if found is None:
                self._best.pop(name, None)
            else:
                self._best[name] = self._ranked(name, *found)

    def _ranked(self, name: str, leaf: str, request: Vector) -> Best:
        held = self.siblings.books.allocated[name]
        known = self._best.get(name)
        if known is not None and known[2] == request and known[3] is held:
            return known[0], leaf, request, held
        return self.siblings.key(name, held, request), leaf, request, held


def _by_key(best: Best) -> QueueKey:
    return best[0]


def _divisors(books: PoolBooks, name: str) -> list[Divisor]:
    divisors: list[Divisor] = []
    for r in range(3):
        scale = books.scale.device if r == 0 else 1
        allocatable = books.allocatable(name, r)
        by = books.totals[r] if allocatable is None else allocatable
        if by == 0:
            divisors.append((1000, scale, allocatable is not None))
        else:
            divisors.append((by.denominator, by.numerator * scale, False))
    return divisors


def _rank_by_allocatable(books: PoolBooks, siblings: Sequence[str]) -> dict[str, int]:
    """Smaller in all resources first, then older, then name; siblings come by age and name."""
    unlimited = Fraction(1 << 200)
    amounts = {}
    for name in siblings:
        bounds = (books.allocatable(name, r) for r in range(3))
        amounts[name] = tuple(unlimited if bound is None else bound for bound in bounds)
    left = list(siblings)
    rank: dict[str, int] = {}
    while left:
        kinds = {amounts[name] for name in left}
        first = next(name for name in left if not any(_smaller(kind, amounts[name]) for kind in kinds))
        rank[first] = len(rank)
        left.remove(first)
    return rank


def _smaller(left: tuple[Fraction, ...], right: tuple[Fraction, ...]) -> bool:
    return left != right and all(a <= b for a, b in zip(left, right, strict=True))


def _request(gang: Gang) -> Vector:
    return gang.step_request(least=False)


def entry_of(gang: Gang, gone: Collection[int] = ()) -> Entry:
    """How gangs of one queue stand to each other, smaller first; `gone` are tasks that count as evicted.

    Ids are unique, so the gang itself is never compared.
    """
    workload = gang.workload
    return -workload.priority, elastic_state(gang, gone), workload.created, workload.id, gang
