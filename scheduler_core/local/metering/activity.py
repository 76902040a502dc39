"""Since when what runs is idle, from what it says itself and what is measured of its devices: for people and rules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from msgspec import Struct

from scheduler_core.local.metering.idleness import is_in_use
from scheduler_core.local.metering.meter import Meter
from scheduler_core.local.record.records import Record, TaskId, TaskRecord
from scheduler_core.local.record.runs import RunFolder, ToldActivity
from scheduler_core.local.work.book import Book
from scheduler_core.nvml import Sample
from scheduler_core.workload import Activity

_LONGEST_KEPT_S = 366 * 24 * 3600.0


class _Use(Struct, frozen=True, kw_only=True):
    """Whether a workload computes on its devices, null where nothing tells; when it last did, and when nothing told."""

    is_now: bool | None
    used: float
    unknown: float


class Activities:
    """The activity of all that runs; what tells of it is task 0, and every task uses devices."""

    def __init__(self, book: Book, meter: Meter, simulated: bool) -> None:
        self._book = book
        self._meter = meter
        self._simulated = simulated
        self._began = time.time()
        self._uses: dict[str, _Use] = {}
        self._told: dict[str, ToldActivity] = {}

    async def look(
        self,
        running: Mapping[TaskId, TaskRecord],
        folders: Mapping[TaskId, RunFolder],
        samples: Mapping[str, Sample],
        memory_mib: Mapping[TaskId, Mapping[int, int]],
    ) -> None:
        """Look once at the files of what runs and at a reading; `memory_mib` is that of the devices by task and pid."""
        told = await asyncio.to_thread(_told, folders)
        now, in_use = time.time(), self._in_use(running, samples, memory_mib)
        self._uses = {workload: await self._use(workload, is_now, now) for workload, is_now in in_use.items()}
        self._told = {workload: _until_now(known, now) for workload, known in told.items()}
        self._book.note_activities({workload: self._shown(workload, known) for workload, known in self._told.items()})

    def idle_since(self, record: Record) -> float | None:
        """Since when it makes no use of the devices that it holds; null where it does, or nothing tells."""
        use, told = self._uses.get(record.workload.id), self._told.get(record.workload.id)
        if use is None or use.is_now is not False or (told is not None and told.executing):
            return None
        started = max((known.started or 0.0 for _, known in record.alive()), default=0.0)
        return max(started, use.used, use.unknown, 0.0 if told is None else max(told.since, told.interacted or 0.0))

    def _in_use(
        self,
        running: Mapping[TaskId, TaskRecord],
        samples: Mapping[str, Sample],
        memory_mib: Mapping[TaskId, Mapping[int, int]],
    ) -> dict[str, bool | None]:
        found: dict[str, bool | None] = {}
        for task, known in running.items():
            # Use that is made up is none.
            of_task = None if self._simulated else is_in_use(known, samples, memory_mib.get(task, {}))
            other = found.get(task.workload, False)
            found[task.workload] = True if of_task or other else None if of_task is None or other is None else False
        return found

    async def _use(self, workload: str, is_now: bool | None, now: float) -> _Use:
        before = self._uses.get(workload)
        if before is None:
            before = _Use(is_now=None, used=await self._last_use(workload), unknown=0.0)
        return _Use(
            is_now=is_now, used=now if is_now else before.used, unknown=now if is_now is None else before.unknown
        )

    def _shown(self, workload: str, told: ToldActivity) -> Activity:
        use = self._uses[workload]
        is_active = told.executing or use.is_now
        idle_since = None if is_active else max(told.since, told.interacted or 0.0, use.used)
        return Activity(executing=told.executing, since=told.since, idle_since=idle_since, kept_until=told.kept_until)

    async def _last_use(self, workload: str) -> float:
        """When its devices were last seen in use by an engine that ran before this one; 0 for never."""
        if self._simulated or workload not in self._book:
            return 0.0
        if (self._book.workload(workload).started or self._began) >= self._began:
            return 0.0
        minutes = await self._meter.measured(workload, "minute", 0.0)
        return max((minute.at + minute.seconds for minute in minutes if minute.gpu_utilization), default=0.0)


def _told(folders: Mapping[TaskId, RunFolder]) -> dict[str, ToldActivity]:
    told = {task.workload: folder.activity() for task, folder in folders.items() if task.index == 0}
    return {workload: activity for workload, activity in told.items() if activity is not None}


def _until_now(told: ToldActivity, now: float) -> ToldActivity:
    """What comes from work of somebody else's, and is shown to all, is no nonsense."""
    interacted = None if told.interacted is None else min(told.interacted, now)
    kept = None if told.kept_until is None else min(max(told.kept_until, now), now + _LONGEST_KEPT_S)
    return ToldActivity(executing=told.executing, since=min(told.since, now), interacted=interacted, kept_until=kept)
