"""The one WebSocket of each browser tab: events with sequence numbers, and what it follows of single workloads."""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

import msgspec
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from jupyter_runai.client import AsyncClient
from jupyter_runai.server.messages import (
    ClientMessage,
    Follow,
    LogChunk,
    LogEnd,
    Measure,
    Measurements,
    StreamError,
    Topic,
    Unfollow,
    Unmeasure,
)
from jupyter_runai.server.relay import Relay
from scheduler_core.errors import Conflict, EngineDefect, RunaiError
from scheduler_core.workload import Step

RESOURCE = "runai:workloads"
_MOST_FOLLOWED = 16
_TOO_MANY: dict[Topic, str] = {
    "log": f"This tab follows {_MOST_FOLLOWED} logs already.",
    "measurements": f"This tab follows what {_MOST_FOLLOWED} workloads use already.",
}
_SINCE = re.compile(r"([0-9A-Za-z]+):([0-9]{1,18})")


class _Followed(NamedTuple):
    """What a tab follows of one workload; of measurements in which steps."""

    topic: Topic
    workload: str
    step: Step | None = None


class StreamHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Relays the engine's events to one tab; a slow tab slows only itself."""

    _track_activity = False

    def initialize(self) -> None:
        self._events: asyncio.Task[None] | None = None
        self._followed: dict[_Followed, asyncio.Task[None]] = {}

    @ws_authenticated
    async def get(self) -> None:
        """Open the socket for whoever may read workloads."""
        user = self.current_user
        allowed = self.authorizer.is_authorized(self, user, "read", RESOURCE)
        if not (await allowed if isinstance(allowed, Coroutine) else allowed):
            raise web.HTTPError(403)
        await super().get()

    def open(self) -> None:
        super().open()
        since = _SINCE.fullmatch(self.get_query_argument("since", ""))
        self._events = asyncio.ensure_future(self._relay_events((since[1], int(since[2])) if since else None))

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        try:
            asked = msgspec.json.decode(message, type=ClientMessage)
        except (msgspec.MsgspecError, UnicodeError):
            self.close(1003, "not a message of this protocol")
            return None
        match asked:
            case Follow():
                return self._follow(_Followed("log", asked.workload), partial(self._relay_log, asked))
            case Measure():
                followed = _Followed("measurements", asked.workload, asked.step)
                return self._follow(followed, partial(self._relay_measurements, asked))
            case Unfollow():
                self._unfollow(_Followed("log", asked.workload))
            case Unmeasure():
                self._unfollow(_Followed("measurements", asked.workload, asked.step))
        return None

    def on_close(self) -> None:
        super().on_close()
        if self._events is not None:
            self._events.cancel()
        for followed in list(self._followed):
            self._unfollow(followed)

    @property
    def _client(self) -> AsyncClient:
        client: AsyncClient = self.settings["runai_client"]
        return client

    async def _relay_events(self, since: tuple[str, int] | None) -> None:
        relay: Relay = self.settings["runai_relay"]
        async with self._explaining("events"), aclosing(relay.subscribe(since)) as events:
            async for event in events:
                await self._send(event)
        self.close()

    async def _relay_log(self, asked: Follow) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        workload = asked.workload
        async with self._explaining("log", workload):
            async with aclosing(self._client.engine.logs(workload, asked.offset, follow=True)) as chunks:
                async for chunk in chunks:
                    end = chunk.offset + len(chunk.data)
                    text = decoder.decode(chunk.data)
                    await self._say(LogChunk(workload=workload, offset=chunk.offset, next=end, text=text))
            await self._say(LogEnd(workload=workload))

    async def _relay_measurements(self, asked: Measure) -> None:
        workload, step = asked.workload, asked.step
        async with self._explaining("measurements", workload):
            steps = self._client.engine.follow_measurements(workload, step, asked.since)
            async with aclosing(steps) as pieces:
                async for measured in pieces:
                    await self._say(Measurements(workload=workload, step=step, measurements=measured))

    @asynccontextmanager
    async def _explaining(self, topic: Topic, workload: str | None = None) -> AsyncIterator[None]:
        """Send whatever ends a relay before its time."""
        try:
            yield
        except RunaiError as error:
            await self._send_error(error, topic, workload)
        except Exception:
            self.log.exception("A stream of jupyter-runai failed")
            defect = EngineDefect("The server extension failed on this stream.", "The Jupyter server's log says why.")
            await self._send_error(defect, topic, workload)

    async def _send_error(self, error: RunaiError, topic: Topic, workload: str | None) -> None:
        record = error.record()
        await self._say(
            StreamError(code=record.code, message=record.message, hint=record.hint, topic=topic, workload=workload)
        )

    async def _say(self, message: LogChunk | LogEnd | Measurements | StreamError) -> None:
        await self._send(msgspec.json.encode(message).decode())

    async def _send(self, text: str) -> None:
        with suppress(WebSocketClosedError):
            await self.write_message(text)

    def _follow(self, followed: _Followed, relay: Callable[[], Coroutine[Any, Any, None]]) -> Awaitable[None] | None:
        """Begin to send this, anew where it is sent already; where it is too much the answer says so."""
        self._unfollow(followed)
        if sum(other.topic == followed.topic for other in self._followed) >= _MOST_FOLLOWED:
            refusal = Conflict(_TOO_MANY[followed.topic], "Close one of them first.")
            return self._send_error(refusal, followed.topic, followed.workload)

        def ended(task: asyncio.Task[None]) -> None:
            if self._followed.get(followed) is task:
                del self._followed[followed]

        self._followed[followed] = task = asyncio.ensure_future(relay())
        task.add_done_callback(ended)
        return None

    def _unfollow(self, followed: _Followed) -> None:
        task = self._followed.pop(followed, None)
        if task is not None:
            task.cancel()
