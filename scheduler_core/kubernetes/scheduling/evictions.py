"""Pods that go for others: told so in their status, deleted with their grace, and an event says for whom."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from scheduler_core.errors import RunaiError
from scheduler_core.kubernetes.api.connection import STRATEGIC_PATCH, Connection, Json
from scheduler_core.kubernetes.api.resources import SCHEDULER
from scheduler_core.kubernetes.state.cluster import Cluster
from scheduler_core.kubernetes.state.pods import TAKEN_FOR_OTHERS, Pod
from scheduler_core.model import Eviction

_AT_ONCE = 8
_RETRY_S = 1.0
_log = logging.getLogger(__name__)


class Evictions:
    """Evicts pods; `changed` is called where one could not be told to go."""

    def __init__(self, connection: Connection, cluster: Cluster, changed: Callable[[], None]) -> None:
        self._connection = connection
        self._cluster = cluster
        self._changed = changed
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def evict(self, evicted: Iterable[tuple[Pod, Eviction]]) -> None:
        """Tell all of these pods to go, at once."""
        await asyncio.gather(*(self._evict(pod, eviction) for pod, eviction in evicted))

    async def _evict(self, pod: Pod, eviction: Eviction) -> None:
        self._cluster.leaving.add(pod.uid)
        why = f"{eviction.action}: {eviction.reason}"
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
        async with self._turns:
            try:
                # A Job that leaves disruptions out of its failures knows it by this.
                await self._connection.send("PATCH", f"{path}/status", _disrupted(pod, why), STRATEGIC_PATCH)
                await self._connection.send("DELETE", path, {"preconditions": {"uid": pod.uid}})
            except RunaiError as error:
                _log.info("%s could not be told to go: %s", pod.key, error)
                self._cluster.leaving.discard(pod.uid)
                asyncio.get_running_loop().call_later(_RETRY_S, self._changed)
                return
            try:
                await self._connection.send("POST", f"/api/v1/namespaces/{pod.namespace}/events", _event(pod, why))
            except RunaiError as error:
                _log.warning("No event says why %s went: %s", pod.key, error)


def _disrupted(pod: Pod, why: str) -> Json:
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": TAKEN_FOR_OTHERS,
        "message": why,
        "lastTransitionTime": _now(),
    }
    return {"metadata": {"uid": pod.uid}, "status": {"conditions": [condition]}}


def _event(pod: Pod, why: str) -> Json:
    about = {"apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{pod.name}.", "namespace": pod.namespace},
        "involvedObject": about,
        "type": "Warning",
        "reason": "Evicted",
        "message": why,
        "source": {"component": SCHEDULER},
        "reportingComponent": SCHEDULER,
        "firstTimestamp": _now(),
        "lastTimestamp": _now(),
        "count": 1,
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
