"""Events with consecutive numbers, kept for a while so that a client that dropped out can go on where it was."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Callable

from scheduler_core.workload import EngineState, Event, Heartbeat, PlannerTime

HEARTBEAT_S = 10.0
_KEPT = 2048
_LONGEST_BACKLOG = 1024


class Feed:
    """One engine run's events. `state` makes a full state for a given (epoch, seq)."""

    def __init__(
        self, state: Callable[[str, int], EngineState], planner: Callable[[], PlannerTime | None] = lambda: None
    ) -> None:
        self.epoch = secrets.token_hex(4)
        self.seq = 0
        self._state = state
        self._planner = planner
        self._kept: deque[Event] = deque(maxlen=_KEPT)
        self._backlogs: set[asyncio.Queue[Event]] = set()

    def publish(self, make: Callable[[str, int], Event]) -> None:
        """Number an event and hand it to everyone; `make` gets (epoch, seq)."""
        self.seq += 1
        event = make(self.epoch, self.seq)
        self._kept.append(event)
        for backlog in list(self._backlogs):
            try:
                backlog.put_nowait(event)
            except asyncio.QueueFull:
                # Too slow to be told everything: it starts over from a full state.
                while not backlog.empty():
                    backlog.get_nowait()
                backlog.put_nowait(self._state(self.epoch, self.seq))

    async def subscribe(self, since: tuple[str, int] | None) -> AsyncGenerator[Event, None]:
        """All events after `since` where they are still kept, else a full state and what follows it.

        The first event comes at once: a heartbeat where nothing was missed.
        """
        backlog: asyncio.Queue[Event] = asyncio.Queue(_LONGEST_BACKLOG)
        missed = self._after(since)
        self._backlogs.add(backlog)
        try:
            for event in missed or [self._heartbeat()]:
                yield event
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        event = await backlog.get()
                except TimeoutError:
                    event = self._heartbeat()
                yield event
        finally:
            self._backlogs.discard(backlog)

    def _heartbeat(self) -> Heartbeat:
        return Heartbeat(epoch=self.epoch, seq=self.seq, planner=self._planner())

    def _after(self, since: tuple[str, int] | None) -> list[Event]:
        if since is not None and since[0] == self.epoch:
            first = self.seq - len(self._kept)
            if first <= since[1] <= self.seq:
                return list(self._kept)[since[1] - first :]
        return [self._state(self.epoch, self.seq)]
