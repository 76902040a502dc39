"""The one WebSocket of each browser tab: events with sequence numbers, and logs that are being followed."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from typing import Any

import msgspec
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from msgspec import Struct
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from jupyter_runai.client import AsyncClient
from scheduler_core.errors import RunaiError

RESOURCE = "runai:workloads"
_MOST_FOLLOWED = 16


class Follow(Struct, frozen=True, tag="follow", forbid_unknown_fields=True):
    """Send the log of a workload from this byte on."""

    workload: str
    offset: int = 0


class Unfollow(Struct, frozen=True, tag="unfollow", forbid_unknown_fields=True):
    """Send it no more."""

    workload: str


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


class StreamHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Relays the engine's events to one tab; a slow tab slows only itself."""

    _track_activity = False

    def initialize(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

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
        epoch, _, seq = self.get_query_argument("since", "").partition(":")
        self._spawn("", self._relay_events((epoch, int(seq)) if seq.isdecimal() else None))

    def on_message(self, message: str | bytes) -> None:
        try:
            asked = msgspec.json.decode(message, type=Follow | Unfollow)
        except msgspec.MsgspecError:
            self.close(1003, "not a message of this protocol")
            return
        self._cancel(asked.workload)
        if isinstance(asked, Follow) and len(self._tasks) <= _MOST_FOLLOWED:
            self._spawn(asked.workload, self._relay_log(asked.workload, asked.offset))

    def on_close(self) -> None:
        super().on_close()
        for key in list(self._tasks):
            self._cancel(key)

    @property
    def _client(self) -> AsyncClient:
        client: AsyncClient = self.settings["runai_client"]
        return client

    async def _relay_events(self, since: tuple[str, int] | None) -> None:
        try:
            async with aclosing(self._client.engine.watch(since)) as events:
                async for event in events:
                    await self._send(event)
        except RunaiError as error:
            await self._send(StreamError(code=error.code, message=error.message, hint=error.hint))
        self.close()

    async def _relay_log(self, workload_id: str, offset: int) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        try:
            async with aclosing(self._client.engine.logs(workload_id, offset, follow=True)) as chunks:
                async for chunk in chunks:
                    start, offset = offset, offset + len(chunk)
                    text = decoder.decode(chunk)
                    await self._send(LogChunk(workload=workload_id, offset=start, next=offset, text=text))
            await self._send(LogEnd(workload=workload_id))
        except RunaiError as error:
            record = error.record()
            await self._send(
                StreamError(code=record.code, message=record.message, hint=record.hint, workload=workload_id)
            )

    async def _send(self, message: object) -> None:
        with suppress(WebSocketClosedError):
            await self.write_message(msgspec.json.encode(message).decode())

    def _spawn(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks[key] = asyncio.ensure_future(work)

    def _cancel(self, key: str) -> None:
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
