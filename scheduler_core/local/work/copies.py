"""A copy of each record beside its files, so that every workload is found again should the store be lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

from scheduler_core.local.record.records import Record, TaskRecord
from scheduler_core.local.record.runs import RunFolder
from scheduler_core.local.work.book import Book

_log = logging.getLogger(__name__)
_ARRAY_INTERVAL_S = 1.0


class Copies:
    """The copies of one engine; the store has the records, so one that cannot be written is no more than noted."""

    def __init__(self, book: Book, folder: Path) -> None:
        self._book = book
        self._folder = folder
        self._late: dict[str, asyncio.TimerHandle] = {}

    def keep(self, record: Record) -> None:
        """Write it down now."""
        try:
            RunFolder(self._folder / record.workload.id).keep(record)
        except OSError:
            _log.exception("The copy of a record is behind")

    def keep_in_time(self, record: Record, changed: Iterable[int]) -> None:
        """The same after a change of these tasks.

        A copy of an array is as long as its tasks are many: as long as it goes on these alone are written down now, and
        the whole once a second at most.
        """
        workload = record.workload
        if workload.gang or workload.has_ended:
            self.keep(record)
            return
        for index in changed:
            if index < len(record.tasks):
                self._keep_task(workload.id, index, record.tasks[index])
        if workload.id not in self._late:
            loop = asyncio.get_running_loop()
            self._late[workload.id] = loop.call_later(_ARRAY_INTERVAL_S, self._keep_late, workload.id)

    def close(self) -> None:
        """Write down what was left for later."""
        for workload_id in list(self._late):
            self._keep_late(workload_id)

    def _keep_task(self, workload_id: str, index: int, task: TaskRecord) -> None:
        try:
            RunFolder(self._folder / workload_id, index).keep_task(task)
        except OSError:
            _log.exception("The copy of a task is behind")

    def _keep_late(self, workload_id: str) -> None:
        self._late.pop(workload_id).cancel()
        if workload_id in self._book and not self._book.workload(workload_id).has_ended:
            self.keep(self._book.get(workload_id))
