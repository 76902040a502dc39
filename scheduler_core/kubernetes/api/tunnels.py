"""Connections to what listens in pods: straight to a pod where that can be reached, else through the API server."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from scheduler_core.errors import Conflict, RunaiError
from scheduler_core.kubernetes.api.connection import Connection, Frames

_log = logging.getLogger(__name__)

_PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1
_PORT_SIZE = 2
_AT_ONCE = 65_536
_LONGEST_LINE = 16 * 1024 * 1024
_PATIENCE_S = 3.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_IN_A_POD = "KUBERNETES_SERVICE_HOST"

Ends: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Place(Struct, frozen=True):
    """A pod: its path in the API, and its address in the cluster's network."""

    path: str
    ip: str


class Door:
    """Ports of this host at which what listens in a pod is reached, each connection anew wherever the pod is then."""

    def __init__(self, servers: list[asyncio.Server], relays: set[asyncio.Task[None]]) -> None:
        self._servers = servers
        self._relays = relays

    def hang_up(self) -> None:
        """End the connections that there are: whoever has them connects anew."""
        for relay in self._relays:
            relay.cancel()

    def close(self) -> None:
        for server in self._servers:
            server.close()
        self.hang_up()


class Tunnels:
    """Those of one user of a cluster."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._relays: set[asyncio.Task[None]] = set()

    async def dial(self, place: Place, port: int) -> Ends:
        """A connection through the API server, which reaches what listens on the pod's own loopback too.

        It ends without a word where nobody listens there.
        """
        here, there = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=there)
        self._keep(self._dialled(place, port, (reader, writer)))
        return await asyncio.open_connection(sock=here, limit=_LONGEST_LINE)

    async def open(self, find: Callable[[], Awaitable[Place]], host: str, ports: Mapping[int, int]) -> Door:
        """Let ports of this host lead to ports of the pod that `find` names at each connection.

        Raises:
            Conflict: one of them is in use.
        """
        servers: list[asyncio.Server] = []
        way, relays = _Way(find), set[asyncio.Task[None]]()
        door = Door(servers, relays)
        for here, there in ports.items():
            try:
                servers.append(await asyncio.start_server(self._joining(way, there, relays), host, here))
            except OSError as error:
                door.close()
                raise Conflict(f"Port {here} of {host} cannot be used: {error.strerror}.", "Try again.") from error
        return door

    async def close(self) -> None:
        for relay in self._relays:
            relay.cancel()
        if self._relays:
            await asyncio.wait(self._relays)

    def _keep(self, way: Coroutine[Any, Any, None], *others: set[asyncio.Task[None]]) -> None:
        relay = asyncio.ensure_future(way)
        for relays in (self._relays, *others):
            relays.add(relay)
            relay.add_done_callback(relays.discard)

    def _joining(
        self, way: _Way, port: int, relays: set[asyncio.Task[None]]
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        # The streams' own way would not let them be ended with this object.
        return lambda reader, writer: self._keep(self._join(way, port, (reader, writer)), relays)

    async def _join(self, way: _Way, port: int, here: Ends) -> None:
        try:
            if not await self._is_reached(way, port, here):
                # Whoever comes tries again at once.
                await way.is_lost()
        finally:
            here[1].close()

    async def _is_reached(self, way: _Way, port: int, here: Ends) -> bool:
        """Carry bytes both ways until one side ends; whether any came from there."""
        try:
            place = await way.place()
        except RunaiError as error:
            _log.debug("Nothing to connect to at port %d: %s", port, error)
            return False
        there = await _straight(place, port)
        if there is None:
            return await self._through_api(place, port, here, way.is_known)
        way.is_known()
        await _joined(here, there)
        return True

    async def _dialled(self, place: Place, port: int, here: Ends) -> None:
        try:
            await self._through_api(place, port, here, lambda: None)
        finally:
            here[1].close()

    async def _through_api(self, place: Place, port: int, here: Ends, reached: Callable[[], None]) -> bool:
        """Carry bytes both ways until one side ends; whether any came from there, which is said when the first do."""
        reader, writer = here
        receiving = _Receiving(writer, reached)
        try:
            async with self._connection.frames(f"{place.path}/portforward", _PROTOCOL, ports=str(port)) as frames:
                await _first_of(_send(frames, reader), receiving.run(frames))
        except (RunaiError, OSError) as error:
            _log.debug("The connection to %s has ended: %s", place.path, error)
        return receiving.has_come


class _Way:
    """Where a door leads now, and how long to wait before the next try where that is nowhere."""

    def __init__(self, find: Callable[[], Awaitable[Place]]) -> None:
        self._find = find
        self._place: Place | None = None
        self._lost: float | None = None

    async def place(self) -> Place:
        if self._place is None:
            self._place = await self._find()
        return self._place

    def is_known(self) -> None:
        self._lost = None

    async def is_lost(self) -> None:
        """Wait a tenth of the time that it has been so: what starts is found at once, what waits seldom asked for."""
        self._place = None
        now = time.monotonic()
        self._lost = now if self._lost is None else self._lost
        await asyncio.sleep(min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, (now - self._lost) / 10)))


class _Receiving:
    """What comes from a pod, to be written down here."""

    def __init__(self, writer: asyncio.StreamWriter, reached: Callable[[], None]) -> None:
        self._writer = writer
        self._reached = reached
        self.has_come = False

    async def run(self, frames: Frames) -> None:
        """Until it ends; each channel begins with the port that it is of."""
        greeted: set[int] = set()
        async for frame in frames:
            channel, data = frame[0], frame[1:]
            if channel not in greeted:
                greeted.add(channel)
                data = data[_PORT_SIZE:]
            if channel == _ERROR and data:
                raise ConnectionRefusedError(data.decode(errors="replace"))
            if data:
                if not self.has_come:
                    self.has_come = True
                    self._reached()
                self._writer.write(data)
                await self._writer.drain()


async def _straight(place: Place, port: int) -> Ends | None:
    """A connection in the cluster's own network; null where that is not reached from here."""
    if _IN_A_POD not in os.environ or not place.ip:
        return None
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await asyncio.open_connection(place.ip, port)
    except (OSError, TimeoutError):
        return None


async def _joined(here: Ends, there: Ends) -> None:
    try:
        await _first_of(_copy(here[0], there[1]), _copy(there[0], here[1]))
    except OSError as error:
        _log.debug("A connection has ended: %s", error)
    finally:
        here[1].close()
        there[1].close()


async def _first_of(*ways: Coroutine[Any, Any, None]) -> None:
    """Until one of them has ended; raises what that raised."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_AT_ONCE):
        writer.write(data)
        await writer.drain()


async def _send(frames: Frames, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(_AT_ONCE):
        await frames.send(bytes((_DATA,)) + data)
