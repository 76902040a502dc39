"""Since when what runs is idle: from what it says itself, and what is measured of its devices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from scheduler_core.local.book import Book
from scheduler_core.local.meter import MINUTE, Meter
from scheduler_core.local.records import TaskId
from scheduler_core.local.runs import RunFolder, ToldActivity
from scheduler_core.workload import Activity


class Activities:
    """The activity of every workload whose process tells of it; that of several tasks is that of task 0."""

    def __init__(self, book: Book, meter: Meter, simulated: bool) -> None:
        self._book = book
        self._meter = meter
        self._simulated = simulated
        self._used: dict[str, float] = {}

    async def look(self, folders: Mapping[TaskId, RunFolder]) -> None:
        """Look once at the files of what runs."""
        telling = await asyncio.to_thread(_told, folders)
        self._used = {workload: used for workload, used in self._used.items() if workload in telling}
        now = time.time()
        for workload in telling:
            if self._meter.gpu_utilization.get(workload):
                self._used[workload] = now
            elif workload not in self._used:
                self._used[workload] = await self._last_use(workload)
        self._book.note_activities({name: self._with_idleness(name, told, now) for name, told in telling.items()})

    def _with_idleness(self, workload: str, told: ToldActivity, now: float) -> Activity:
        since, interacted, used = min(told.since, now), min(told.interacted or 0.0, now), self._used[workload]
        is_active = told.executing or used == now
        idle_since = None if is_active else max(since, interacted, used)
        return Activity(executing=told.executing, since=since, idle_since=idle_since)

    async def _last_use(self, workload: str) -> float:
        """When its devices were last seen in use, be it by an engine that ran before this one; 0 for never."""
        if self._simulated or workload not in self._book:
            return 0.0
        minutes = await self._meter.measured(workload, MINUTE, 0.0)
        return max((minute.at + minute.seconds for minute in minutes if minute.gpu_utilization), default=0.0)


def _told(folders: Mapping[TaskId, RunFolder]) -> dict[str, ToldActivity]:
    told = {task.workload: folder.activity() for task, folder in folders.items() if task.index == 0}
    return {workload: activity for workload, activity in told.items() if activity is not None}
