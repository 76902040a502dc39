"""How often something is drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_SHORTEST_PAUSE_S = 0.25


class Pace:
    """Calls `draw` soon after it is asked for, at most four times a second. Belongs to one event loop."""

    def __init__(self, draw: Callable[[], None]) -> None:
        self._draw = draw
        self._due: asyncio.TimerHandle | None = None
        self._last = 0.0

    def ask(self) -> None:
        if self._due is None:
            loop = asyncio.get_running_loop()
            self._due = loop.call_at(max(loop.time(), self._last + _SHORTEST_PAUSE_S), self._now)

    def stop(self) -> None:
        """Draw no more until asked again."""
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _now(self) -> None:
        self._due = None
        self._last = asyncio.get_running_loop().time()
        self._draw()
