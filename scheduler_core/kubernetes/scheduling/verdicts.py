"""Why work waits, written where people look: in its GpuWorkload, else in its pods."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.errors import RunaiError
from scheduler_core.kubernetes.api.connection import JSON_PATCH, STRATEGIC_PATCH, Connection, Json
from scheduler_core.kubernetes.api.resources import WORKLOADS
from scheduler_core.kubernetes.state.cluster import Cluster
from scheduler_core.kubernetes.state.pods import Pod
from scheduler_core.kubernetes.state.snapshot import View
from scheduler_core.model import Verdict

_AT_ONCE = 4
_SAME_CODE_S = 15.0
"""Numbers in a verdict change with every other workload: where they alone do, it is not written again before that."""
_log = logging.getLogger(__name__)


class _Told(Struct, frozen=True):
    """What was written last, and when on the monotonic clock."""

    state: str
    code: str
    message: str
    at: float


class Verdicts:
    """Writes the verdicts of the newest plan, those that say something new, a few at once."""

    def __init__(self, connection: Connection, cluster: Cluster) -> None:
        self._connection = connection
        self._cluster = cluster
        self._wanted: dict[str, Verdict | None] = {}
        self._told: dict[str, _Told] = {}
        self._news = asyncio.Event()

    def tell(self, verdicts: Iterable[Verdict], view: View) -> None:
        """All verdicts on work that waits now; what an older plan had to say and is not said yet never is."""
        wanted: dict[str, Verdict | None] = {}
        for verdict in verdicts:
            for target in self._targets(verdict, view):
                wanted[target] = verdict
        for key, workload in self._cluster.workloads.items():
            if workload.verdict is not None and key not in wanted:
                wanted[key] = None
        for target in self._told.keys() - wanted.keys():
            del self._told[target]
        self._wanted = {target: verdict for target, verdict in wanted.items() if self._is_new(target, verdict)}
        if self._wanted:
            self._news.set()

    async def run(self) -> None:
        """Write, for ever."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(_AT_ONCE):
                workers.create_task(self._work())

    def _targets(self, verdict: Verdict, view: View) -> Iterable[str]:
        if verdict.workload in self._cluster.workloads:
            return (verdict.workload,)
        waiting = (pod for pod in view.members.get(verdict.workload, ()) if pod.node is None and not pod.gated)
        return [pod.key for pod in waiting if pod.uid not in self._cluster.assumed]

    def _is_new(self, target: str, verdict: Verdict | None) -> bool:
        if verdict is None:
            return True
        told = self._told.get(target) or self._written(target)
        if told is None or (told.state, told.code) != (verdict.state, verdict.code):
            return True
        return told.message != verdict.message and time.monotonic() - told.at >= _SAME_CODE_S

    def _written(self, target: str) -> _Told | None:
        """What the API says was written, also by whoever was the controller before."""
        workload = self._cluster.workloads.get(target)
        if workload is not None and workload.verdict is not None:
            return _Told(workload.verdict.state, workload.verdict.code, workload.verdict.message, 0.0)
        return None

    async def _work(self) -> None:
        while True:
            await self._news.wait()
            while self._wanted:
                target = next(iter(self._wanted))
                verdict = self._wanted.pop(target)
                await self._write(target, verdict)
            self._news.clear()

    async def _write(self, target: str, verdict: Verdict | None) -> None:
        if verdict is not None:
            self._told[target] = _Told(verdict.state, verdict.code, verdict.message, time.monotonic())
        try:
            if target in self._cluster.workloads:
                await write_verdict(self._connection, target, verdict)
            elif verdict is not None and (pod := self._cluster.pods.get(target)) is not None:
                await self._write_pod(pod, verdict)
        except RunaiError as error:
            self._told.pop(target, None)
            _log.info("Why %s waits could not be written down: %s", target, error)

    async def _write_pod(self, pod: Pod, verdict: Verdict) -> None:
        if pod.node is not None or pod.unscheduled == verdict.message:
            return
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/status"
        await self._connection.send("PATCH", path, _unschedulable(pod, verdict), STRATEGIC_PATCH)


async def write_verdict(connection: Connection, key: str, verdict: Verdict | None) -> None:
    """Write it, or none, into the workload of this namespace and name; positions are worked out when read."""
    namespace, _, name = key.partition("/")
    plain = None if verdict is None else replace(verdict, position=None, queue_position=None, ahead=())
    # As a whole: of what was said before nothing is to stay.
    change = [{"op": "add", "path": "/status/verdict", "value": msgspec.to_builtins(plain)}]
    await connection.send("PATCH", WORKLOADS.path(namespace, name, "status"), change, JSON_PATCH)


def _unschedulable(pod: Pod, verdict: Verdict) -> Json:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": verdict.message,
    }
    return {"metadata": {"uid": pod.uid}, "status": {"conditions": [condition]}}
