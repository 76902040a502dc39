"""Looks each second at what queues deserve, get and hold, and at why work waits in them, and keeps it by minutes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from sqlite3 import Connection

from scheduler_core.accounting.amounts import HOUR_MS, MINUTE_MS
from scheduler_core.accounting.past import QueueStep, added
from scheduler_core.accounts import queue_log
from scheduler_core.accounts.kept_in import AccountStore
from scheduler_core.errors import RunaiError
from scheduler_core.model import MILLI, VerdictCode
from scheduler_core.workload import QueueStatus

_LONGEST_MS = 5000
"""What passes between two looks that are further apart was not seen."""


class QueueMeter:
    """The history of the queues in one store."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store
        self._sums: dict[tuple[int, str], QueueStep] = {}
        self._looked = time.monotonic()
        self._thinned = 0

    async def look(self, queues: Iterable[QueueStatus], waiting: Mapping[tuple[str, VerdictCode], int]) -> None:
        """Take up the queues as they are; `waiting` counts the workloads that wait by project and cause."""
        now, before = round(time.time() * 1000), self._looked
        self._looked = time.monotonic()
        elapsed_ms = round((self._looked - before) * 1000)
        minute = (now - elapsed_ms) // MINUTE_MS * MINUTE_MS
        if 0 < elapsed_ms <= _LONGEST_MS:
            waits: dict[str, dict[str, int]] = {}
            for (queue, code), workloads in waiting.items():
                waits.setdefault(queue, {})[code] = workloads * elapsed_ms
            for status in queues:
                self._add(minute, _seen(minute, status, waits.get(status.name, {}), elapsed_ms))
        await self._write_down(minute, now)

    def pending(self) -> tuple[QueueStep, ...]:
        """What is not written down yet."""
        return tuple(self._sums.values())

    def close(self) -> None:
        """Leave what is pending with the store, which writes it before it closes."""
        minutes = self.pending()
        self._store.account_later(lambda connection: queue_log.append(connection, minutes))

    def _add(self, minute: int, seen: QueueStep) -> None:
        key = (minute, seen.queue)
        known = self._sums.get(key)
        self._sums[key] = seen if known is None else added((known, seen))[0]

    async def _write_down(self, minute: int, now: int) -> None:
        """Store the minutes that are over; on a full disk they are let go."""
        over = [step for (at, _), step in self._sums.items() if at < minute]
        if not over:
            return
        self._sums = {key: step for key, step in self._sums.items() if key[0] >= minute}
        thins = now - self._thinned > HOUR_MS

        def write(connection: Connection) -> None:
            queue_log.append(connection, over)
            if thins:
                queue_log.thin(connection, now)

        try:
            await self._store.account(write)
        except RunaiError:
            return
        self._thinned = now if thins else self._thinned


def _seen(minute: int, status: QueueStatus, waits: Mapping[str, int], elapsed_ms: int) -> QueueStep:
    def over_time(devices: float | None) -> int | None:
        return None if devices is None else round(devices * MILLI) * elapsed_ms

    return QueueStep(
        at=minute / 1000,
        queue=status.name,
        parent=status.parent,
        observed=elapsed_ms,
        quota=over_time(status.quota),
        fair_share=over_time(status.fair_share),
        allocated=over_time(status.allocated) or 0,
        requested=over_time(status.requested) or 0,
        waits=waits,
    )
