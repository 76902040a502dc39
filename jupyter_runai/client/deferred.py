"""An engine that is opened when it is first asked: what keeps it from opening is then the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractContextManager, aclosing
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, cast

from scheduler_core.engine import Engine
from scheduler_core.staging import travelling_folder


def deferred(opening: Callable[[], Awaitable[Engine]]) -> Engine:
    """The engine that `opening` gives; where that raises, the next call tries again. Belongs to one event loop."""
    return cast(Engine, _Deferred(opening))


class _Deferred:
    """Every method of the port, on the engine once it is open."""

    def __init__(self, opening: Callable[[], Awaitable[Engine]]) -> None:
        self._opening = opening
        self._lock = asyncio.Lock()
        self._engine: Engine | None = None

    async def _opened(self) -> Engine:
        async with self._lock:
            if self._engine is None:
                self._engine = await self._opening()
            return self._engine

    def staging(self) -> AbstractContextManager[Path]:
        """A private folder; what lies there is sent by `submit`."""
        return travelling_folder()

    async def close(self) -> None:
        if self._engine is not None:
            await self._engine.close()
            self._engine = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if iscoroutinefunction(getattr(Engine, name)):
            return self._asking(name)
        return self._streaming(name)

    def _asking(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def ask(*arguments: Any, **options: Any) -> Any:
            return await getattr(await self._opened(), name)(*arguments, **options)

        return ask

    def _streaming(self, name: str) -> Callable[..., AsyncGenerator[Any, None]]:
        async def stream(*arguments: Any, **options: Any) -> AsyncGenerator[Any, None]:
            async with aclosing(getattr(await self._opened(), name)(*arguments, **options)) as items:
                async for item in items:
                    yield item

        return stream
