"""Every workload of the engine in memory, each change written down first and then told to everyone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

from msgspec.structs import replace

from scheduler_core.errors import NotFound
from scheduler_core.local.feed import Feed
from scheduler_core.local.store import Record, Store
from scheduler_core.model import Verdict
from scheduler_core.workload import Workload, WorkloadChanged, WorkloadDeleted

Change: TypeAlias = Callable[[Record], Record]


class Book:
    """The records of one engine by id; the store holds the same, a moment earlier."""

    def __init__(self, store: Store, feed: Feed) -> None:
        self._store = store
        self._feed = feed
        self._records = {record.workload.id: record for record in store.load()}
        self._by_key = {record.spec.key: record for record in self if record.spec.key}

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records.values()))

    def __contains__(self, workload_id: str) -> bool:
        return workload_id in self._records

    def get(self, workload_id: str) -> Record:
        """The record of this id.

        Raises:
            NotFound: there is none, or not any more.
        """
        try:
            return self._records[workload_id]
        except KeyError:
            raise NotFound(f"There is no workload {workload_id!r}.", "See %runai list.") from None

    def by_key(self, key: str | None) -> Record | None:
        return None if key is None else self._by_key.get(key)

    def live(self) -> list[Record]:
        return [record for record in self if not record.workload.has_ended]

    async def add(self, record: Record) -> None:
        """A new workload; it exists from when this returns."""
        await self._store.put(record, time.time())
        if record.spec.key:
            self._by_key[record.spec.key] = record
        self._show(record)

    async def update(self, workload_id: str, **changes: object) -> Workload:
        """Change fields of a workload; a change of state is written down as a transition."""
        return await self.rewrite(workload_id, lambda record: replace_workload(record, **changes))

    async def rewrite(self, workload_id: str, change: Change) -> Workload:
        """Change a record by a function of its present form."""
        before = self.get(workload_id)
        record = change(before)
        # In memory first: what follows in this task or another must not act on the old form while the disk is busy.
        self._records[workload_id] = record
        moved = record.workload.state != before.workload.state
        await self._store.put(record, time.time() if moved else None)
        self._show(self._records[workload_id])
        return record.workload

    def note_verdict(self, verdict: Verdict) -> None:
        """Show a new verdict of a workload that waits; verdicts are worked out anew at each start, so not stored."""
        record = self._records.get(verdict.workload)
        if record is not None and record.workload.state == "pending" and record.workload.verdict != verdict:
            self._records[verdict.workload] = record = replace_workload(record, verdict=verdict)
            self._show(record)

    async def remove(self, workload_id: str) -> None:
        record = self.get(workload_id)
        await self._store.remove(workload_id)
        self._records.pop(workload_id, None)
        if record.spec.key:
            self._by_key.pop(record.spec.key, None)
        self._feed.publish(lambda epoch, seq: WorkloadDeleted(epoch=epoch, seq=seq, id=workload_id))

    def _show(self, record: Record) -> None:
        self._records[record.workload.id] = record
        workload = record.workload
        self._feed.publish(lambda epoch, seq: WorkloadChanged(epoch=epoch, seq=seq, workload=workload))


def replace_workload(record: Record, **changes: object) -> Record:
    """A record whose workload has these fields."""
    return replace(record, workload=replace(record.workload, **changes))
