"""A Jupyter server that is killed takes its kernels along, and no workload."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

from jupyter_runai.client import AsyncClient
from scheduler_core.local.machine.identity import Process, start_of
from scheduler_core.local.record.runs import ended
from scheduler_core.workload import Workload

CELL = """\
%load_ext jupyter_runai
get_ipython().run_cell_magic("runai", "train --gpu 0.5 --name night --detach",
    "import os; print('before', flush=True); open(os.environ['GO']).read(); print('after')")
"""


class Server:
    """A `jupyter server` process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stderr is not None
        for line in process.stderr:
            found = re.search(r"http://(localhost|127\.0\.0\.1):(\d+)/\?token=(\w+)", line)
            if found:
                self.address = f"127.0.0.1:{found[2]}"
                self.headers = {"Authorization": f"token {found[3]}"}
                return
        raise AssertionError("the server did not start")

    # The server says that it runs a moment before it listens.
    @stamina.retry(on=ConnectionRefusedError, attempts=20, timeout=20)
    async def start_kernel(self) -> str:
        """A new kernel's id."""
        url = f"http://{self.address}/api/kernels"
        answer = await AsyncHTTPClient().fetch(url, method="POST", body="{}", headers=self.headers)
        return str(json.loads(answer.body)["id"])

    async def run(self, code: str) -> None:
        """Start a kernel and run code in it, to its end."""
        kernel = await self.start_kernel()
        channels = HTTPRequest(f"ws://{self.address}/api/kernels/{kernel}/channels", headers=self.headers)
        socket = await websocket_connect(channels)
        identity = uuid.uuid4().hex
        header = {
            "msg_id": identity,
            "msg_type": "execute_request",
            "username": "",
            "session": identity,
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
        empty: dict[str, Any] = {}
        message = {"header": header, "parent_header": empty, "metadata": empty, "content": content, "channel": "shell"}
        await socket.write_message(json.dumps(message))
        while (answer := await socket.read_message()) is not None:
            reply = json.loads(answer)
            if reply["msg_type"] == "execute_reply" and reply["parent_header"].get("msg_id") == identity:
                assert reply["content"]["status"] == "ok", reply
                return

    def kill(self) -> None:
        """Kill the server and its kernels without a word."""
        for pid in [*children(self.process.pid), self.process.pid]:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def server(simulated: Path, tmp_path: Path) -> Iterator[Server]:
    os.mkfifo(tmp_path / "go")
    folders = {f"JUPYTER_{kind}_DIR": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    environment = {**os.environ, **folders, "GO": str(tmp_path / "go")}
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        cwd=tmp_path,
    )
    try:
        yield Server(process)
    finally:
        if process.poll() is None:
            process.kill()
        assert process.stderr is not None
        process.stderr.close()
        process.wait()


async def test_a_workload_outlives_the_server_and_its_kernel(server: Server, tmp_path: Path) -> None:
    await server.run(CELL)
    kernels = [Process(pid, start_of(pid) or "") for pid in children(server.process.pid)]
    server.kill()
    await asyncio.gather(*(ended(kernel) for kernel in kernels))
    client = AsyncClient()
    workload = await client.find("night")
    assert workload.state == "running"
    (tmp_path / "go").write_text("go")
    updates = [update async for update in client.follow(workload.id)]
    output = b"".join(update for update in updates if isinstance(update, bytes))
    last = [update for update in updates if isinstance(update, Workload)][-1]
    assert (output, last.state, last.exit_code) == (b"before\nafter\n", "completed", 0)
