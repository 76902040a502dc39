"""Minimum runtime: how long work is protected after its start. It protects a gang's minimum, never its surplus."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.queues import QueueTree


class Protection:
    """Who is protected at the snapshot's time: from preempt by its own queue, from reclaim by the side it is on."""

    def __init__(self, tree: QueueTree, time: float) -> None:
        self.tree = tree
        self.time = time

    def from_preempt(self, victim: Gang) -> bool:
        """Whether the victim is protected inside its queue: the first value set on the way up decides."""
        queues = self.tree.queues
        values = (queues[name].preempt_min_runtime_s for name in self.tree.paths[victim.queue])
        return self._within(victim, values)

    def from_reclaim(self, victim: Gang, taker: Gang) -> bool:
        """The same for work of another queue: only values from just below the lowest common ancestor upwards count."""
        queues = self.tree.queues
        path, other = self.tree.paths[victim.queue], self.tree.paths[taker.queue]
        apart = sum(name not in other for name in path)
        values = (queues[name].reclaim_min_runtime_s for name in path[max(0, apart - 1) :])
        return self._within(victim, values)

    def _within(self, victim: Gang, values: Iterable[float | None]) -> bool:
        started = victim.workload.started
        runtime = next((value for value in values if value is not None), None)
        return started is not None and runtime is not None and self.time < started + runtime
