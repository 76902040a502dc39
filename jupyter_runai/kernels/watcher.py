"""Watches whether a kernel executes anything or somebody is at it, and writes it down for the engine.

A script (`python -I watcher.py CONNECTION_FILE`) that a keeper runs beside its kernel. It listens to what the kernel
publishes, as every front end does, and writes {executing, since, interacted} into the file named by RUNAI_ACTIVITY at
each change. `interacted` is when somebody last typed or looked something up, as the kernel is asked then, or when the
keeper last said so in a line of standard input; null for never. What was typed is not looked at.
What the kernel executes by then it cannot know, so it asks for the kernel's info until that has come by: a kernel that
executes answers when it is done. Until then it says that it executes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import zmq

ASK_AGAIN_MS = 1000
_DELIMITER = b"<IDS|MSG>"
_EXECUTES = ("execute_request", "comm_open", "comm_msg", "comm_close")
"""What makes a kernel run code of its user; it is busy for a moment with any other request as well."""
_INTERACTS = ("complete_request", "inspect_request", "is_complete_request")
"""What front ends ask while somebody types or looks something up, and never by themselves."""
_READ_AT_ONCE = 4096


class Watcher:
    """Follows one kernel by its connection file's content."""

    def __init__(self, connection: dict[str, Any], activity: str) -> None:
        self._connection = connection
        self._activity = activity
        self._context = zmq.Context()
        self._published = self._socket(zmq.SUB, "iopub_port")
        self._published.setsockopt(zmq.RCVHWM, 0)
        self._published.subscribe(b"")
        self._requests = self._socket(zmq.DEALER, "shell_port")
        self._asked = ""
        self._is_known = False
        self._busy: set[str] = set()
        self._interacted: float | None = None

    def run(self) -> None:
        """Follow it for ever."""
        poller = zmq.Poller()
        for source in (self._published, self._requests, sys.stdin):
            poller.register(source, zmq.POLLIN)
        executed, since, said = True, time.time(), ""
        while True:
            executes = not self._is_known or bool(self._busy)
            if executed != executes:
                executed, since = executes, time.time()
            tells = json.dumps({"executing": executes, "since": since, "interacted": self._interacted})
            if said != tells:
                said = tells
                self._write(tells)
            ready = dict(poller.poll(None if self._is_known else ASK_AGAIN_MS))
            if sys.stdin.fileno() in ready and not self._is_told():
                poller.unregister(sys.stdin)
            if self._published in ready:
                self._hear_all()
            if self._requests in ready:
                self._requests.recv_multipart()
                self._asked = self._asked if self._is_known else ""
            if not self._is_known and not self._asked:
                self._ask()

    def _socket(self, kind: int, port: str) -> zmq.Socket[bytes]:
        known = self._connection
        socket = self._context.socket(kind)
        if known.get("curve_publickey"):
            socket.curve_secretkey = known["curve_secretkey"].encode()
            socket.curve_publickey = socket.curve_serverkey = known["curve_publickey"].encode()
        between = ":" if known["transport"] == "tcp" else "-"
        socket.connect(f"{known['transport']}://{known['ip']}{between}{known[port]}")
        return socket

    def _hear_all(self) -> None:
        while self._published.poll(0):
            parts = self._published.recv_multipart()
            if _DELIMITER in parts:
                start = parts.index(_DELIMITER) + 2
                self._hear(json.loads(parts[start]), json.loads(parts[start + 1]), parts[start + 3])

    def _hear(self, header: dict[str, Any], parent: dict[str, Any], content: bytes) -> None:
        if header["msg_type"] != "status" or not parent:
            return
        is_busy = json.loads(content)["execution_state"] == "busy"
        if parent["msg_type"] in _INTERACTS:
            self._interacted = time.time()
        elif parent["msg_type"] in _EXECUTES:
            (self._busy.add if is_busy else self._busy.discard)(parent["msg_id"])
        elif parent["msg_id"] == self._asked and not is_busy:
            self._is_known = True

    def _is_told(self) -> bool:
        """Hear from the keeper that somebody is there; false once it says nothing more."""
        said = os.read(sys.stdin.fileno(), _READ_AT_ONCE)
        if said:
            self._interacted = time.time()
        return bool(said)

    def _ask(self) -> None:
        """Ask for the kernel's info."""
        self._asked = uuid.uuid4().hex
        header = {
            "msg_id": self._asked,
            "msg_type": "kernel_info_request",
            "username": "",
            "session": self._asked,
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "version": "5.3",
        }
        parts = [json.dumps(part).encode() for part in (header, {}, {}, {})]
        self._requests.send_multipart([_DELIMITER, self._signature(parts), *parts])

    def _signature(self, parts: list[bytes]) -> bytes:
        key = self._connection["key"].encode()
        if not key:
            return b""
        scheme = self._connection["signature_scheme"].removeprefix("hmac-")
        return hmac.new(key, b"".join(parts), getattr(hashlib, scheme)).hexdigest().encode()

    def _write(self, tells: str) -> None:
        fresh = f"{self._activity}.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(tells)
        os.replace(fresh, self._activity)  # noqa: PTH105


if __name__ == "__main__":
    Watcher(json.loads(Path(sys.argv[1]).read_text()), os.environ["RUNAI_ACTIVITY"]).run()
