"""Waiting for the end of workloads: of however many, on one stream of the engine's events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from jupyter_runai.client.outlook import never_starts
from scheduler_core.engine import Engine
from scheduler_core.errors import NotFound
from scheduler_core.workload import EngineState, Event, Workload, WorkloadChanged, WorkloadDeleted


class Settling:
    """Who waits for which workload of an engine.

    `watch` gives all its events from now on, beginning with its state; `asking` bounds the requests at once.
    """

    def __init__(
        self, engine: Engine, watch: Callable[[], AsyncGenerator[Event, None]], asking: asyncio.Semaphore
    ) -> None:
        self._engine = engine
        self._asking = asking
        self._watch = watch
        self._waiting: dict[str, set[asyncio.Future[Workload]]] = {}
        self._watching: asyncio.Task[None] | None = None

    async def settled(self, workload_id: str) -> Workload:
        """The workload once it has ended, or once it is known that it never starts.

        Raises:
            NotFound: there is none of this id, or not any more.
        """
        told: asyncio.Future[Workload] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(workload_id, set()).add(told)
        try:
            # Asked for after it is waited for: what happens in between is not missed.
            async with self._asking:
                workload = await self._engine.get(workload_id)
            if _is_settled(workload):
                return workload
            if self._watching is None:
                self._watching = asyncio.create_task(self._follow())
            return await told
        finally:
            self._waiting.get(workload_id, set()).discard(told)
            if not self._waiting.get(workload_id):
                self._waiting.pop(workload_id, None)

    async def _follow(self) -> None:
        """Tell those who wait, as long as somebody does."""
        try:
            async with aclosing(self._watch()) as events:
                async for event in events:
                    self._tell(event)
                    if not self._waiting:
                        return
        except Exception as error:
            for workload_id in list(self._waiting):
                self._fail(workload_id, error)
        finally:
            self._watching = None

    def _tell(self, event: Event) -> None:
        if isinstance(event, WorkloadDeleted):
            self._fail(event.id, _gone(event.id))
        elif isinstance(event, WorkloadChanged):
            self._note(event.workload)
        elif isinstance(event, EngineState):
            for workload in event.workloads:
                self._note(workload)
            for workload_id in self._waiting.keys() - {workload.id for workload in event.workloads}:
                self._fail(workload_id, _gone(workload_id))

    def _note(self, workload: Workload) -> None:
        if workload.id in self._waiting and _is_settled(workload):
            for told in self._waiting.pop(workload.id):
                if not told.done():
                    told.set_result(workload)

    def _fail(self, workload_id: str, error: Exception) -> None:
        for told in self._waiting.pop(workload_id, ()):
            if not told.done():
                told.set_exception(error)


def _is_settled(workload: Workload) -> bool:
    return workload.has_ended or (workload.state == "pending" and never_starts(workload))


def _gone(workload_id: str) -> NotFound:
    return NotFound(f"There is no workload {workload_id!r} any more.")
