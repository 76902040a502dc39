"""Deleting: by people, into the trash and back, and by the engine, of what is old or half-made."""

from __future__ import annotations

import asyncio
import logging
import stat
import time
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path

from scheduler_core.errors import Conflict, RunaiError
from scheduler_core.local.access.acts import Act
from scheduler_core.local.record.records import TaskId
from scheduler_core.local.record.runs import RunFolder, remove_tree
from scheduler_core.local.work.book import Book
from scheduler_core.local.work.following import Runs
from scheduler_core.workload import KEPT_DELETED_S, Workload

_log = logging.getLogger(__name__)
_OLDEST_STAGING_S = 24 * 3600.0
_KEPT_S = 14 * 24 * 3600.0
_INTERVAL_S = 5.0


class Clearing:
    """The end of workloads' records and files; their folders lie in `workloads`, inputs not submitted in `staging`."""

    def __init__(self, book: Book, runs: Runs, workloads: Path, staging: Path) -> None:
        self._book = book
        self._runs = runs
        self._workloads = workloads
        self._staging = staging

    async def delete(self, workload_id: str, purge: bool, user: str) -> None:
        """Put what has ended into the trash; with `purge`, or from there, delete it for good.

        Raises:
            Conflict: it has not ended.
        """
        if purge and any(workload.id == workload_id for workload in self._book.trash()):
            await self._purge(workload_id, Act(action="purge", user=user))
            return
        workload = self._book.workload(workload_id)
        if not workload.has_ended:
            raise Conflict(f"{workload.name} has not ended.", f"Stop it first: %runai stop {workload.name}")
        if purge:
            await self._purge(workload_id, Act(action="purge", user=user))
        else:
            await self._discard(workload_id, Act(action="delete", user=user))

    async def _discard(self, workload_id: str, act: Act) -> None:
        # The copy beside the files as well: should the store be lost, what is deleted stays so, and its key free.
        self._runs.copies.keep(await self._book.discard(workload_id, act))

    async def _purge(self, workload_id: str, act: Act) -> None:
        await self._book.remove(workload_id, self._runs.folder(TaskId(workload_id, 0)).remove, act)

    async def restore(self, workload_id: str, user: str) -> Workload:
        """Bring a deleted workload back."""
        workload = await self._book.restore(workload_id, Act(action="restore", user=user))
        self._runs.copies.keep(self._book.get(workload_id))
        return workload

    async def run(self) -> None:
        """Delete what ended long ago, or has asked for it, and purge what was deleted long ago."""
        await asyncio.to_thread(self._clear_inputs, [known.id for known in self._book.workloads() if known.has_ended])
        while True:
            for workload in self._book.workloads():
                if _is_old(workload) and workload.id in self._book:
                    await _tried(self._discard(workload.id, Act(action="delete", detail="it ended long ago")))
            for workload in self._book.trash():
                if workload.deleted is not None and workload.deleted + KEPT_DELETED_S < time.time():
                    await _tried(self._purge(workload.id, Act(action="purge", detail="it was deleted long ago")))
            await asyncio.sleep(_INTERVAL_S)

    def _clear_inputs(self, ended: list[str]) -> None:
        """Remove what travelled to workloads whose end an earlier daemon saw, and no more."""
        for workload_id in ended:
            inputs = RunFolder(self._workloads / workload_id).inputs
            if inputs.exists():
                remove_tree(inputs)

    def clear_half_made(self) -> None:
        """Remove what a crash left half-made: folders of no workload, and inputs nobody submitted."""
        for folder in self._workloads.iterdir():
            if not self._book.has_files(folder.name):
                remove_tree(folder)
        for folder in self._staging.iterdir():
            with suppress(OSError):
                status = folder.lstat()
                if status.st_mtime < time.time() - _OLDEST_STAGING_S:
                    if stat.S_ISDIR(status.st_mode):
                        remove_tree(folder)
                    else:
                        folder.unlink()


async def _tried(clearing: Awaitable[None]) -> None:
    """What cannot be cleared away now, such as on a full disk, is tried again the next time."""
    try:
        await clearing
    except RunaiError as error:
        _log.warning("A workload that is old could not be cleared away: %s", error)


def _is_old(workload: Workload) -> bool:
    """Whether a workload has ended so long ago that it is deleted."""
    kept_s = _KEPT_S if workload.delete_after_s is None else workload.delete_after_s
    since = workload.ended if workload.restored is None else workload.restored
    return since is not None and since + kept_s < time.time()
