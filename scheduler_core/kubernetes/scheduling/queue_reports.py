"""What each queue is granted, holds and asks for, written into its object."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from scheduler_core.errors import RunaiError
from scheduler_core.kubernetes.api.connection import MERGE_PATCH, Connection
from scheduler_core.kubernetes.api.queue_objects import GpuQueueStatus
from scheduler_core.kubernetes.api.resources import QUEUES
from scheduler_core.kubernetes.state.cluster import Cluster
from scheduler_core.kubernetes.state.queues import queue_statuses
from scheduler_core.model import QueueShare
from scheduler_core.workload import QueueStatus

_PAUSE_S = 1.0
_log = logging.getLogger(__name__)


class QueueReports:
    """Writes what has changed of the newest plan, once a second at most."""

    def __init__(self, connection: Connection, cluster: Cluster) -> None:
        self._connection = connection
        self._cluster = cluster
        self._wanted: dict[str, GpuQueueStatus] = {}
        self._news = asyncio.Event()

    def tell(self, shares: Iterable[QueueShare]) -> None:
        """The shares of all queues."""
        self._wanted = statuses(shares)
        self._news.set()

    def queues(self) -> tuple[QueueStatus, ...]:
        """All queues with these shares; where nobody has made one there is `default`."""
        known = queue_statuses(self._cluster.queues.values())
        return tuple(
            queue
            if (share := self._wanted.get(queue.name)) is None
            else replace(queue, fair_share=share.fair_share, allocated=share.allocated, requested=share.requested)
            for queue in known
        )

    async def run(self) -> None:
        """Write, for ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            for name, status in self._wanted.items():
                known = self._cluster.queues.get(name)
                if known is not None and known.status != status:
                    await self._write(name, status)
            await asyncio.sleep(_PAUSE_S)

    async def _write(self, name: str, status: GpuQueueStatus) -> None:
        change = {"status": msgspec.to_builtins(status)}
        try:
            await self._connection.send("PATCH", QUEUES.path(name=name, part="status"), change, MERGE_PATCH)
        except RunaiError as error:
            _log.info("The figures of %s could not be written down: %s", name, error)


def statuses(shares: Iterable[QueueShare]) -> dict[str, GpuQueueStatus]:
    """The devices of each queue, in all pools together."""
    found: dict[str, GpuQueueStatus] = {}
    for share in shares:
        if share.resource == "gpu":
            before = found.get(share.queue, GpuQueueStatus(fair_share=0.0))
            found[share.queue] = GpuQueueStatus(
                fair_share=_sum(before.fair_share, share.fair_share),
                allocated=before.allocated + share.allocated,
                requested=before.requested + share.requested,
            )
    return found


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
