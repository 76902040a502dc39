"""Whatever is sent to the daemon's socket, it answers, says what is wrong and goes on."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_runai.client import Client
from scheduler_core.local.wire.protocol import ENDPOINT_FILE, Endpoint
from tests.helpers import spec

MANY = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NEWER = ("retries", "max_run_s", "key", "queue", "kind", "tasks", "min_tasks", "gang")
VERBS = ("", "/stop", "/suspend", "/resize", "/scale", "/tasks", "/results?task=9")
PATHS = (
    *("info", "devices", "queues", "workloads", "preview", "events", "simulate", "nothing", ""),
    *(f"workloads/{name}{verb}" for name in ("0badc0de", "%00", "..", "a" * 300) for verb in VERBS),
    *(f"workloads/0badc0de/{verb}" for verb in ("resume", "explain", "results", "logs")),
)
METHODS = ("GET", "POST", "DELETE", "PUT")
TIMEOUT_S = 30

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["0.5", "-1", "1e999", "\0", "\ud800", "a" * 5000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


class OverSocket(http.client.HTTPConnection):
    """HTTP over the daemon's own socket."""

    def __init__(self, path: str) -> None:
        super().__init__("engine", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self._path)


@pytest.fixture
def daemon(client: Client, simulated: Path) -> Iterator[str]:
    """The socket of a running daemon, which is the same one afterwards."""
    pid = client.info().pid
    yield msgspec.json.decode((simulated / ENDPOINT_FILE).read_bytes(), type=Endpoint).socket
    assert client.info().pid == pid
    assert all(workload.name for workload in client.list())


def status(path: str, method: str, place: str, body: bytes | None) -> int:
    connection = OverSocket(path)
    try:
        connection.request(method, f"/v1/{place}", body=body)
        response = connection.getresponse()
        said = response.read()
    finally:
        connection.close()
    if response.status >= 400:
        assert json.loads(said)["message"]
    return response.status


@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT"]), place=st.sampled_from(PATHS), body=st.binary(max_size=40)
)
@MANY
def test_any_bytes_to_any_route(daemon: str, method: str, place: str, body: bytes) -> None:
    assert status(daemon, method, place, body if method != "GET" else None) < 500


@given(value=anything, where=st.sampled_from(["submission", "spec", "field", "request"]), data=st.data())
@MANY
def test_any_value_in_any_place_of_a_submission(daemon: str, value: Any, where: str, data: st.DataObject) -> None:
    asked: dict[str, Any] = {"spec": msgspec.to_builtins(spec("pass", env={}))}
    if where == "submission":
        asked[data.draw(st.sampled_from(["spec", "inputs", "more"]))] = value
    elif where == "spec":
        asked["spec"] = value
    elif where == "field":
        asked["spec"][data.draw(st.sampled_from([*asked["spec"], *NEWER]))] = value
    else:
        asked["spec"]["request"] = {data.draw(st.sampled_from(["gpu", "gpu_memory_mib", "mig", "models", "x"])): value}
    body = json.dumps(asked).encode("utf-8", "surrogatepass")
    for place in ("preview", "workloads"):
        assert status(daemon, "POST", place, body) < 500


@pytest.mark.parametrize(
    "sent", [b"\0\1\2\3\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"POST /v1/workloads HTTP/1.1\r\nContent-Length: -5\r\n\r\n"]
)
def test_what_is_not_http_is_no_more_than_refused(daemon: str, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(daemon)
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    assert status(daemon, "GET", "info", None) == 200


def test_half_a_request_keeps_nobody_waiting(daemon: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(daemon)
        connection.sendall(b"POST /v1/workloads HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
        assert status(daemon, "GET", "info", None) == 200
