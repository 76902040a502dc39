"""Who may take from whom: the share tests of reclaim, on exact numbers.

Source: contract rule 5 and `reclaimable.go` of KAI Scheduler. The tests look at the two queues just below the lowest
common ancestor, before each unit is taken off.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from scheduler_core.planning.demand import Vector, add
from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.queues import Bounds, PoolBooks
from scheduler_core.planning.victims import Bulk

Unit = tuple[str, Vector]
"""What one victim gives back: its leaf queue and its charge."""


def within(amounts: Vector, bounds: Bounds) -> bool:
    """Whether it is over in no resource."""
    return all(bound is None or amount <= bound for amount, bound in zip(amounts, bounds, strict=True))


def beyond(amounts: Vector, bounds: Bounds) -> bool:
    """Whether it is over in some resource."""
    return not within(amounts, bounds)


class ShareTest:
    """The books of one pool as they are when a search for one reclaimer begins."""

    def __init__(self, books: PoolBooks, gang: Gang, request: Vector) -> None:
        self.books = books
        self.path = books.tree.paths[gang.queue]
        self.request = request
        self.allocated = dict(books.allocated)
        self._shown: tuple[list[Unit], dict[str, Vector]] = ([], {})
        self._sides: dict[str, tuple[str, str]] = {}
        self._owed: dict[str, Bounds] = {}

    def may_start(self) -> bool:
        """Whether the reclaimer's own queue stays within its fair share in every resource."""
        leaf = self.path[0]
        return within(add(self.allocated[leaf], self.request), self.books.fair_floor[leaf])

    def sides(self, leaf: str) -> tuple[str, str]:
        """The queues below the lowest common ancestor: the reclaimer's and the victim's."""
        found = self._sides.get(leaf)
        if found is None:
            other = self.books.tree.paths[leaf]
            mine = [name for name in self.path if name not in other]
            theirs = [name for name in other if name not in self.path]
            found = self._sides[leaf] = mine[-1], theirs[-1]
        return found

    def may_take(self, leaf: str, remaining: Vector) -> bool:
        """Whether a unit may be taken below the victim's side, which holds `remaining`."""
        mine, theirs = self.sides(leaf)
        if beyond(remaining, self._allocatable(theirs)):
            return True
        return self._guaranteed(mine) and beyond(remaining, self.books.quota[theirs])

    def holds(self, units: Iterable[Unit]) -> bool:
        """Whether all the units may be taken, in this order, and shares keep their order afterwards."""
        listed = list(units)
        known, remaining = self._shown
        # Sets of victims grow at their end: what was shown of a shorter one need not be shown again.
        if listed[: len(known)] != known:
            known, remaining = [], {}
        remaining = dict(remaining)
        tree = self.books.tree
        for leaf, (gpu, cpu, memory) in listed[len(known) :]:
            theirs = self.sides(leaf)[1]
            if not self.may_take(leaf, remaining.get(theirs, self.allocated[theirs])):
                return False
            for name in tree.paths[leaf]:
                held = remaining.get(name, self.allocated[name])
                remaining[name] = held[0] - gpu, held[1] - cpu, held[2] - memory
        if not all(self._in_order(name, remaining) for name in self.path):
            return False
        self._shown = listed, remaining
        return True

    def most_units(self, theirs: str, leaf: str, bulk: Bulk) -> int:
        """GPU units that can be taken from the victim's side at most, of work that runs in some leaf below it.

        All but the last unit come from what is over, and the last one may be the largest.
        """
        held = self.allocated[theirs]
        lines = [self._allocatable(theirs)]
        if self._guaranteed(self.sides(leaf)[0]):
            lines.append(self.books.quota[theirs])
        if any(line[r] is not None and held[r] > (line[r] or 0) for line in lines for r in (1, 2)):
            return bulk.whole
        over = max((held[0] - line[0] for line in lines if line[0] is not None), default=0)
        if over <= 0 or not bulk.step:
            return 0
        return min(bulk.whole, (-(-over // bulk.step) - 1) * bulk.step + bulk.largest)

    def _guaranteed(self, name: str) -> bool:
        """Whether the reclaimer's side stays within its quota with the request."""
        return within(add(self.allocated[name], self.request), self.books.quota[name])

    def _allocatable(self, name: str) -> Bounds:
        found = self._owed.get(name)
        if found is None:
            found = self._owed[name] = self.books.allocatable_floor(name)
        return found

    def _in_order(self, name: str, remaining: dict[str, Vector]) -> bool:
        """The queue's ratio of allocated to fair share, where above 1, stays below that of siblings that lost."""
        mine = add(remaining.get(name, self.allocated[name]), self.request)
        parent = self.books.tree.queues[name].parent
        fair = self.books.fair
        for sibling in self.books.tree.children[parent]:
            if sibling == name or sibling not in remaining:
                continue
            lost = [before - after for before, after in zip(self.allocated[sibling], remaining[sibling], strict=True)]
            for r in range(3):
                if fair[sibling][r] > 0 and (self.request[r] or lost[r]):
                    ours = self._ratio(name, r, mine[r])
                    theirs = self._ratio(sibling, r, remaining[sibling][r])
                    if ours is None or (ours > 1 and theirs is not None and ours >= theirs):
                        return False
        return True

    def _ratio(self, name: str, r: int, amount: int) -> Fraction | None:
        """Allocated to fair share; None is infinite."""
        share, plain = self.books.fair[name][r], self.books.plain(r, amount)
        if share > 0:
            return plain / share
        return None if plain > 0 else Fraction(0)
