"""In which order running work is taken: the reverse of the order in which work is started.

One turn takes a *batch*: one surplus task of an elastic workload, one subgroup that is not needed, or, where nothing is
surplus, all its tasks. Queues are compared with what has been taken from them subtracted.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import gcd
from typing import TypeAlias

from msgspec import Struct

from scheduler_core.planning.demand import NOTHING, Vector, add, total
from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.order import Entry, QueueKey, SiblingOrder, entry_of
from scheduler_core.planning.surplus import next_batch

Filter: TypeAlias = Callable[["Batch"], bool]


_ALONE: QueueKey = (False, False, 0, False, 0, 0, 0)
"""Where only one leaf has victims nothing is compared."""


class Batch(Struct, frozen=True):
    """Tasks of one gang that go together, with what each is charged. `surplus`: the gang keeps its minimum."""

    gang: Gang
    tasks: tuple[int, ...]
    surplus: bool
    charges: Mapping[int, Vector]

    def nodes(self) -> set[int]:
        """The nodes it would leave; only before it is evicted."""
        return {self.gang.homes[k].place.node for k in self.tasks}

    def charge(self) -> Vector:
        if len(self.tasks) == 1:
            return self.charges[self.tasks[0]]
        return total(self.charges[k] for k in self.tasks)


class Bulk(Struct, frozen=True):
    """GPU units of running work taken together: all of it, the largest part, and a step that divides every part."""

    whole: int
    largest: int
    step: int

    @classmethod
    def of(cls, parts: Sequence[int]) -> Bulk:
        """The bulk of parts that are taken one after the other."""
        return cls(sum(parts), max(parts, default=0), gcd(*parts))


class Candidates:
    """Gangs that run in one pool by leaf queue; a leaf is put in order when it is first asked for."""

    def __init__(self, gangs: Iterable[Gang]) -> None:
        self._gangs: dict[str, list[Gang]] = {}
        for gang in gangs:
            self._gangs.setdefault(gang.queue, []).append(gang)
        self.leaves = frozenset(self._gangs)
        self._entries: dict[str, list[Entry]] = {}
        self._bulks: dict[str, Bulk] = {}

    def entries(self, leaf: str) -> list[Entry]:
        """The gangs of a leaf in starting order: the last is taken first."""
        found = self._entries.get(leaf)
        if found is None:
            found = self._entries[leaf] = sorted(map(entry_of, self._gangs.get(leaf, ())))
        return found

    def lowest_priority(self, leaf: str) -> int | None:
        """The lowest priority in the leaf; None where nothing runs."""
        return min((gang.workload.priority for gang in self._gangs.get(leaf, ())), default=None)

    def bulk(self, leaves: Iterable[str]) -> Bulk:
        """The bulk of some leaves as it was when first asked for."""
        bulks = [self._bulk(leaf) for leaf in leaves]
        return Bulk(
            sum(bulk.whole for bulk in bulks),
            max((bulk.largest for bulk in bulks), default=0),
            gcd(*(bulk.step for bulk in bulks)),
        )

    def _bulk(self, leaf: str) -> Bulk:
        found = self._bulks.get(leaf)
        if found is None:
            gangs = [[home.charge[0] for home in gang.homes.values()] for gang in self._gangs[leaf]]
            sums = [sum(charges) for charges in gangs]
            step = gcd(*(charge for charges in gangs for charge in charges))
            found = self._bulks[leaf] = Bulk(sum(sums), max(sums, default=0), step)
        return found


class VictimOrder:
    """Batches of the entries of some leaves, best victim first; `allows` may leave a batch, and its gang, out.

    Queues stand to each other as their books are now, whatever is evicted while the order is read.
    """

    def __init__(self, siblings: SiblingOrder, leaves: Mapping[str, list[Entry]], allows: Filter) -> None:
        self.siblings = siblings
        self.tree = siblings.tree
        self.allows = allows
        self._held = dict(siblings.books.allocated)
        self._left = {leaf: _Leaf(entries) for leaf, entries in leaves.items()}
        self._best: dict[str, tuple[QueueKey, str]] = {}
        for leaf in self._left:
            self._refresh(leaf)

    def __iter__(self) -> Iterator[Batch]:
        while (leaf := self._pick(self.tree.children.get(None, ()))) is not None:
            batch = self._left[leaf].pop()
            self._refresh(leaf)
            if batch is not None and self.allows(batch):
                yield batch
                if self._left[leaf].push_rest(batch):
                    self._refresh(leaf)

    def _pick(self, siblings: Iterable[str]) -> str | None:
        """The leaf below these siblings that is taken from next."""
        ranked = [self._best[name] for name in siblings if name in self._best]
        return max(ranked)[1] if ranked else None

    def _refresh(self, leaf: str) -> None:
        for name in self.tree.paths[leaf]:
            if name == leaf:
                found = leaf if self._left[leaf].top() is not None else None
            else:
                found = self._pick(self.tree.children[name])
            if found is None:
                self._best.pop(name, None)
            elif len(self._left) == 1:
                self._best[name] = _ALONE, found
            else:
                key = self.siblings.key(name, self._held[name], NOTHING, less=self._left[found].lost())
                self._best[name] = key, found


class _Leaf:
    """What is left of one leaf: its sorted entries, read from the end, and the rests of elastic gangs."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self.end = len(entries)
        self.rests: list[Entry] = []
        self.popped: dict[str, set[int]] = {}
        self.taken = NOTHING

    def top(self) -> Entry | None:
        """The entry that is popped next; gangs that this plan has put there, or has taken away, are passed over."""
        while self.end and not _can_go(self.entries[self.end - 1][-1]):
            self.end -= 1
        listed = self.entries[self.end - 1] if self.end else None
        if self.rests and (listed is None or self.rests[-1] > listed):
            return self.rests[-1]
        return listed

    def pop(self) -> Batch | None:
        entry = self.top()
        if entry is None:
            return None
        if self.rests and self.rests[-1] is entry:
            self.rests.pop()
        else:
            self.end -= 1
        gang = entry[-1]
        gone = self.popped.setdefault(gang.id, set())
        tasks, surplus = next_batch(gang, gone)
        batch = Batch(gang, tuple(tasks), surplus, {k: gang.homes[k].charge for k in tasks})
        gone.update(tasks)
        self.taken = add(self.taken, batch.charge())
        return batch

    def push_rest(self, batch: Batch) -> bool:
        """Put an elastic gang back with the tasks that it still has."""
        gang = batch.gang
        gone = self.popped[gang.id]
        if gang.homes.keys() <= gone:
            return False
        insort(self.rests, entry_of(gang, gone))
        return True

    def lost(self) -> Vector:
        """What the queue loses with everything taken so far and the next gang, whole."""
        entry = self.top()
        if entry is None:
            return self.taken
        gang = entry[-1]
        gone = self.popped.get(gang.id, ())
        return add(self.taken, total(home.charge for k, home in gang.homes.items() if k not in gone))


def _can_go(gang: Gang) -> bool:
    return bool(gang.homes) and not any(home.fresh for home in gang.homes.values())
