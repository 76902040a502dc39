"""What the server extension costs a Jupyter server.

start    from the start of `jupyter server` to its first answer, above the same without the extension; runs alternate
memory   what such a server holds once it answers (PSS), above the same without the extension; said beside it is what it
         holds above that with one tab open
tabs     processor time of a server with 50 tabs open, above the same server with none, while the engine changes once a
         second: what a waiting workload asks for is another amount each second. Said beside it are the events that each
         tab received in a second

Engines have simulated devices and a private folder, and a daemon that runs already.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from local_engine import asked, cpu_ms, engine
from shape import report, run_cases
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from jupyter_runai.client import Client
from scheduler_core.local import LocalEngine
from scheduler_core.model import TaskRequest

RUNS = 7
TABS = 50
WINDOWS = 5
WINDOW_S = 8.0
_PORTS = iter(range(20_000, 30_000))
TOKEN = {"Authorization": "token bench"}


class Server:
    """A `jupyter server`, with the extension or without."""

    def __init__(self, folder: Path, extended: bool) -> None:
        self.port = free_port()
        self._command = [
            *(
                sys.executable,
                "-m",
                "jupyter",
                "server",
                "--no-browser",
                "--allow-root",
                "--IdentityProvider.token=bench",
            ),
            *(f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"),
            f"--ServerApp.jpserver_extensions=jupyter_runai={extended}",
        ]
        self._environment = {
            **os.environ,
            **{f"JUPYTER_{kind}_DIR": str(folder / kind) for kind in ("CONFIG", "DATA", "RUNTIME")},
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[float]:
        """Milliseconds from its start to its first answer."""
        started = time.monotonic()
        self.process = subprocess.Popen(
            self._command, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            await self._answer()
            yield (time.monotonic() - started) * 1000
        finally:
            self.process.kill()
            self.process.wait()

    async def _answer(self) -> None:
        while self.process.poll() is None:
            with suppress(ConnectionError):
                await AsyncHTTPClient().fetch(f"http://127.0.0.1:{self.port}/api/status", headers=TOKEN)
                return
            await asyncio.sleep(0.002)
        raise RuntimeError("the server did not start")

    async def tab(self) -> WebSocketClientConnection:
        """The stream of an open tab."""
        url = f"ws://127.0.0.1:{self.port}/jupyter-runai/stream"
        return await websocket_connect(HTTPRequest(url, headers=TOKEN))

    def memory_mb(self) -> float:
        """What it holds, shared pages counted by their part."""
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(rollup.partition("\nPss:")[2].split()[0]) / 1000


def free_port() -> int:
    """A port that nothing uses, below those that connections take: asking there again and again could meet itself."""
    for port in _PORTS:
        with suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


@contextmanager
def running_engine() -> Iterator[Path]:
    """An engine whose daemon runs."""
    with engine() as folder:
        Client().info()
        yield folder


def start() -> None:
    with running_engine() as folder:
        pairs = asyncio.run(started(folder))
    ours, plain = ([pair[which] for pair in pairs] for which in (0, 1))
    beside = {"with": statistics.median(ours), "without": statistics.median(plain), "slowest with": max(ours)}
    report("server", "start", beside["with"] - beside["without"], "ms", 150.0, "lower", beside)


async def started(folder: Path) -> list[tuple[float, float]]:
    return [(await start_of(folder, True), await start_of(folder, False)) for _ in range(RUNS + 1)][1:]


async def start_of(folder: Path, extended: bool) -> float:
    async with Server(folder, extended).running() as elapsed:
        return elapsed


def memory() -> None:
    with running_engine() as folder:
        held = asyncio.run(measured(folder))
    ours, plain, tab = (statistics.median(row[which] for row in held) for which in range(3))
    beside = {"with": ours, "without": plain, "added with a tab": tab - plain}
    report("server", "memory", ours - plain, "MB", 30.0, "lower", beside)


async def measured(folder: Path) -> list[tuple[float, float, float]]:
    """With the extension, without, and with it and a tab; in MB."""
    rows = []
    for _ in range(RUNS):
        plain, server = Server(folder, False), Server(folder, True)
        async with plain.running():
            without = plain.memory_mb()
        async with server.running():
            ours = server.memory_mb()
            tab = await server.tab()
            await tab.read_message()
            rows.append((ours, without, server.memory_mb()))
            tab.close()
    return rows


def tabs() -> None:
    with running_engine() as folder:
        without, ours, events = asyncio.run(watched(folder))
    beside = {"with": ours, "without": without, "events (a second and tab)": events}
    report("server", "tabs", ours - without, "ms a second", 150.0, "lower", beside)


async def watched(folder: Path) -> tuple[float, float, float]:
    """Processor time in ms a second without tabs and with them, and events a second and tab."""
    server = Server(folder, True)
    async with server.running():
        first = await server.tab()
        first.close()
        changing = asyncio.create_task(change())
        without = [await used_ms(server) for _ in range(WINDOWS)]
        received = [0]
        open_tabs = [await server.tab() for _ in range(TABS)]
        readers = [asyncio.create_task(read(tab, received)) for tab in open_tabs]
        await asyncio.sleep(2)
        before, began = received[0], time.monotonic()
        ours = [await used_ms(server) for _ in range(WINDOWS)]
        events = (received[0] - before) / (time.monotonic() - began) / TABS
        for task in (changing, *readers):
            task.cancel()
        return statistics.median(without), statistics.median(ours), events


async def change() -> None:
    """Change one waiting workload each second."""
    running = LocalEngine()
    waits = await running.submit(asked("pass", gpu=5))
    for cpu_milli in range(1, 100_000):
        await running.resize(waits.id, TaskRequest(gpu=5, cpu_milli=cpu_milli))
        await asyncio.sleep(1)


async def used_ms(server: Server) -> float:
    before, began = cpu_ms(server.process.pid), time.monotonic()
    await asyncio.sleep(WINDOW_S)
    return (cpu_ms(server.process.pid) - before) / (time.monotonic() - began)


async def read(tab: WebSocketClientConnection, received: list[int]) -> None:
    while await tab.read_message() is not None:
        received[0] += 1


CASES = {"start": start, "memory": memory, "tabs": tabs}


if __name__ == "__main__":
    run_cases(__doc__, CASES)
