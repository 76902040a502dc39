"""What has to be looked at: each thing once, however often it was named, and never by two at the same time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from scheduler_core.errors import RunaiError

_log = logging.getLogger(__name__)

_BACKOFF_S = (0.5, 60.0)


class WorkQueue:
    """Keys, in the order in which they came; `look` is called with each, by so many workers `at_once`.

    What fails is looked at again, later each time.
    """

    def __init__(self, look: Callable[[str], Awaitable[None]], at_once: int) -> None:
        self._look = look
        self._at_once = at_once
        self._waiting: dict[str, None] = {}
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._failures: dict[str, int] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._news = asyncio.Semaphore(0)

    def add(self, key: str) -> None:
        """Have it looked at, once more where somebody is just doing that."""
        if key in self._busy:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = None
            self._news.release()

    def add_later(self, key: str, seconds: float) -> None:
        """Have it looked at then, and not at the time that was named before."""
        self.forget_time(key)
        self._timers[key] = asyncio.get_running_loop().call_later(max(0.0, seconds), self._due, key)

    def forget_time(self, key: str) -> None:
        """Leave it until it is named again."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    async def run(self) -> None:
        """Work until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._at_once):
                    group.create_task(self._work())
        finally:
            for key in list(self._timers):
                self.forget_time(key)

    async def _work(self) -> None:
        while True:
            await self._news.acquire()
            key = next(iter(self._waiting))
            del self._waiting[key]
            self._busy.add(key)
            try:
                await self._look(key)
                self._failures.pop(key, None)
            except RunaiError as error:
                self._failed(key, error)
            finally:
                self._busy.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    def _failed(self, key: str, error: RunaiError) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        pause = min(_BACKOFF_S[1], _BACKOFF_S[0] * 2 ** min(failures - 1, 10))
        _log.warning("%s is looked at again in %.1f s: %s", key, pause, error)
        self.add_later(key, pause)

    def _due(self, key: str) -> None:
        self._timers.pop(key, None)
        self.add(key)
