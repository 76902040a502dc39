"""A real `jupyter server` process and its kernels, over HTTP and WebSockets as a browser has them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import stamina
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.websocket import WebSocketClientConnection, websocket_connect

WAIT_S = 60


class Jupyter:
    """A server that works in a folder of its own, where its kernelspecs and its configuration are as well."""

    def __init__(self, folder: Path, *options: str) -> None:
        folders = {f"JUPYTER_{kind}_DIR": str(folder / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
        self.environment = {**os.environ, **folders}
        self._folder = folder
        command = [
            sys.executable,
            "-m",
            "jupyter",
            "server",
            "--no-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
        ]
        self._log = (folder / "server.log").open("w")
        self.process = subprocess.Popen(
            [*command, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=self.environment,
            text=True,
            cwd=folder,
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            found = re.search(r"http://(localhost|127\.0\.0\.1):(\d+)/\?token=(\w+)", line)
            if found:
                self._address = f"127.0.0.1:{found[2]}"
                self._headers = {"Authorization": f"token {found[3]}"}
                break
        else:
            raise AssertionError("the server did not start")
        # A pipe that nobody reads would stop it.
        self._reader = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=self._log)

    def say(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`jupyter runai` with this server's folders."""
        command = [sys.executable, "-m", "jupyter", "runai", *words]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=WAIT_S, env=self.environment
        )

    # The server says that it runs a moment before it listens.
    @stamina.retry(on=ConnectionRefusedError, attempts=20, timeout=20)
    async def ask(self, method: str, path: str, body: object = None, of: str = "api") -> HTTPResponse:
        return await AsyncHTTPClient().fetch(
            f"http://{self._address}/{of}/{path}",
            method=method,
            headers=self._headers,
            body=None if body is None else json.dumps(body),
            allow_nonstandard_methods=True,
            request_timeout=WAIT_S,
            raise_error=False,
        )

    async def start(self, name: str, notebook: str = "digits.ipynb") -> Kernel:
        """Start a kernel for a notebook."""
        answer = await self.open(name, notebook)
        assert answer.code == 201, answer.body
        return Kernel(self, json.loads(answer.body)["kernel"]["id"])

    async def open(self, name: str, notebook: str = "digits.ipynb") -> HTTPResponse:
        """What JupyterLab asks for when a notebook is opened."""
        session = {"kernel": {"name": name}, "name": notebook, "path": notebook, "type": "notebook"}
        return await self.ask("POST", "sessions", session)

    async def kernels(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads((await self.ask("GET", "kernels")).body)
        return listed

    async def connect(self, path: str) -> WebSocketClientConnection:
        return await websocket_connect(HTTPRequest(f"ws://{self._address}/api/{path}", headers=self._headers))

    def said(self) -> str:
        """Its log so far."""
        return (self._folder / "server.log").read_text()

    def kill(self) -> None:
        """Kill the server without a word."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        assert self.process.stderr is not None
        self.process.stderr.close()
        self._reader.wait()
        self._log.close()


class Kernel:
    """A kernel of a server, as one browser tab sees it."""

    def __init__(self, server: Jupyter, kernel_id: str) -> None:
        self.id = kernel_id
        self._server = server
        self._socket: WebSocketClientConnection | None = None

    async def value(self, expression: str) -> str:
        """The text of an expression's value."""
        reply = await self.run("", value=expression)
        assert reply["user_expressions"]["value"]["status"] == "ok", reply
        return str(reply["user_expressions"]["value"]["data"]["text/plain"])

    async def run(self, code: str, **expressions: str) -> dict[str, Any]:
        """Run code to its end; the content of its reply."""
        identity = await self.send(code, **expressions)
        return await self.reply(identity)

    async def send(self, code: str, **expressions: str) -> str:
        """Start to run code; its identity."""
        content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
        content["user_expressions"] = expressions
        # Else what is sent right after a cell that failed may be taken for queued behind it, and is dropped.
        content["stop_on_error"] = False
        return await self._request("execute_request", content)

    async def complete(self, code: str) -> dict[str, Any]:
        """Ask what a word that is being typed may be; the content of the reply."""
        identity = await self._request("complete_request", {"code": code, "cursor_pos": len(code)})
        return await self.reply(identity, "complete_reply")

    async def reply(self, identity: str, kind: str = "execute_reply") -> dict[str, Any]:
        message = await self.until(
            lambda one: one["msg_type"] == kind and one["parent_header"].get("msg_id") == identity
        )
        content: dict[str, Any] = message["content"]
        return content

    async def until(self, wanted: Any) -> dict[str, Any]:
        """The next message that is wanted."""
        socket = await self._connected()
        async with asyncio.timeout(WAIT_S):
            while (text := await socket.read_message()) is not None:
                message: dict[str, Any] = json.loads(text)
                if wanted(message):
                    return message
        raise AssertionError("the connection was closed")

    async def until_status(self, state: str) -> None:
        await self.until(lambda one: one["msg_type"] == "status" and one["content"]["execution_state"] == state)

    async def until_printed(self, text: str) -> None:
        await self.until(lambda one: one["msg_type"] == "stream" and text in one["content"]["text"])

    async def interrupt(self) -> None:
        assert (await self._server.ask("POST", f"kernels/{self.id}/interrupt")).code == 204

    async def restart(self) -> None:
        answer = await self._server.ask("POST", f"kernels/{self.id}/restart")
        assert answer.code == 200, answer.body

    async def shut_down(self) -> None:
        assert (await self._server.ask("DELETE", f"kernels/{self.id}")).code == 204

    # After a restart by itself a kernel may have other ports: browsers connect anew.
    @stamina.retry(on=(HTTPClientError, AssertionError), attempts=20, timeout=WAIT_S)
    async def reconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        await self.value("1")

    async def close(self) -> None:
        """Close the tab, and wait until the server has noticed."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        async with asyncio.timeout(WAIT_S):
            while any(known["id"] == self.id and known["connections"] for known in await self._server.kernels()):
                await asyncio.sleep(0.05)

    async def _request(self, kind: str, content: dict[str, Any]) -> str:
        identity, session = uuid.uuid4().hex, uuid.uuid4().hex
        header = {"msg_id": identity, "msg_type": kind, "username": "", "session": session, "version": "5.3"}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        await (await self._connected()).write_message(json.dumps(message))
        return identity

    async def _connected(self) -> WebSocketClientConnection:
        if self._socket is None:
            self._socket = await self._server.connect(f"kernels/{self.id}/channels")
        return self._socket
