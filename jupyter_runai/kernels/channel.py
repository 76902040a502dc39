"""A server's end of the connection to the keeper of a kernel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import Struct

from jupyter_runai.kernels.keeper import SOCKET
from scheduler_core.engine import Engine


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
    """What a keeper says of its kernel: the launch as it was done, and its exit code once it has ended."""

    launch: KernelLaunch
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


async def open_channel(engine: Engine, workload_id: str) -> Channel:
    """Connect to the keeper of this workload; in a pod that does not listen yet it ends without a word.

    Raises:
        OSError: it does not listen, or not yet.
        RunaiError: it does not run, or its engine does not answer.
    """
    return Channel(*await engine.dial(workload_id, SOCKET))
