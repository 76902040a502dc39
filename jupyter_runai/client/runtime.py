"""One background thread with an event loop of its own.

A kernel's own loop stops the tasks of a cell when the cell ends, and blocks while it runs; this one does neither.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import Future
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


class Runtime:
    """Runs coroutines for code that has no loop, or must not use the one it has."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="runai", daemon=True).start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result; an interrupt cancels it."""
        future = self.spawn(coroutine)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run beside the caller."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def iterate(self, source: AsyncGenerator[T, None], tick_s: float | None = None) -> Iterator[T | None]:
        """The items of an async iterator; with `tick_s`, null whenever that long passed without one."""
        try:
            while True:
                future = self.spawn(_next(source))
                while not _arrived(future, tick_s):
                    yield None
                try:
                    yield future.result()
                except StopAsyncIteration:
                    return
        finally:
            future.cancel()
            self.spawn(_close(source))


@cache
def runtime() -> Runtime:
    """The one runtime of this process."""
    return Runtime()


def _arrived(future: Future[Any], tick_s: float | None) -> bool:
    try:
        future.exception(timeout=tick_s)
    except TimeoutError:
        # A coroutine may itself have failed with a TimeoutError: then it has arrived.
        return future.done()
    return True


async def _next(source: AsyncGenerator[T, None]) -> T:
    return await anext(source)


async def _close(source: AsyncGenerator[Any, None]) -> None:
    await source.aclose()
