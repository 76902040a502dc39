"""The engine's events for all browser tabs of one server: watched once, encoded once, kept for those that come back."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import TypeAlias

import msgspec

from jupyter_runai.server.board import Board, Transition
from scheduler_core.engine import Engine
from scheduler_core.errors import EngineDefect, EngineUnavailable, RunaiError
from scheduler_core.workload import EngineState, Event, Heartbeat

_Backlog: TypeAlias = asyncio.Queue[str | RunaiError]

_log = logging.getLogger(__name__)
_KEPT = 1024
_LONGEST_BACKLOG = _KEPT
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class Relay:
    """Watches an engine from `start` on, whether or not a tab is open; `changed` is told of every transition.

    Where the stream breaks off all tabs are told why, and it is opened again: at once for a tab that asks, else after
    a pause that grows. All methods belong to the server's event loop.
    """

    def __init__(self, engine: Callable[[], Engine], changed: Callable[[Transition], None]) -> None:
        self.board = Board()
        self._engine = engine
        self._changed = changed
        self._kept: deque[str] = deque(maxlen=_KEPT)
        self._state: str | None = None
        self._is_live = False
        self._backlogs: set[_Backlog] = set()
        self._waiting: dict[_Backlog, tuple[str, int] | None] = {}
        self._wanted = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    @property
    def is_live(self) -> bool:
        """Whether the board shows the engine as it is now."""
        return self._is_live

    @property
    def clients(self) -> int:
        """How many tabs listen."""
        return len(self._backlogs) + len(self._waiting)

    def start(self) -> None:
        """Begin to watch, unless that was done before."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Watch no more."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching

    async def subscribe(self, since: tuple[str, int] | None) -> AsyncGenerator[str, None]:
        """The JSON of all events after `since` where they are still kept, else of a full state and what follows it.

        The first comes at once: a heartbeat where nothing was missed. A tab that is too slow gets a full state instead
        of what it did not take.

        Raises:
            RunaiError: why the engine cannot be watched, or not any more.
        """
        self.start()
        self._wanted.set()
        backlog: _Backlog = asyncio.Queue(_LONGEST_BACKLOG)
        if self._is_live:
            self._join(backlog, since)
        else:
            self._waiting[backlog] = since
        try:
            while True:
                said = await backlog.get()
                if isinstance(said, RunaiError):
                    raise said
                yield said
        finally:
            self._waiting.pop(backlog, None)
            self._backlogs.discard(backlog)

    def _join(self, backlog: _Backlog, since: tuple[str, int] | None) -> None:
        for text in self._after(since):
            backlog.put_nowait(text)
        self._backlogs.add(backlog)

    def _after(self, since: tuple[str, int] | None) -> list[str]:
        epoch, seq = self.board.epoch, self.board.seq
        if since is None or since[0] != epoch or not seq - len(self._kept) <= since[1] <= seq:
            return [self._full_state()]
        missed = seq - since[1]
        return list(self._kept)[len(self._kept) - missed :] or [_encoded(Heartbeat(epoch=epoch, seq=seq))]

    def _full_state(self) -> str:
        if self._state is None:
            self._state = _encoded(self.board.state())
        return self._state

    async def _watch(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            error = await self._watch_once()
            pause_s = _FIRST_PAUSE_S if self._is_live else min(_LONGEST_PAUSE_S, 2 * pause_s)
            self._lose(error)
            await asyncio.sleep(_FIRST_PAUSE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wanted.wait()

    async def _watch_once(self) -> RunaiError:
        """Take over events until the stream breaks off; why it did."""
        self._wanted.clear()
        since = (self.board.epoch, self.board.seq) if self.board.info is not None else None
        try:
            async with aclosing(self._engine().watch(since)) as events:
                async for event in events:
                    self._take(event)
        except RunaiError as error:
            return error
        except Exception:
            _log.exception("The engine's events could not be followed")
            return EngineDefect("The server extension failed on this stream.", "The Jupyter server's log says why.")
        return EngineUnavailable("The engine has left.", "It is asked again.")

    def _take(self, event: Event) -> None:
        transitions = self.board.apply(event)
        text = _encoded(event)
        if isinstance(event, EngineState):
            self._kept.clear()
            self._state = text
        elif not isinstance(event, Heartbeat):
            self._kept.append(text)
            self._state = None
        for backlog in self._backlogs:
            try:
                backlog.put_nowait(text)
            except asyncio.QueueFull:
                _instead(backlog, self._full_state())
        self._is_live = True
        while self._waiting:
            self._join(*self._waiting.popitem())
        for transition in transitions:
            self._changed(transition)

    def _lose(self, error: RunaiError) -> None:
        self._is_live = False
        for backlog in (*self._backlogs, *self._waiting):
            _instead(backlog, error)
        self._backlogs.clear()
        self._waiting.clear()


def _instead(backlog: _Backlog, said: str | RunaiError) -> None:
    while not backlog.empty():
        backlog.get_nowait()
    backlog.put_nowait(said)


def _encoded(event: Event) -> str:
    return msgspec.json.encode(event).decode()
