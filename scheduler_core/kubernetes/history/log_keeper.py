"""Keeps what tasks have said when their pods end, or are told to go: the end of it, as far as there is room."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import aclosing
from pathlib import Path

from scheduler_core.errors import RunaiError
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.history import Said
from scheduler_core.kubernetes.history import kept_logs
from scheduler_core.kubernetes.history.kept_logs import KeptLog
from scheduler_core.kubernetes.history.store import HistoryStore
from scheduler_core.kubernetes.running.runs import RunPod

LOG_BYTES = 10_000_000
ALL_LOG_BYTES = 5_000_000_000
_AT_ONCE = 8
_SILENT_S = 120.0
"""A pod that is told to go has its grace, and may say nothing in it."""
_SWEPT_EVERY_S = 60.0
_log = logging.getLogger(__name__)


class LogKeeper:
    """The logs of a cluster in a folder: `log_bytes` of each pod, `all_log_bytes` of all, the oldest go first."""

    def __init__(
        self,
        connection: Connection,
        store: HistoryStore,
        folder: Path,
        log_bytes: int = LOG_BYTES,
        all_log_bytes: int = ALL_LOG_BYTES,
    ) -> None:
        self._connection = connection
        self._store = store
        self._folder = folder
        self._log_bytes = log_bytes
        self._all_log_bytes = all_log_bytes
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._kept: set[str] = set()
        self._unlooked: dict[str, RunPod] | None = {}
        """The pods that are there, as long as it is not known which logs are kept already."""
        self._reading: dict[str, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Learn what is kept already.

        Raises:
            RunaiError: the store cannot be read.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with self._store.reading() as connection:
            self._kept = {log.pod for log in kept_logs.all_kept(connection)}
        unlooked, self._unlooked = self._unlooked, None
        self.seen(unlooked or {})

    def seen(self, changes: Mapping[str, RunPod | None]) -> None:
        """Take up changes of the pods of tasks, each by its namespace and name."""
        if self._unlooked is not None:
            there = {**self._unlooked, **changes}
            self._unlooked = {key: pod for key, pod in there.items() if pod is not None}
            return
        for key, pod in changes.items():
            if pod is None or pod.started is None or not (pod.is_over or pod.leaves):
                continue
            if pod.uid not in self._kept and pod.uid not in self._reading:
                self._reading[pod.uid] = asyncio.ensure_future(self._keep(key.partition("/")[0], pod))

    async def sweep(self, workloads: Collection[str]) -> None:
        """Let go of the logs of workloads that are not among these any more, and of the oldest beyond what is kept.

        Raises:
            RunaiError: the store cannot be read or written.
        """
        with self._store.reading() as connection:
            kept = kept_logs.all_kept(connection)
        over = sum(log.size for log in kept) - self._all_log_bytes
        left: list[str] = []
        for log in kept:
            if over > 0 or f"{log.namespace}/{log.workload}" not in workloads:
                left.append(log.pod)
                over -= log.size
        if left:
            await self._store.account(lambda connection: kept_logs.remove(connection, left))
            self._kept.difference_update(left)
            for pod in left:
                self._file(pod).unlink(missing_ok=True)

    async def run(self, workloads: Callable[[], Collection[str]]) -> None:
        """Sweep for ever; `workloads` are all that there are, by namespace and name."""
        try:
            while True:
                await asyncio.sleep(_SWEPT_EVERY_S)
                try:
                    await self.sweep(workloads())
                except RunaiError as error:
                    _log.warning("Logs are looked at again later: %s", error)
        finally:
            for task in self._reading.values():
                task.cancel()

    def log(self, namespace: str, workload: str, task: int, since: float) -> Said | None:
        """What is kept of the last pod of a task, of those that were made from `since` on.

        Raises:
            EngineUnavailable: the store cannot be read.
        """
        with self._store.reading() as connection:
            found = kept_logs.newest(connection, namespace, workload, task, since)
        try:
            return None if found is None else Said(found.first, self._file(found.pod).read_bytes())
        except FileNotFoundError:
            return None

    async def _keep(self, namespace: str, pod: RunPod) -> None:
        try:
            async with self._turns:
                first, data = await self._said(namespace, pod)
            kept = KeptLog(
                pod=pod.uid,
                namespace=namespace,
                workload=pod.workload,
                task=pod.index,
                run=pod.run,
                created=pod.created,
                first=first,
                size=len(data),
            )
            await asyncio.to_thread(_write, self._file(pod.uid), data)
            await self._store.account(lambda connection: kept_logs.add(connection, kept))
            self._kept.add(pod.uid)
        except (RunaiError, OSError) as error:
            _log.info("What %s/%s has said is not kept: %s", namespace, pod.name, error)
        finally:
            self._reading.pop(pod.uid, None)

    async def _said(self, namespace: str, pod: RunPod) -> tuple[int, bytes]:
        """Its end and from which byte on that is; of a pod that is told to go until it has gone."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod.name}/log"
        end, first = bytearray(), 0
        query = {"container": pod.container} | ({} if pod.is_over else {"follow": "true"})
        async with aclosing(self._connection.pieces(path, _SILENT_S, **query)) as pieces:
            async for piece in pieces:
                end += piece
                if len(end) > 2 * self._log_bytes:
                    first += _cut(end, self._log_bytes)
        first += _cut(end, self._log_bytes)
        return first, bytes(end)

    def _file(self, pod: str) -> Path:
        return self._folder / f"{pod}.log"


def _cut(end: bytearray, size: int) -> int:
    """How many bytes were taken from its beginning, so that so many are left."""
    beyond = max(0, len(end) - size)
    del end[:beyond]
    return beyond


def _write(path: Path, data: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    fresh.replace(path)
