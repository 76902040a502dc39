"""The daemon's process: one for each engine directory, guarded by a lock, listening on a Unix socket."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_unix_socket

from scheduler_core.errors import Conflict
from scheduler_core.local.access.settings import Settings
from scheduler_core.local.access.shared import SharedSettings, read_shared
from scheduler_core.local.machine.paths import engine_directory, runtime_directory
from scheduler_core.local.serving.api import LARGEST_BODY, application
from scheduler_core.local.serving.service import Service
from scheduler_core.local.wire.protocol import ENDPOINT_FILE, LOCK_FILE, PROTOCOL, Endpoint
from scheduler_core.sockets import short_socket_path

_log = logging.getLogger(__name__)
_PRESENCE_INTERVAL_S = 5.0
_LEAVING_S = 3.0
_MOST_OPEN_FILES = 65536
_WAITING_REQUESTS = 1024
_SWITCH_INTERVAL_S = 0.0005
"""Requests are answered between the planner's steps, not after the 5 ms that Python would leave it."""


class AlreadyServed(Conflict):
    """Another daemon holds the engine directory."""


class Place(Struct, frozen=True, kw_only=True):
    """Where an engine lies, and its socket; the file that tells clients of it; and what a shared one was told to be."""

    directory: Path
    socket: Path
    endpoint: Path
    shared: SharedSettings | None = None

    @property
    def alone(self) -> tuple[Path, ...]:
        """The folders that no other daemon may serve at the same time; one user's may share that of their sockets."""
        folders = (self.directory,) if self.shared is None else (self.directory, self.socket.parent)
        return tuple(dict.fromkeys(folders))


def private_place() -> Place:
    """The engine of this user."""
    directory = engine_directory()
    # Named after the directory: one runtime directory may serve several engines of a user.
    mark = hashlib.sha256(os.fsencode(directory)).hexdigest()[:8]
    return Place(
        directory=directory,
        socket=runtime_directory(directory) / f"engine-{mark}.sock",
        endpoint=directory / ENDPOINT_FILE,
    )


def shared_place(configuration: Path) -> Place:
    """The engine of all users, as this file says.

    Raises:
        NotAllowed, InvalidRequest, EngineUnavailable: it cannot be; the message says why.
    """
    settings = read_shared(configuration)
    directory, meeting = settings.make_folders()
    return Place(directory=directory, socket=meeting / "engine.sock", endpoint=meeting / ENDPOINT_FILE, shared=settings)


async def serve(place: Place, ready: int | None, simulate: str | None = None) -> None:
    """Serve until told to leave; one byte goes to the descriptor `ready` once requests are answered.

    `simulate` changes the devices of a private engine first.

    Raises:
        AlreadyServed: another daemon holds this engine directory.
        Conflict: the devices cannot be changed while work runs.
        EngineUnavailable: the directory or the store cannot be used.
    """
    locks = [await _lock(folder) for folder in place.alone]
    leave = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, leave.set)
    raise_open_files()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    service = _opened(place, simulate)
    server = HTTPServer(application(service, leave.set), max_buffer_size=LARGEST_BODY)
    try:
        await service.start()
        _listen(server, place)
        if ready is not None:
            with suppress(BrokenPipeError):
                os.write(ready, b"1")
            os.close(ready)
        _log.info("Serving %s", place.directory)
        await _left(leave, place.directory)
        if place.shared is not None and not os.environ.get("RUNTIME_DIRECTORY"):
            # From now on users have engines of their own. Where systemd made the folder it knows better: it removes it
            # at a stop, and keeps it for a restart.
            place.endpoint.unlink(missing_ok=True)
    finally:
        server.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await server.close_all_connections()
        service.close()
        for lock in locks:
            os.close(lock)


def _opened(place: Place, simulate: str | None) -> Service:
    """The engine with the devices it is to have: those named now, else those it had."""
    before = Settings.read(place.directory)
    if place.shared is not None:
        told = place.shared
        before = replace(before, watchdog=told.watchdog, prices=told.prices, audit_kept_days=told.audit_kept_days)
        simulate = place.shared.simulate
    service = Service(place.directory, before, place.shared)
    if simulate == before.simulate or (simulate is None and place.shared is None):
        return service
    try:
        service.change_devices(simulate)
    finally:
        service.close()
    return Service(place.directory, replace(before, simulate=simulate), place.shared)


def raise_open_files() -> None:
    """Each workload that starts costs a few descriptors: take as many as this system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, _MOST_OPEN_FILES), hard))


async def _lock(directory: Path) -> int:
    """Take the engine directory; one that is just leaving is given a moment."""
    lock = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _LEAVING_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(lock)
                raise AlreadyServed(f"A daemon already serves {directory}.") from None
        await asyncio.sleep(0.02)


def _listen(server: HTTPServer, place: Place) -> None:
    is_shared = place.shared is not None
    place.socket.unlink(missing_ok=True)
    with short_socket_path(place.socket) as short:
        server.add_socket(bind_unix_socket(short, mode=0o666 if is_shared else 0o600, backlog=_WAITING_REQUESTS))
    endpoint = Endpoint(
        socket=str(place.socket),
        pid=os.getpid(),
        protocol=PROTOCOL,
        directory=str(place.directory) if is_shared else None,
    )
    fresh = place.endpoint.with_name(f"{ENDPOINT_FILE}.new")
    fresh.touch(mode=0o644 if is_shared else 0o600)
    fresh.write_bytes(msgspec.json.encode(endpoint))
    fresh.replace(place.endpoint)


async def _left(leave: asyncio.Event, directory: Path) -> None:
    """Wait for the order to leave; a daemon whose directory was removed leaves by itself."""
    while not leave.is_set() and (directory / LOCK_FILE).exists():
        with suppress(TimeoutError):
            async with asyncio.timeout(_PRESENCE_INTERVAL_S):
                await leave.wait()
