"""The history of an engine's queues in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import pairwise

from scheduler_core.accounting.amounts import MINUTE_MS
from scheduler_core.accounting.past import QueueStep
from scheduler_core.model import MILLI
from scheduler_core.workload import QueueStatus

_Seen = tuple[int, tuple[QueueStatus, ...], Mapping[str, int]]


class QueueLog:
    """How the queues were, and how many workloads waited for which cause, from when on."""

    def __init__(self) -> None:
        self._seen: list[_Seen] = []

    def note(self, queues: tuple[QueueStatus, ...], waiting: Mapping[str, int]) -> None:
        """They are so from now on."""
        self._seen.append((round(time.time() * 1000), queues, waiting))

    def steps(self, since: int, until: int, step: int | None) -> Iterator[QueueStep]:
        """What was between these times (ms), by minutes that begin there, each shown at the step that it is of."""
        now: _Seen = (round(time.time() * 1000), (), {})
        for (begin, queues, waiting), (end, _, _) in pairwise([*self._seen, now]):
            for minute in range(begin // MINUTE_MS * MINUTE_MS, end, MINUTE_MS):
                elapsed = min(end, minute + MINUTE_MS) - max(begin, minute)
                if elapsed and since <= minute < until:
                    at = since if step is None else minute - minute % step
                    yield from (_step(at, status, waiting, elapsed) for status in queues)


def _step(at: int, status: QueueStatus, waiting: Mapping[str, int], elapsed_ms: int) -> QueueStep:
    def over_time(devices: float | None) -> int | None:
        return None if devices is None else round(devices * MILLI) * elapsed_ms

    return QueueStep(
        at=at / 1000,
        queue=status.name,
        parent=status.parent,
        observed=elapsed_ms,
        quota=over_time(status.quota),
        fair_share=over_time(status.fair_share),
        allocated=over_time(status.allocated) or 0,
        requested=over_time(status.requested) or 0,
        waits={cause: count * elapsed_ms for cause, count in waiting.items()},
    )
