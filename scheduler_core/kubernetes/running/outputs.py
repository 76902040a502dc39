"""What the tasks of workloads say and leave: logs as kubelets keep them, results as the collector beside a task says.

Of a task that was started again what its last pod said is told, as long as that pod is there or history is kept.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import tarfile
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from scheduler_core.errors import Conflict, EngineDefect, EngineUnavailable, InvalidRequest, NotFound, TooLarge
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.history import HistoryReader, Said
from scheduler_core.kubernetes.api.objects import GpuWorkload
from scheduler_core.kubernetes.api.resources import RUN_LABEL, WORKLOAD_LABEL
from scheduler_core.kubernetes.api.tunnels import Place
from scheduler_core.kubernetes.running.jobs import COLLECTOR
from scheduler_core.kubernetes.running.runs import RunPod, newest, read_pod
from scheduler_core.kubernetes.running.workloads import Workloads
from scheduler_core.workload import Output

_SILENT_S = 60.0
_CHANGES_WITHIN_S = 5
_LARGEST_MB = 5
_KEPT = "kept"
"""Stands for a pod that is gone, among those that were read."""


class _ListMeta(Struct, frozen=True, rename="camel"):
    resource_version: str = ""


class _Listed(Struct, frozen=True):
    metadata: _ListMeta
    items: list[Raw]


class Outputs:
    """Those of the workloads of one namespace; results are brought into a folder that goes with this process."""

    def __init__(self, connection: Connection, namespace: str, workloads: Workloads, history: HistoryReader) -> None:
        self._history = history
        self._namespace = namespace
        self._connection = connection
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._workloads = workloads
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._brought: set[str] = set()

    async def logs(self, workload_id: str, offset: int, follow: bool, task: int) -> AsyncGenerator[Output, None]:
        """Its output from byte `offset` on, of the pod that it is in and of those after that one.

        Nobody knows how much there is before it is read: below zero it is all.
        """
        read: set[str] = set()
        position, offset = 0, max(0, offset)
        while True:
            # Asked before reading: what is said until the end is then read after it.
            found = await self._of(workload_id, task)
            pod, version = await self._pod(found, task)
            if pod is not None and pod.started is not None and pod.uid not in read:
                start = position
                async with aclosing(self._said(pod, follow)) as pieces:
                    async for data in pieces:
                        fresh = data[max(0, offset - position) :]
                        position += len(data)
                        if fresh:
                            yield Output(offset=position - len(fresh), data=fresh)
                if follow and not await self._is_over(found, task, pod):
                    # The stream broke off: the same pod is read again, behind what has come of it.
                    offset, position = max(offset, position), start
                    continue
                read.add(pod.uid)
                offset = position
            elif pod is None and not read and found.status.run is not None:
                kept = await self._kept(found, task)
                read.add(_KEPT)
                position = kept.first + len(kept.data)
                fresh = kept.data[max(0, offset - kept.first) :]
                if fresh:
                    yield Output(offset=position - len(fresh), data=fresh)
                offset = position
            if found.workload().has_ended or not follow:
                return
            await self._change(found, version)

    async def results(self, workload_id: str, task: int) -> Path:
        """The folder of what it has left, brought here once it has ended; before that it is empty.

        Raises:
            TooLarge: it has left more than is brought back.
        """
        found = await self._of(workload_id, task)
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="runai-results-")
        folder = Path(self._folder.name) / workload_id
        if not found.spec.gang:
            folder /= f"task-{task}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        pod, _ = await self._pod(found, task)
        if found.spec.inputs and pod is not None and pod.is_over and pod.uid not in self._brought:
            said = await self._connection.raw(f"{self._pods}/{pod.name}/log", container=COLLECTOR)
            await asyncio.to_thread(_unpack, said, folder)
            self._brought.add(pod.uid)
        return folder

    async def place(self, workload_id: str, task: int = 0) -> Place:
        """Where a task is now.

        Raises:
            Conflict: it is in no pod that runs.
        """
        pod, _ = await self._pod(await self._of(workload_id, task), task)
        if pod is None or pod.phase != "Running":
            raise Conflict(f"{workload_id} does not run.")
        return Place(f"{self._pods}/{pod.name}", pod.ip)

    def close(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    async def _of(self, workload_id: str, task: int) -> GpuWorkload:
        found = await self._workloads.get(workload_id)
        if not 0 <= task < found.workload().tasks:
            raise NotFound(f"{workload_id} has no task {task}.")
        return found

    async def _pod(self, found: GpuWorkload, task: int) -> tuple[RunPod | None, str]:
        """The pod that a task is in, or was in last, and the version at which that was so."""
        content = await self._connection.raw(self._pods, labelSelector=_selector(found))
        listed = msgspec.json.decode(content, type=_Listed)
        pods = [read_pod(bytes(item)) for item in listed.items]
        run = max((pod.run for pod in pods), default=0)
        return newest(pods, run).get(task), listed.metadata.resource_version

    async def _kept(self, found: GpuWorkload, task: int) -> Said:
        """What the controller has kept, where it keeps anything."""
        meta = found.metadata
        kept = await self._history.log(self._namespace, meta.name, task, meta.creation_timestamp.timestamp())
        return kept or Said(0, b"")

    async def _is_over(self, found: GpuWorkload, task: int, pod: RunPod) -> bool:
        now, _ = await self._pod(found, task)
        return now is None or now.uid != pod.uid or now.ended is not None or now.is_over

    async def _said(self, pod: RunPod, follow: bool) -> AsyncGenerator[bytes, None]:
        path, query = f"{self._pods}/{pod.name}/log", {"container": pod.container}
        if follow:
            query["follow"] = "true"
        try:
            async with aclosing(self._connection.pieces(path, _SILENT_S, **query)) as pieces:
                async for piece in pieces:
                    yield piece
        except (NotFound, InvalidRequest):
            # It has gone, or not come yet.
            return
        except EngineUnavailable:
            if not follow:
                raise

    async def _change(self, found: GpuWorkload, version: str) -> None:
        """Wait until something happens to its pods, not for long."""
        query = {
            "watch": "true",
            "labelSelector": _selector(found),
            "resourceVersion": version,
            "timeoutSeconds": str(_CHANGES_WITHIN_S),
        }
        with suppress(StopAsyncIteration):
            async with aclosing(self._connection.lines(self._pods, 2 * _CHANGES_WITHIN_S, **query)) as lines:
                await anext(lines)


def _selector(found: GpuWorkload) -> str:
    return f"{WORKLOAD_LABEL}={found.metadata.name},{RUN_LABEL}"


def _unpack(said: bytes, folder: Path) -> None:
    """What a collector said, between its marks, as files; no path leads out of the folder."""
    lines = said.split(b"\n")
    large = next((line for line in lines if line.startswith(b"!") and line[1:].isdigit()), None)
    if large is not None:
        raise TooLarge(
            f"Its results are {int(large[1:]) / 1e6:.1f} MB, and a cluster brings back up to {_LARGEST_MB} MB.",
            "Have it write them to a volume or an object store.",
        )
    if b"<" not in lines or b">" not in lines:
        # It was ended before it could say anything.
        return
    content = b"".join(lines[lines.index(b"<") + 1 : lines.index(b">")])
    try:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(content, validate=True))) as archive:
            archive.extractall(folder, filter="data")
    except (binascii.Error, tarfile.TarError, OSError, EOFError) as error:
        raise EngineDefect(f"Its results cannot be read: {error}.") from error
