"""What an action leaves alone: protected gangs, and what is left of gangs that have lost their surplus."""

from __future__ import annotations

from collections.abc import Callable

from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.state import State
from scheduler_core.planning.victims import Batch


class Sparing:
    """Says which batches one search may take, and what stood in its way."""

    def __init__(self, state: State, protects: Callable[[Gang], bool]) -> None:
        self._protects = protects
        # Of a gang that has lost its surplus in this plan the rest stays: another action may have had to spare it.
        self._taken_before = frozenset(state.evicted)
        self._protected = 0
        self._open = 0
        self.left_alone = False
        """Whether it passed over a batch that a later plan may take."""

    @property
    def all_protected(self) -> bool:
        return self._protected > 0 and self._open == 0

    def allows(self, batch: Batch) -> bool:
        if not batch.surplus:
            if self._protects(batch.gang):
                self._protected += 1
                return False
            if batch.gang.id in self._taken_before:
                self.left_alone = True
                return False
        self._open += 1
        return True
