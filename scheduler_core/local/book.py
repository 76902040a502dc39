"""Every workload of the engine in memory, each change written down first and then told to everyone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeAlias

from msgspec.structs import replace

from scheduler_core.errors import EngineDefect, NotFound, RunaiError
from scheduler_core.local.feed import Feed
from scheduler_core.local.records import Record
from scheduler_core.local.store import Store
from scheduler_core.model import Verdict
from scheduler_core.workload import TRANSITIONS, Workload, WorkloadChanged, WorkloadDeleted

_log = logging.getLogger(__name__)
_STORE_RETRY_S = 2.0

Change: TypeAlias = Callable[[Record], Record]


class Book:
    """The records of one engine by id; the store holds the same, a moment earlier."""

    def __init__(self, store: Store, feed: Feed) -> None:
        self._store = store
        self._feed = feed
        self._records = {record.workload.id: record for record in store.load()}
        self._by_key = {record.spec.key: record for record in self if record.spec.key}
        self._names = Counter(record.workload.name for record in self)
        self._numbers: dict[str, int] = {}

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

    def free_name(self, hint: str) -> str:
        """The hint with a number that makes it a name nobody has."""
        number = self._numbers.get(hint, 0) + 1
        while self._names[f"{hint}-{number}"]:
            number += 1
        self._numbers[hint] = number
        return f"{hint}-{number}"

    def live(self) -> list[Record]:
        return [record for record in self if not record.workload.has_ended]

    async def add(self, record: Record) -> None:
        """A new workload; it exists from when this returns."""
        await self._store.put(record, time.time())
        self._names[record.workload.name] += 1
        if record.spec.key:
            self._by_key[record.spec.key] = record
        self._show(record)

    async def decide(self, workload_id: str, change: Change) -> Workload:
        """Change a workload by a decision of ours, which holds only if it could be written down.

        Raises:
            StorageFull: it could not; the workload is as it was.
        """
        before, record = self._replace(workload_id, change)
        try:
            await self._put(before, record)
        except RunaiError:
            if self._records.get(workload_id) is record:
                self._records[workload_id] = before
            raise
        self._show(self._records[workload_id])
        return record.workload

    async def observe(self, workload_id: str, change: Change) -> None:
        """Note a fact, such as a process that has ended: it is shown at once, and written down as soon as it can be."""
        before, record = self._replace(workload_id, change)
        self._show(record)
        while self._records.get(workload_id) is record:
            try:
                await self._put(before, record)
                return
            except RunaiError:
                _log.exception("What happened to %s cannot be written down yet", record.workload.name)
            await asyncio.sleep(_STORE_RETRY_S)

    def _replace(self, workload_id: str, change: Change) -> tuple[Record, Record]:
        """In memory first: nobody may act on the old form while the disk is busy."""
        before = self.get(workload_id)
        record = change(before)
        was, state = before.workload.state, record.workload.state
        if state != was and state not in TRANSITIONS[was]:
            raise EngineDefect(f"{before.workload.name} is {was} and cannot become {state}.")
        self._records[workload_id] = record
        return before, record

    async def _put(self, before: Record, record: Record) -> None:
        moved = record.workload.state != before.workload.state
        await self._store.put(record, time.time() if moved else None)

    def note_verdict(self, verdict: Verdict) -> None:
        """Show a new verdict of a workload that waits; verdicts are worked out anew at each start, so not stored."""
        record = self._records.get(verdict.workload)
        if record is not None and record.workload.state == "pending" and record.workload.verdict != verdict:
            record = replace(record, workload=replace(record.workload, verdict=verdict))
            self._records[verdict.workload] = record
            self._show(record)

    async def remove(self, workload_id: str, clear: Callable[[], None]) -> None:
        """Clear away what a workload has left, forget it, and tell everyone; what is cut short can be done again."""
        record = self.get(workload_id)
        await asyncio.to_thread(clear)
        await self._store.remove(workload_id)
        if self._records.pop(workload_id, None) is None:
            return
        self._names[record.workload.name] -= 1
        if record.spec.key:
            self._by_key.pop(record.spec.key, None)
        self._feed.publish(lambda epoch, seq: WorkloadDeleted(epoch=epoch, seq=seq, id=workload_id))

    def _show(self, record: Record) -> None:
        self._records[record.workload.id] = record
        workload = record.workload
        self._feed.publish(lambda epoch, seq: WorkloadChanged(epoch=epoch, seq=seq, workload=workload))
