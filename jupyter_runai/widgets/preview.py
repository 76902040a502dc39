"""The planner's answer to what might be submitted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from jupyter_runai.client import AsyncClient
from scheduler_core.errors import RunaiError
from scheduler_core.model import Verdict
from scheduler_core.workload import WorkloadSpec

_SHORTEST_PAUSE_S = 0.25


class Preview:
    """The verdict on the last that was asked about, or the `problem` with it; one question at a time, the newest next.

    Belongs to one event loop.
    """

    def __init__(self, client: AsyncClient, answered: Callable[[], None]) -> None:
        self.spec: WorkloadSpec | None = None
        self.verdict: Verdict | None = None
        self.problem: RunaiError | None = None
        self._client = client
        self._answered = answered
        self._next: Callable[[], WorkloadSpec] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    @property
    def is_current(self) -> bool:
        """Whether the answer is to the newest question."""
        return self._next is None and (self.verdict is not None or self.problem is not None)

    async def current(self, timeout_s: float) -> None:
        """Wait until the answer is to the newest question, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self.is_current:
                    await self._news.wait()

    def ask(self, make: Callable[[], WorkloadSpec]) -> None:
        """Ask about what `make` gives; it is called on a thread of its own, for it may be a person's code."""
        self._next = make
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._ask())

    def stop(self) -> None:
        """Ask no more until asked again."""
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    async def _ask(self) -> None:
        while (make := self._next) is not None:
            spec, verdict, problem = None, None, None
            try:
                spec = await asyncio.to_thread(make)
                verdict = await self._client.engine.preview(spec)
            except RunaiError as error:
                problem = error
            self.spec, self.verdict, self.problem = spec, verdict, problem
            if self._next is make:
                self._next = None
            self._news.set()
            self._news = asyncio.Event()
            self._answered()
            await asyncio.sleep(_SHORTEST_PAUSE_S)
