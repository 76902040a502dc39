"""The devices and queues of a cluster as they change, for those who look on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.queue_objects import read_queue
from scheduler_core.kubernetes.api.reflector import Reflector
from scheduler_core.kubernetes.api.resources import QUEUES
from scheduler_core.kubernetes.state.memberships import Memberships
from scheduler_core.kubernetes.state.owners import Owners
from scheduler_core.kubernetes.state.queues import queue_statuses
from scheduler_core.kubernetes.state.shown_devices import shown_devices
from scheduler_core.kubernetes.state.sight import Sight
from scheduler_core.kubernetes.state.snapshot import view
from scheduler_core.workload import Device, QueueStatus

_PAUSE_S = 0.5
"""Between two looks: what changes in a burst is told once."""
_OWNERS_AGAIN_S = 600.0
"""Whose pods are is shown alone: that a gang has been given another size is nothing to those who look on."""


class Live:
    """Devices, none where this user may not see the whole cluster, and queues.

    `changed` is called with whether devices, and whether queues differ from what they were.
    """

    def __init__(
        self, connection: Connection, sight: Sight, owners: Owners, changed: Callable[[bool, bool], None]
    ) -> None:
        self.devices: tuple[Device, ...] = ()
        self.queues: tuple[QueueStatus, ...] = queue_statuses(())
        self._changed = changed
        self._sight = sight
        self._grouping = Memberships(owners, _OWNERS_AGAIN_S)
        self._news = asyncio.Event()
        self._shown = Reflector(connection, QUEUES.path(), read_queue, lambda _: self._news.set())
        self._grouping.changed = self._news.set
        sight.tell(self._seen)

    async def run(self) -> None:
        """Follow them until cancelled.

        Raises:
            RunaiError: not even queues may be read.
        """
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self._shown.run())
            await self._shown.synced.wait()
            await self._sight.known.wait()
            while True:
                self._look()
                await asyncio.sleep(_PAUSE_S)
                await self._news.wait()
                self._news.clear()

    def _seen(self, matters: bool) -> None:
        if matters:
            self._news.set()

    def _look(self) -> None:
        devices: tuple[Device, ...] = ()
        if self._sight.sees_all:
            cluster = self._sight.cluster
            devices = shown_devices(cluster, view(cluster, self._grouping, time.time()))
        queues = queue_statuses(self._shown.records.values())
        others = devices != self.devices, queues != self.queues
        self.devices, self.queues = devices, queues
        if any(others):
            self._changed(*others)
