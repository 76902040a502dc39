"""The daemon as its clients reach it: found or started, asked, and asked again where another took its place."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from tornado.httpclient import HTTPClientError
from tornado.netutil import Resolver
from tornado.websocket import WebSocketClientConnection, websocket_connect

from scheduler_core.errors import (
    EngineDefect,
    EngineUnavailable,
    ErrorRecord,
    NotFound,
    RunaiError,
    error_from_record,
)
from scheduler_core.local.client.connections import Answer, Connections, NothingSent
from scheduler_core.local.client.finding import Found
from scheduler_core.local.machine.identity import Process, start_of
from scheduler_core.local.record.runs import ended
from scheduler_core.local.wire.protocol import COMPLETE, PROTOCOL, Endpoint
from scheduler_core.sockets import short_socket_path

T = TypeVar("T")

_LEAVES_WITHIN_S = 60.0
_PAUSE_S = 0.1
_LARGEST_MESSAGE = 64 * 1024 * 1024


class Daemon:
    """The daemon of one engine. All methods belong to one event loop."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._connecting = asyncio.Lock()
        self._connection: _Connection | None = None

    async def shut_down(self) -> None:
        """Ask it to leave; running workloads go on. Returns when it has left."""
        endpoint = await asyncio.to_thread(self._found.daemon)
        if endpoint is not None:
            await _shut_down(endpoint)

    async def ask(self, method: str, path: str, answer: type[T], body: object = None, repeatable: bool = True) -> T:
        """One request; where the daemon has left meanwhile, its successor is asked what is safe to ask twice."""
        response = await self._through(lambda daemon: daemon.ask(method, path, body), repeatable)
        return _decoded(response, answer)

    async def stream(self, path: str) -> AsyncGenerator[str | bytes, None]:
        """What it sends, message by message.

        Raises:
            NotFound: there is no such workload.
            EngineUnavailable: it has left before the end.
        """
        stream = await self._through(lambda daemon: daemon.stream(path), repeatable=True)
        try:
            while (message := await stream.read_message()) is not None:
                yield message
            if stream.close_code == 4000 + NotFound.status:
                raise NotFound(stream.close_reason or "There is no such workload.")
            if stream.close_code != COMPLETE:
                raise EngineUnavailable("The engine has left in the middle of its answer.", "Try again.")
        finally:
            stream.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _through(self, act: Callable[[_Connection], Awaitable[T]], repeatable: bool) -> T:
        """What the daemon says, or its successor: one that was killed may seem to listen a moment longer."""
        connection = await self._connect()
        pauses = iter((0.0, _PAUSE_S))
        while True:
            try:
                return await act(connection)
            except EngineUnavailable as error:
                pause = next(pauses, None)
                if pause is None or not (repeatable or isinstance(error, NothingSent)):
                    raise
                await asyncio.sleep(pause)
                connection = await self._reconnect(connection)

    async def _connect(self) -> _Connection:
        async with self._connecting:
            if self._connection is None:
                self._connection = _Connection(await self._endpoint())
            return self._connection

    async def _reconnect(self, failed: _Connection) -> _Connection:
        if self._connection is failed:
            self.close()
        return await self._connect()

    async def _endpoint(self) -> Endpoint:
        endpoint = await asyncio.to_thread(self._found.daemon)
        if endpoint is not None and endpoint.protocol < PROTOCOL and not self._found.is_shared:
            # Its workloads do not notice: this client's daemon adopts them.
            await _shut_down(endpoint)
            endpoint = None
        if endpoint is None:
            endpoint = await asyncio.to_thread(self._found.start)
        if endpoint.protocol != PROTOCOL:
            raise EngineUnavailable(
                f"The engine speaks protocol {endpoint.protocol}, this jupyter-runai {PROTOCOL}.",
                "Upgrade jupyter-runai in this environment and restart the kernel."
                if endpoint.protocol > PROTOCOL
                else "Ask its administrator to upgrade it.",
            )
        return endpoint


class _Connection:
    """HTTP and streams to one daemon."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._open = ExitStack()
        path = self._open.enter_context(short_socket_path(Path(endpoint.socket)))
        self._resolver = _SocketResolver(path)
        self._http = Connections(path)

    async def ask(self, method: str, path: str, body: object) -> Answer:
        return await self._http.ask(method, f"/v1/{path}", msgspec.json.encode(body) if method == "POST" else b"")

    async def stream(self, path: str) -> WebSocketClientConnection:
        url = f"ws://engine/v1/{path}"
        try:
            return await websocket_connect(url, resolver=self._resolver, max_message_size=_LARGEST_MESSAGE)
        except (OSError, HTTPClientError) as error:
            if isinstance(error, HTTPClientError) and error.response is not None and error.response.body:
                raise _error_in(Answer(error.response.code, error.response.body)) from None
            raise EngineUnavailable(f"The engine did not answer: {error}.", "Try again.") from error

    def close(self) -> None:
        self._http.close()
        self._open.close()


class _SocketResolver(Resolver):
    """Every name is the daemon's socket."""

    def initialize(self, path: str) -> None:
        self._path = path

    async def resolve(self, host: str, port: int, family: int = 0) -> list[tuple[int, Any]]:
        return [(socket.AF_UNIX, self._path)]


def _decoded(response: Answer, answer: type[T]) -> T:
    if response.status < 300:
        return msgspec.json.decode(response.body or b"null", type=answer)
    raise _error_in(response)


def _error_in(response: Answer) -> RunaiError:
    try:
        return error_from_record(msgspec.json.decode(response.body, type=ErrorRecord))
    except msgspec.MsgspecError:
        return EngineDefect(f"The engine answered with status {response.status}.")


async def _shut_down(endpoint: Endpoint) -> None:
    connection = _Connection(endpoint)
    try:
        _decoded(await connection.ask("POST", "shutdown", None), type(None))
    finally:
        connection.close()
    await gone(endpoint.pid)


async def gone(pid: int) -> None:
    """Wait until a daemon has left.

    Raises:
        EngineUnavailable: it does not.
    """
    start = start_of(pid)
    if start is not None:
        try:
            async with asyncio.timeout(_LEAVES_WITHIN_S):
                await ended(Process(pid, start))
        except TimeoutError:
            raise EngineUnavailable(f"The engine (pid {pid}) does not leave.", "Look at it, or end it.") from None
