"""A server's end of the connection to the keeper of a kernel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from jupyter_runai.kernels.keeper import LAUNCH, SOCKET
from scheduler_core.sockets import short_socket_path


class KernelLaunch(Struct, frozen=True):
    """How a kernel is started.

    `argv` names its connection file as `{connection_file}`; `env` comes on top of the workload's environment;
    `connection` is the content of that file.
    """

    id: str
    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    connection: dict[str, Any]


class KernelPlan(Struct, frozen=True):
    """What a keeper starts with; without a server it goes on for `without_server_s` seconds, null: for good."""

    launch: KernelLaunch
    without_server_s: float | None


class KernelState(Struct, frozen=True):
    """What a keeper says of its kernel: the launch it comes from, and its exit code once it has ended."""

    launch: str
    pid: int | None
    exit: int | None
    failure: str


class Channel:
    """An open connection; iterate over it for the states of the kernel, until the keeper has gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def start(self, launch: KernelLaunch) -> None:
        """Start the kernel so, instead of as it runs now."""
        self._say({"start": msgspec.to_builtins(launch)})

    def signal(self, number: int) -> None:
        """Send a signal to the kernel and to what it has started in its process group."""
        self._say({"signal": number})

    def note_presence(self) -> None:
        """Somebody works on the kernel's notebook now."""
        self._say({"present": True})

    def end(self) -> None:
        """End the workload as completed."""
        self._say({"end": True})

    async def __aiter__(self) -> AsyncIterator[KernelState]:
        decoder = msgspec.json.Decoder(KernelState)
        try:
            async for line in self._reader:
                yield decoder.decode(line)
        except ConnectionError:
            return

    def close(self) -> None:
        self._writer.close()

    def _say(self, order: dict[str, Any]) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.dumps(order).encode() + b"\n")


def last_launch(folder: Path) -> KernelLaunch:
    """How the kernel was started of which its keeper has just spoken."""
    return msgspec.json.decode((folder / LAUNCH).read_bytes(), type=KernelPlan).launch


async def open_channel(folder: Path) -> Channel:
    """Connect to the keeper of this workload.

    Raises:
        OSError: it does not listen, or not yet.
    """
    with short_socket_path(folder / SOCKET) as path:
        return Channel(*await asyncio.open_unix_connection(path))
