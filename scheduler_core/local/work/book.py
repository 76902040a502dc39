"""Every workload of the engine in memory, each change written down first and then told to everyone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias
from weakref import WeakValueDictionary

from msgspec.structs import replace

from scheduler_core.accounting.holding import Entry
from scheduler_core.audit import AuditEntry
from scheduler_core.errors import EngineDefect, NotFound, RunaiError
from scheduler_core.feed import Feed
from scheduler_core.local.access.acts import Act, acted
from scheduler_core.local.durable.store import Store
from scheduler_core.local.record.holding import entries_of
from scheduler_core.local.record.interning import Interner
from scheduler_core.local.record.records import Record, TaskId, TaskRecord
from scheduler_core.model import Verdict
from scheduler_core.workload import TRANSITIONS, Activity, Workload, WorkloadChanged, WorkloadDeleted

_log = logging.getLogger(__name__)
_STORE_RETRY_S = 2.0

Change: TypeAlias = Callable[[Record], Record]


class Book:
    """The records of one engine by id; the store holds the same, a moment earlier.

    Of what has ended only what people see is kept in memory: the rest is read from the store when it is asked for.
    """

    def __init__(self, store: Store, feed: Feed, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock
        self._live: dict[str, Record] = {}
        self._workloads: dict[str, Workload] = {}
        self._activities: dict[str, Activity] = {}
        self._trash: dict[str, Workload] = {}
        self._by_key: dict[str, str] = {}
        self._interner = Interner()
        self._numbers: dict[str, int] = {}
        self._unwritten: dict[str, list[Entry]] = {}
        self._deciding: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        for record in store.load():
            self._take_up(record)
        self._names = Counter(workload.name for workload in self._workloads.values())

    def _take_up(self, record: Record) -> None:
        workload = self._interner.interned(record.workload)
        if workload.deleted is not None:
            self._trash[workload.id] = workload
            return
        self._workloads[workload.id] = workload
        if not workload.has_ended:
            self._live[workload.id] = record
        if record.spec.key:
            self._by_key[record.spec.key] = workload.id

    def __contains__(self, workload_id: str) -> bool:
        return workload_id in self._workloads

    def get(self, workload_id: str) -> Record:
        """The record of this id.

        Raises:
            NotFound: there is none, or not any more.
        """
        record = self._live.get(workload_id)
        if record is not None:
            return record
        self.workload(workload_id)
        return self._store.read(workload_id)

    def workload(self, workload_id: str) -> Workload:
        """What people see of this id.

        Raises:
            NotFound: there is none, or not any more.
        """
        try:
            return self._workloads[workload_id]
        except KeyError:
            raise NotFound(f"There is no workload {workload_id!r}.", "See %runai list.") from None

    def seen(self, workload_id: str) -> Workload | None:
        """The same, null where there is none."""
        return self._workloads.get(workload_id)

    def anywhere(self, workload_id: str) -> Workload:
        """What people see of this id, be it deleted.

        Raises:
            NotFound: there is none.
        """
        return self._trash.get(workload_id) or self.workload(workload_id)

    def by_key(self, key: str | None) -> Workload | None:
        workload_id = None if key is None else self._by_key.get(key)
        return None if workload_id is None else self._workloads[workload_id]

    def free_name(self, hint: str) -> str:
        """The hint with a number that makes it a name nobody has."""
        number = self._numbers.get(hint, 0) + 1
        while self._names[f"{hint}-{number}"]:
            number += 1
        self._numbers[hint] = number
        return f"{hint}-{number}"

    def live(self) -> list[Record]:
        """Those that have not ended; asked for from other threads too, hence the copy."""
        return [record for record in list(self._live.values()) if not record.workload.has_ended]

    def running(self) -> dict[TaskId, TaskRecord]:
        """The tasks whose process runs under a supervisor."""
        return {task: known for record in self.live() for task, known in record.alive() if known.supervisor is not None}

    def owners(self, tasks: Iterable[TaskId]) -> dict[TaskId, int]:
        """The users whose these tasks are, in a shared engine."""
        uids = {task: self._workloads[task.workload].owner_uid for task in tasks if task.workload in self._workloads}
        return {task: uid for task, uid in uids.items() if uid is not None}

    def workloads(self) -> tuple[Workload, ...]:
        """All that are not deleted, oldest first."""
        return tuple(self._workloads.values())

    def trash(self) -> tuple[Workload, ...]:
        """Those that were deleted, and can still be had back."""
        return tuple(self._trash.values())

    def has_files(self, workload_id: str) -> bool:
        """Whether a folder of this name belongs to a workload, be it deleted."""
        return workload_id in self._workloads or workload_id in self._trash

    async def add(self, record: Record, *acts: Act) -> None:
        """A new workload; it exists from when this returns."""
        now = self._clock()
        await self._store.put(record, now, entries_of(None, record, now), acted(acts, record.workload, now))
        self._names[record.workload.name] += 1
        if record.spec.key:
            self._by_key[record.spec.key] = record.workload.id
        self._show(record)

    async def decide(self, workload_id: str, change: Change, *acts: Act) -> Workload:
        """Change a workload by a decision, which holds only if it could be written down; `acts` tell whose it is.

        A `change` that finds nothing to do gives the record back.

        Raises:
            StorageFull: it could not; the workload is as it was.
        """
        # One decision at a time: else one that fails could not go back behind the next.
        async with self._deciding.setdefault(workload_id, asyncio.Lock()):
            before, record = self._replace(workload_id, change)
            if record is before:
                return record.workload
            now = self._clock()
            held, told = entries_of(before, record, now), acted(acts if record != before else (), record.workload, now)
            try:
                await self._put(before, record, held, told)
            except RunaiError:
                if self._live.get(workload_id) is record:
                    self._set(before)
                else:
                    self._keep(workload_id, held)
                raise
            if workload_id in self._live:
                self._show(self._live[workload_id])
            self._settle(record)
            return record.workload

    async def observe(self, workload_id: str, change: Change, happened: float | None = None) -> None:
        """Note a fact, such as a process that has ended: it is shown at once, and written down as soon as it can be.

        Where it `happened` before now, what the workload held counts until then.
        """
        now = self._clock()
        before, record = self._replace(workload_id, change)
        held = entries_of(before, record, now if happened is None else min(happened, now))
        self._show(record)
        while self._live.get(workload_id) is record:
            try:
                await self._put(before, record, held)
                self._settle(record)
                return
            except RunaiError:
                _log.exception("What happened to %s cannot be written down yet", record.workload.name)
            await asyncio.sleep(_STORE_RETRY_S)
        self._keep(workload_id, held)

    def _replace(self, workload_id: str, change: Change) -> tuple[Record, Record]:
        """In memory first: nobody may act on the old form while the disk is busy."""
        before = self.get(workload_id)
        record = change(before)
        was, state = before.workload.state, record.workload.state
        if state != was and state not in TRANSITIONS[was]:
            raise EngineDefect(f"{before.workload.name} is {was} and cannot become {state}.")
        if record is not before:
            self._set(record)
        return before, record

    async def _put(self, before: Record, record: Record, held: list[Entry], told: Iterable[AuditEntry] = ()) -> None:
        moved = record.workload.state != before.workload.state
        unwritten = self._unwritten.pop(record.workload.id, [])
        try:
            await self._store.put(record, self._clock() if moved else None, [*unwritten, *held], told)
        except RunaiError:
            self._keep(record.workload.id, unwritten)
            raise

    def _keep(self, workload_id: str, held: list[Entry]) -> None:
        """What could not be written down goes with the next record that can."""
        if held and workload_id in self._live:
            self._unwritten.setdefault(workload_id, []).extend(held)

    def note_verdict(self, verdict: Verdict) -> None:
        """Show a new verdict of a workload that waits; verdicts are worked out anew at each start, so not stored."""
        record = self._live.get(verdict.workload)
        if record is not None and record.workload.state == "pending" and record.workload.verdict != verdict:
            record = replace(record, workload=replace(record.workload, verdict=verdict))
            self._show(record)

    def note_activities(self, activities: Mapping[str, Activity]) -> None:
        """Show what is known of the activity of all that runs; it changes often and is read anew, so not stored."""
        before, self._activities = self._activities, dict(activities)
        for workload_id in before.keys() | activities.keys():
            if workload_id in self._live and before.get(workload_id) != activities.get(workload_id):
                self._show(self._live[workload_id])

    async def discard(self, workload_id: str, *acts: Act) -> Record:
        """Take a workload out of everybody's sight; `restore` brings it back. Its key is free again."""
        before = self.get(workload_id)
        workload = replace(before.workload, deleted=time.time())
        record = replace(before, workload=workload, spec=replace(before.spec, key=None))
        await self._store.put(record, told=acted(acts, workload, self._clock()))
        if self._forget(before):
            self._trash[workload_id] = self._interner.interned(workload)
        return record

    async def restore(self, workload_id: str, *acts: Act) -> Workload:
        """Bring a deleted workload back.

        Raises:
            NotFound: it is not among the deleted.
        """
        self._discarded(workload_id)
        known = self._store.read(workload_id)
        record = replace(known, workload=replace(known.workload, deleted=None, restored=time.time()))
        await self._store.put(record, told=acted(acts, record.workload, self._clock()))
        if self._trash.pop(workload_id, None) is not None:
            self._names[record.workload.name] += 1
            self._show(record)
            self._settle(record)
        return record.workload

    async def remove(self, workload_id: str, clear: Callable[[], None], *acts: Act) -> None:
        """Clear away what a workload has left, deleted or not, and forget it; what is cut short can be done again."""
        if workload_id not in self._workloads:
            self._discarded(workload_id)
        record = self._store.read(workload_id)
        await asyncio.to_thread(clear)
        await self._store.remove(workload_id, acted(acts, record.workload, self._clock()))
        self._trash.pop(workload_id, None)
        self._forget(record)

    def _forget(self, record: Record) -> bool:
        """Drop a workload and tell everyone; false where that was done meanwhile."""
        workload_id = record.workload.id
        self._live.pop(workload_id, None)
        if self._workloads.pop(workload_id, None) is None:
            return False
        self._names[record.workload.name] -= 1
        if record.spec.key:
            self._by_key.pop(record.spec.key, None)
        self._feed.publish(lambda epoch, seq: WorkloadDeleted(epoch=epoch, seq=seq, id=workload_id))
        return True

    def _discarded(self, workload_id: str) -> None:
        if workload_id not in self._trash:
            raise NotFound(f"There is no deleted workload {workload_id!r}.", "See %runai list --deleted.")

    def _set(self, record: Record) -> None:
        workload = record.workload
        self._live[workload.id] = record
        activity = self._activities.get(workload.id) if workload.is_running else None
        self._workloads[workload.id] = workload if activity is None else replace(workload, activity=activity)

    def _settle(self, record: Record) -> None:
        """The store has it: what has ended need not be kept whole any more."""
        if record.workload.has_ended and self._live.get(record.workload.id) is record:
            del self._live[record.workload.id]
            self._workloads[record.workload.id] = self._interner.interned(record.workload)

    def _show(self, record: Record) -> None:
        self._set(record)
        workload = self._workloads[record.workload.id]
        self._feed.publish(lambda epoch, seq: WorkloadChanged(epoch=epoch, seq=seq, workload=workload))
