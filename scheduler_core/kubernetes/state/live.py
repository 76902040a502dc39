"""The devices and queues of a cluster as they change, for those who look on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from scheduler_core.errors import NotAllowed
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.queue_objects import read_queue
from scheduler_core.kubernetes.api.reflector import Reflector
from scheduler_core.kubernetes.api.resources import QUEUES
from scheduler_core.kubernetes.state.cluster import Cluster
from scheduler_core.kubernetes.state.membership import Grouping, membership
from scheduler_core.kubernetes.state.mirror import mirrored
from scheduler_core.kubernetes.state.queues import queue_statuses
from scheduler_core.kubernetes.state.shown_devices import shown_devices
from scheduler_core.kubernetes.state.snapshot import view
from scheduler_core.workload import Device, QueueStatus

_PAUSE_S = 0.5
"""Between two looks: what changes in a burst is told once."""
_OF_THE_WHOLE_CLUSTER = ("/api/v1/nodes", "/api/v1/pods")


class Live:
    """Devices, none where this user may not see the whole cluster, and queues.

    `changed` is called with whether devices, and whether queues differ from what they were.
    """

    def __init__(
        self, connection: Connection, changed: Callable[[bool, bool], None], grouping: Grouping = membership
    ) -> None:
        self.devices: tuple[Device, ...] = ()
        self.queues: tuple[QueueStatus, ...] = queue_statuses(())
        self._connection = connection
        self._changed = changed
        self._grouping = grouping
        self._cluster = Cluster()
        self._news = asyncio.Event()
        self._shown = Reflector(connection, QUEUES.path(), read_queue, lambda changes: self._news.set())

    async def run(self) -> None:
        """Follow them until cancelled.

        Raises:
            RunaiError: not even queues may be read.
        """
        sees_all = await self._sees_all()
        mirroring = mirrored(self._connection, self._cluster, self._news.set) if sees_all else ()
        reflectors: tuple[Reflector[Any], ...] = (self._shown, *mirroring)
        async with asyncio.TaskGroup() as parts:
            for reflector in reflectors:
                parts.create_task(reflector.run())
            for reflector in reflectors:
                await reflector.synced.wait()
            while True:
                self._look(sees_all)
                await asyncio.sleep(_PAUSE_S)
                await self._news.wait()
                self._news.clear()

    async def _sees_all(self) -> bool:
        try:
            for path in _OF_THE_WHOLE_CLUSTER:
                await self._connection.raw(path, limit="1")
        except NotAllowed:
            return False
        return True

    def _look(self, sees_all: bool) -> None:
        seen = view(self._cluster, self._grouping, time.time()) if sees_all else None
        devices = () if seen is None else shown_devices(self._cluster, seen)
        queues = queue_statuses(self._shown.records.values())
        others = devices != self.devices, queues != self.queues
        self.devices, self.queues = devices, queues
        if any(others):
            self._changed(*others)
