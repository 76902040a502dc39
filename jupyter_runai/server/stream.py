"""The one WebSocket of each browser tab: events with sequence numbers, and logs that are being followed."""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Annotated, TypeAlias

import msgspec
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from msgspec import Meta, Struct
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from jupyter_runai.client import AsyncClient
from jupyter_runai.server.relay import Relay
from scheduler_core.errors import Conflict, EngineDefect, RunaiError
from scheduler_core.workload import Event

RESOURCE = "runai:workloads"
_MOST_FOLLOWED = 16
_SINCE = re.compile(r"([0-9A-Za-z]+):([0-9]{1,18})")

_Id = Annotated[str, Meta(min_length=1)]
_Offset = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Follow(Struct, frozen=True, tag="follow", forbid_unknown_fields=True):
    """Send the log of a workload from this byte on."""

    workload: _Id
    offset: _Offset = 0


class Unfollow(Struct, frozen=True, tag="unfollow", forbid_unknown_fields=True):
    """Send it no more."""

    workload: _Id


class LogChunk(Struct, frozen=True, tag="log"):
    """A piece of a log that starts at byte `offset`; the next one starts at `next`."""

    workload: str
    offset: int
    next: int
    text: str


class LogEnd(Struct, frozen=True, tag="log_end"):
    """The workload has ended and all its output was sent."""

    workload: str


class StreamError(Struct, frozen=True, tag="error"):
    """Why the stream, or the log of one workload, ends."""

    code: str
    message: str
    hint: str
    workload: str | None = None


ClientMessage: TypeAlias = Follow | Unfollow
ServerMessage: TypeAlias = Event | LogChunk | LogEnd | StreamError


class StreamHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Relays the engine's events to one tab; a slow tab slows only itself."""

    _track_activity = False

    def initialize(self) -> None:
        self._events: asyncio.Task[None] | None = None
        self._logs: dict[str, asyncio.Task[None]] = {}

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
        self._unfollow(asked.workload)
        if isinstance(asked, Unfollow):
            return None
        if len(self._logs) >= _MOST_FOLLOWED:
            refusal = Conflict(f"This tab follows {_MOST_FOLLOWED} logs already.", "Close one of them first.")
            return self._send_error(refusal, asked.workload)
        self._follow(asked)
        return None

    def on_close(self) -> None:
        super().on_close()
        if self._events is not None:
            self._events.cancel()
        for workload_id in list(self._logs):
            self._unfollow(workload_id)

    @property
    def _client(self) -> AsyncClient:
        client: AsyncClient = self.settings["runai_client"]
        return client

    async def _relay_events(self, since: tuple[str, int] | None) -> None:
        relay: Relay = self.settings["runai_relay"]
        async with self._explaining(None), aclosing(relay.subscribe(since)) as events:
            async for event in events:
                await self._send(event)
        self.close()

    async def _relay_log(self, workload_id: str, offset: int) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        async with self._explaining(workload_id):
            async with aclosing(self._client.engine.logs(workload_id, offset, follow=True)) as chunks:
                async for chunk in chunks:
                    end = chunk.offset + len(chunk.data)
                    text = decoder.decode(chunk.data)
                    await self._say(LogChunk(workload=workload_id, offset=chunk.offset, next=end, text=text))
            await self._say(LogEnd(workload=workload_id))

    @asynccontextmanager
    async def _explaining(self, workload_id: str | None) -> AsyncIterator[None]:
        """Send whatever ends a relay before its time."""
        try:
            yield
        except RunaiError as error:
            await self._send_error(error, workload_id)
        except Exception:
            self.log.exception("A stream of jupyter-runai failed")
            defect = EngineDefect("The server extension failed on this stream.", "The Jupyter server's log says why.")
            await self._send_error(defect, workload_id)

    async def _send_error(self, error: RunaiError, workload_id: str | None) -> None:
        record = error.record()
        await self._say(StreamError(code=record.code, message=record.message, hint=record.hint, workload=workload_id))

    async def _say(self, message: LogChunk | LogEnd | StreamError) -> None:
        await self._send(msgspec.json.encode(message).decode())

    async def _send(self, text: str) -> None:
        with suppress(WebSocketClosedError):
            await self.write_message(text)

    def _follow(self, asked: Follow) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            if self._logs.get(asked.workload) is task:
                del self._logs[asked.workload]

        task = asyncio.ensure_future(self._relay_log(asked.workload, asked.offset))
        self._logs[asked.workload] = task
        task.add_done_callback(ended)

    def _unfollow(self, workload_id: str) -> None:
        task = self._logs.pop(workload_id, None)
        if task is not None:
            task.cancel()
