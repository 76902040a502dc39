"""The client for code that runs on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from jupyter_runai.client.chosen import chosen_engine
from jupyter_runai.client.settling import Settling
from jupyter_runai.submission.travelling import for_pods, for_this_host
from scheduler_core.engine import Engine
from scheduler_core.errors import Conflict, EngineUnavailable, NotFound
from scheduler_core.local import LocalEngine
from scheduler_core.workload import EngineState, Event, Output, Workload, WorkloadChanged, WorkloadSpec

T = TypeVar("T")

TaskOutput: TypeAlias = tuple[int, bytes]
"""What a task has written: its index, and the bytes."""
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 3.0
_MOST_FAILURES = 10
_MOST_AT_ONCE = 32
"""An engine's socket refuses more new connections than it has room for in its queue."""


class AsyncClient:
    """An engine with what every client needs beside the port: names, and following to the end.

    `engine` is the port itself; without one, what this user has chosen is taken (`chosen_engine`), started when first
    asked.
    """

    def __init__(self, engine: Engine | None = None) -> None:
        self.engine: Engine = chosen_engine() if engine is None else engine
        self._asking = asyncio.Semaphore(_MOST_AT_ONCE)
        self._settling = Settling(self.engine, self.events, self._asking)

    async def submit(self, spec: WorkloadSpec, inputs: Path | None = None) -> Workload:
        """Store a workload; where it does not run on this host, what it needs of it goes along."""
        if not isinstance(self.engine, LocalEngine) and (await self.engine.info()).kind == "kubernetes":
            spec = await asyncio.to_thread(for_pods, spec, inputs)
        else:
            spec = for_this_host(spec, inputs)
        return await self.engine.submit(spec, inputs)

    async def find(self, reference: str) -> Workload:
        """The workload of this id or name; of several with one name one's own, the live one, else the newest.

        Raises:
            NotFound: no workload is called so; the hint names the nearest.
            Conflict: several live ones are.
        """
        workloads = await self.engine.list()
        for workload in workloads:
            if workload.id == reference:
                return workload
        named = [workload for workload in workloads if workload.name == reference]
        if len({workload.owner for workload in named}) > 1:
            user = (await self.engine.info()).user
            named = [workload for workload in named if workload.owner == user] or named
        live = [workload for workload in named if not workload.has_ended]
        if len(live) > 1:
            ids = ", ".join(workload.id for workload in live)
            raise Conflict(f"{len(live)} running or waiting workloads are called {reference}.", f"Use an id: {ids}.")
        if named:
            return max(live or named, key=lambda workload: workload.created)
        nearest = get_close_matches(reference, {workload.name for workload in workloads}, 1)
        hint = f"Did you mean {nearest[0]}?" if nearest else "See %runai list."
        raise NotFound(f"There is no workload called {reference!r}.", hint)

    async def events(self, broke_off: Callable[[], None] = lambda: None) -> AsyncGenerator[Event, None]:
        """Everything that happens, from a full state on; goes on by itself when the engine restarts in between.

        `broke_off` is called each time that the stream does so.
        """
        since: tuple[str, int] | None = None
        async with aclosing(_persistent(lambda: self.engine.watch(since), broke_off)) as events:
            async for event in events:
                since = (event.epoch, event.seq)
                yield event

    async def follow(self, workload_id: str) -> AsyncGenerator[Workload | bytes, None]:
        """The workload at each change and its output as it comes, until it has ended and all was said.

        Goes on by itself when the engine restarts in between.
        """
        async with aclosing(self.follow_tasks(workload_id, (0,))) as updates:
            async for update in updates:
                yield update[1] if isinstance(update, tuple) else update

    async def follow_tasks(
        self, workload_id: str, tasks: Iterable[int], offsets: Mapping[int, int] = MappingProxyType({})
    ) -> AsyncGenerator[Workload | TaskOutput, None]:
        """As `follow`, with the output of each of these tasks, from the byte on that `offsets` has for it."""
        updates: asyncio.Queue[Workload | TaskOutput | BaseException | None] = asyncio.Queue(256)
        followers = [
            asyncio.ensure_future(_into(updates, self.changes(workload_id))),
            *(
                asyncio.ensure_future(_into(updates, self._labelled_output(workload_id, task, offsets.get(task, 0))))
                for task in tasks
            ),
        ]
        open_ends = len(followers)
        try:
            while open_ends:
                update = await updates.get()
                if isinstance(update, BaseException):
                    raise update
                if update is None:
                    open_ends -= 1
                else:
                    yield update
        finally:
            for follower in followers:
                follower.cancel()
            await asyncio.gather(*followers, return_exceptions=True)

    async def settled(self, workload_id: str) -> Workload:
        """The workload once it has ended, or once it is known that it never starts."""
        return await self._settling.settled(workload_id)

    async def results(self, workload: Workload) -> list[Path]:
        """The folder of each task's results, in their order."""
        return await asyncio.gather(*(self._results(workload.id, task) for task in range(workload.tasks)))

    async def _results(self, workload_id: str, task: int) -> Path:
        async with self._asking:
            return await self.engine.results(workload_id, task)

    async def changes(self, workload_id: str) -> AsyncGenerator[Workload, None]:
        """The workload as it is, and at each change, until it has ended."""
        async with aclosing(self.events()) as events:
            async for event in events:
                workload = _workload_in(event, workload_id)
                if workload is not None:
                    yield workload
                    if workload.has_ended:
                        return

    async def _labelled_output(self, workload_id: str, task: int, offset: int) -> AsyncGenerator[TaskOutput, None]:
        async with aclosing(self.output(workload_id, task, offset)) as pieces:
            async for piece in pieces:
                yield task, piece

    async def output(self, workload_id: str, task: int = 0, offset: int = 0) -> AsyncGenerator[bytes, None]:
        """A task's output from byte `offset` until the workload has ended, through restarts of the engine."""
        stream = _persistent(lambda: self.engine.logs(workload_id, offset, follow=True, task=task))
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                yield joined(piece, offset)
                offset = piece.offset + len(piece.data)


def joined(piece: Output, offset: int) -> bytes:
    """A piece of output behind what came before and ended at `offset`; where some is missing, a line says so."""
    missing = piece.offset - offset
    return (
        f"runai: {missing:,} bytes of output are not kept any more.\n".encode() + piece.data if missing else piece.data
    )


def _workload_in(event: Event, workload_id: str) -> Workload | None:
    """The workload as an event shows it; null when the event is not about it."""
    if isinstance(event, EngineState):
        for workload in event.workloads:
            if workload.id == workload_id:
                return workload
        raise NotFound(f"There is no workload {workload_id!r} any more.")
    return event.workload if isinstance(event, WorkloadChanged) and event.workload.id == workload_id else None


async def _persistent(
    open_stream: Callable[[], AsyncGenerator[T, None]], broke_off: Callable[[], None] = lambda: None
) -> AsyncGenerator[T, None]:
    """A stream to its end, opened again where it breaks off; the tenth failure in a row is raised."""
    failures = 0
    while True:
        try:
            async with aclosing(open_stream()) as items:
                async for item in items:
                    failures = 0
                    yield item
            return
        except EngineUnavailable:
            if failures >= _MOST_FAILURES:
                raise
        failures += 1
        broke_off()
        await asyncio.sleep(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (failures - 1)))


async def _into(
    updates: asyncio.Queue[Workload | TaskOutput | BaseException | None],
    source: AsyncGenerator[Workload | TaskOutput, None],
) -> None:
    end: BaseException | None = None
    try:
        async with aclosing(source) as opened:
            async for update in opened:
                await updates.put(update)
    except Exception as error:
        end = error
    await updates.put(end)
