"""The history of a cluster in a folder, while this copy of the controller leads."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scheduler_core.accounting.amounts import DAY_MS
from scheduler_core.accounting.past import QueueHistory
from scheduler_core.accounting.usage import Usage, UsageBy, UsageStep
from scheduler_core.accounts.accounts import Accounts
from scheduler_core.accounts.queue_meter import QueueMeter
from scheduler_core.accounts.usage_sums import WORKLOADS_KEPT_MS
from scheduler_core.errors import EngineUnavailable, RunaiError
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.history import Keeping
from scheduler_core.kubernetes.history.holdings import Holdings, is_work
from scheduler_core.kubernetes.history.log_keeper import ALL_LOG_BYTES, LOG_BYTES, LogKeeper
from scheduler_core.kubernetes.history.reading_meter import ReadingMeter
from scheduler_core.kubernetes.history.service import Answers, routes
from scheduler_core.kubernetes.history.store import HistoryStore
from scheduler_core.kubernetes.history.tokens import Tokens, ToldTokens
from scheduler_core.kubernetes.running.runs import RunPod
from scheduler_core.kubernetes.scheduling.scheduler import Scheduler
from scheduler_core.kubernetes.sharing.reservations import Reservations
from scheduler_core.kubernetes.state.cluster import Cluster
from scheduler_core.kubernetes.state.membership import Grouping
from scheduler_core.kubernetes.state.pods import Pod
from scheduler_core.kubernetes.state.snapshot import queues_of

_LOOKS_EVERY_S = 1.0
_READS_EVERY_S = 10.0
_TRIES_AGAIN_S = 60.0
_STORE = "history.sqlite"
KEEPING = Keeping(workload_days=WORKLOADS_KEPT_MS // DAY_MS, log_bytes=LOG_BYTES, all_log_bytes=ALL_LOG_BYTES)
_log = logging.getLogger(__name__)


class History:
    """Opened once; `answers` are null until what is there has been counted."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self.tokens = Tokens(folder)
        except OSError as error:
            raise EngineUnavailable(f"The history in {folder} cannot be opened: {error}.") from error
        self._connection = connection
        self._store = HistoryStore(folder / _STORE)
        self._accounts = Accounts(self._store, None, False)
        self._told = ToldTokens(connection, self.tokens)
        self._queue_meter = QueueMeter(self._store)
        self._readings = ReadingMeter(self._store)
        self._logs = LogKeeper(connection, self._store, folder / "logs")
        self._holdings: Holdings | None = None
        self.answers: Answers | None = None

    def pods_seen(self, changes: Mapping[str, Pod | None]) -> None:
        """Take up changes of pods."""
        if self._holdings is not None:
            self._holdings.seen(changes)

    def run_pods_seen(self, changes: Mapping[str, RunPod | None]) -> None:
        """Take up changes of the pods of tasks."""
        self._logs.seen(changes)

    def begin(self, cluster: Cluster, grouping: Grouping) -> None:
        """Count the pods of this cluster from now on; `follow` it once all of them are known."""
        # Whoever answered before would count the same pods as well.
        self.answers = None
        self._holdings = Holdings(self._store, cluster, grouping)

    async def follow(self, cluster: Cluster, scheduler: Scheduler, reservations: Reservations) -> None:
        """Keep history until cancelled, whatever goes wrong with it: placing pods must not depend on that."""
        assert self._holdings is not None  # noqa: S101 (`begin` comes first)
        holdings, looked = self._holdings, 0.0
        await self._until_open(holdings)

        async def count() -> None:
            nonlocal looked
            if holdings.has_news or time.monotonic() - looked >= _READS_EVERY_S:
                looked = time.monotonic()
                await self._accounts.note_queues(queues_of(cluster))
                await holdings.write_down()
            await self._told.tell(_namespaces(cluster))

        async def read() -> None:
            readings = await reservations.readings()
            self._readings.take(readings, holdings.holders())
            await self._readings.write_down(round(time.time() * 1000))

        async def look_at_queues() -> None:
            await self._queue_meter.look(scheduler.queues, scheduler.waiting)

        await _tried(count)
        self.answers = self._answers(holdings)
        async with asyncio.TaskGroup() as parts:
            parts.create_task(_again_and_again(count, _LOOKS_EVERY_S))
            parts.create_task(_again_and_again(look_at_queues, _LOOKS_EVERY_S))
            parts.create_task(_again_and_again(read, _READS_EVERY_S))
            parts.create_task(_again_and_again(self._accounts.run, _TRIES_AGAIN_S))
            parts.create_task(self._logs.run(cluster.workloads.keys))

    def routes(self) -> Sequence[Any]:
        """Where it is asked for, as routes of a tornado application."""
        return routes(lambda: self.answers, self.tokens)

    def close(self) -> None:
        """Leave everything on disk."""
        self.answers = None
        self._readings.close()
        self._queue_meter.close()
        self._store.close()

    async def _until_open(self, holdings: Holdings) -> None:
        async def open_all() -> None:
            holdings.open()
            await self._logs.open()
            await self._told.tell_all()

        while not await _tried(open_all):
            await asyncio.sleep(_TRIES_AGAIN_S)

    def _answers(self, holdings: Holdings) -> Answers:
        async def usage(
            by: UsageBy, since: float, until: float | None, step: UsageStep, most: int, prefix: str
        ) -> Usage:
            if holdings.has_news:
                await holdings.write_down()
            return await self._accounts.usage(by, since, until, step, most, self._readings.pending(), prefix)

        async def queue_history(since: float, until: float | None, step: UsageStep) -> QueueHistory:
            return await self._accounts.queue_history(since, until, step, self._queue_meter.pending())

        return Answers(keeping=KEEPING, usage=usage, queue_history=queue_history, log=self._logs.log)


async def _again_and_again(act: Callable[[], Awaitable[object]], every_s: float) -> None:
    """Every so many seconds, or one right after the other where each takes longer."""
    while True:
        began = time.monotonic()
        await _tried(act)
        await asyncio.sleep(max(0.0, began + every_s - time.monotonic()))


async def _tried(act: Callable[[], Awaitable[object]]) -> bool:
    """Whether it could be done; else why not is logged."""
    try:
        await act()
    except RunaiError as error:
        _log.warning("History waits: %s", error)
        return False
    except Exception:
        _log.exception("History could not be kept")
        return False
    return True


def _namespaces(cluster: Cluster) -> set[str]:
    """Those in which we run work, and which are there for users."""
    return {workload.namespace for workload in cluster.workloads.values()} | {
        pod.namespace for pod in cluster.pods.values() if is_work(pod)
    }
