"""One watch of the engine for all that a process shows of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from functools import cache

from jupyter_runai.client import AsyncClient, shared_client
from scheduler_core.errors import EngineUnavailable, RunaiError
from scheduler_core.workload import (
    Device,
    DevicesChanged,
    EngineInfo,
    EngineState,
    Event,
    QueuesChanged,
    QueueStatus,
    Workload,
    WorkloadChanged,
    WorkloadDeleted,
)


class Watch:
    """What the engine told last, kept up to date as long as somebody has joined.

    All of it belongs to the runtime's event loop. `lost_at` is since when nothing is heard, in seconds since the epoch;
    `problem` why nothing will be heard any more.
    """

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.info: EngineInfo | None = None
        self.devices: tuple[Device, ...] = ()
        self.queues: tuple[QueueStatus, ...] = ()
        self.workloads: dict[str, Workload] = {}
        self.lost_at: float | None = None
        self.problem: RunaiError | None = None
        self._members: set[Callable[[], None]] = set()
        self._following: asyncio.Task[None] | None = None
        self._told = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether the engine is being watched."""
        return self._following is not None and not self._following.done()

    async def join(self, changed: Callable[[], None]) -> None:
        """Call `changed` at each change; returns when the state is known, or known to be out of reach."""
        self._members.add(changed)
        if not self.is_open:
            self._told.clear()
            self.problem = None
            self._following = asyncio.ensure_future(self._follow())
        try:
            await self._told.wait()
        except asyncio.CancelledError:
            await self.leave(changed)
            raise

    async def leave(self, changed: Callable[[], None]) -> None:
        """Call it no more; the last one closes the watch."""
        self._members.discard(changed)
        if self._following is not None and not self._members:
            following, self._following = self._following, None
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _follow(self) -> None:
        try:
            async with aclosing(self.client.events(self._broke_off)) as events:
                async for event in events:
                    self._take(event)
                    self._tell()
            self.problem = EngineUnavailable("The engine has ended its stream.", "Run the cell again.")
        except RunaiError as error:
            self.problem = error
        self._tell()

    def _take(self, event: Event) -> None:
        self.lost_at = None
        match event:
            case EngineState():
                self.info, self.devices, self.queues = event.info, event.devices, event.queues
                self.workloads = {workload.id: workload for workload in event.workloads}
            case WorkloadChanged():
                self.workloads[event.workload.id] = event.workload
            case WorkloadDeleted():
                self.workloads.pop(event.id, None)
            case DevicesChanged():
                self.devices = event.devices
            case QueuesChanged():
                self.queues = event.queues

    def _broke_off(self) -> None:
        if self.lost_at is None:
            self.lost_at = time.time()
        self._tell(known=False)

    def _tell(self, known: bool = True) -> None:
        if known:
            self._told.set()
        for changed in list(self._members):
            changed()


def shared_watch() -> Watch:
    """The watch of this process, on the engine that it is pointed to now."""
    return _watch_of(shared_client().asynchronous)


@cache
def _watch_of(client: AsyncClient) -> Watch:
    return Watch(client)
