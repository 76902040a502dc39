"""The daemon's process: one for each engine directory, guarded by a lock, listening on a Unix socket."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
import os
import resource
import signal
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_unix_socket

from scheduler_core.errors import Conflict
from scheduler_core.local.api import LARGEST_BODY, application
from scheduler_core.local.paths import engine_directory, runtime_directory, short_socket_path
from scheduler_core.local.protocol import ENDPOINT_FILE, LOCK_FILE, PROTOCOL, Endpoint
from scheduler_core.local.service import Service
from scheduler_core.local.settings import Settings

_log = logging.getLogger(__name__)
_PRESENCE_INTERVAL_S = 5.0
_LEAVING_S = 3.0
_MOST_OPEN_FILES = 65536


class AlreadyServed(Conflict):
    """Another daemon holds the engine directory."""


async def serve(ready: int | None, simulate: str | None = None) -> None:
    """Serve until told to leave; one byte goes to the descriptor `ready` once requests are answered.

    `simulate` changes the devices first.

    Raises:
        AlreadyServed: another daemon holds this engine directory.
        Conflict: the devices cannot be changed while work runs.
        EngineUnavailable: the directory or the store cannot be used.
    """
    directory = engine_directory()
    lock = await _lock(directory)
    leave = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, leave.set)
    raise_open_files()
    service = Service(directory, Settings.read(directory))
    if simulate is not None:
        try:
            service.change_devices(simulate)
        finally:
            service.close()
        service = Service(directory, Settings.read(directory))
    server = HTTPServer(application(service, leave.set), max_buffer_size=LARGEST_BODY)
    try:
        await service.start()
        _listen(server, directory)
        if ready is not None:
            with suppress(BrokenPipeError):
                os.write(ready, b"1")
            os.close(ready)
        _log.info("Serving %s", directory)
        await _left(leave, directory)
    finally:
        server.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await server.close_all_connections()
        service.close()
        os.close(lock)


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


def _listen(server: HTTPServer, directory: Path) -> None:
    # Named after the directory: one runtime directory may serve several engines of a user.
    mark = hashlib.sha256(os.fsencode(directory)).hexdigest()[:8]
    path = runtime_directory(directory) / f"engine-{mark}.sock"
    path.unlink(missing_ok=True)
    with short_socket_path(path) as short:
        server.add_socket(bind_unix_socket(short, mode=0o600))
    endpoint = Endpoint(socket=str(path), pid=os.getpid(), protocol=PROTOCOL)
    fresh = directory / f"{ENDPOINT_FILE}.new"
    fresh.touch(mode=0o600)
    fresh.write_bytes(msgspec.json.encode(endpoint))
    fresh.replace(directory / ENDPOINT_FILE)


async def _left(leave: asyncio.Event, directory: Path) -> None:
    """Wait for the order to leave; a daemon whose directory was removed leaves by itself."""
    while not leave.is_set() and (directory / LOCK_FILE).exists():
        with suppress(TimeoutError):
            async with asyncio.timeout(_PRESENCE_INTERVAL_S):
                await leave.wait()
