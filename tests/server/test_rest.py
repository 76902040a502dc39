"""The REST handlers through a real Jupyter server, under a base URL that needs care."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from jupyter_runai.client import AsyncClient
from tests.helpers import UNTIL_STOPPED, spec

BASE = "jupyter-runai"


async def get(jp_fetch: Any, *path: str) -> Any:
    return json.loads((await jp_fetch(BASE, *path)).body)


async def test_everything_is_shown(jp_fetch: Any, simulated: object) -> None:
    info = await get(jp_fetch, "info")
    assert info["simulated"] == "2xA100-80GB"
    assert [device["simulated"] for device in (await get(jp_fetch, "devices"))["devices"]] == [True, True]
    assert [queue["name"] for queue in (await get(jp_fetch, "queues"))["queues"]] == ["default"]
    assert (await get(jp_fetch, "workloads"))["workloads"] == []


async def test_a_workload_is_stopped_explained_and_deleted(jp_fetch: Any, simulated: object) -> None:
    engine = AsyncClient().engine
    first = await engine.submit(spec(UNTIL_STOPPED, gpu=2, grace_s=0))
    second = await engine.submit(spec(gpu=1))
    assert (await get(jp_fetch, "workloads", second.id))["state"] == "pending"
    stopped = json.loads((await jp_fetch(BASE, "workloads", second.id, "stop", method="POST", body="")).body)
    assert stopped["state"] == "stopped"
    explained = await get(jp_fetch, "workloads", first.id, "explain")
    assert explained["workload"]["id"] == first.id
    deleted = await jp_fetch(BASE, "workloads", second.id, method="DELETE")
    assert deleted.code == 204
    assert [workload["id"] for workload in (await get(jp_fetch, "workloads"))["workloads"]] == [first.id]


async def test_a_workload_is_suspended_and_resumed(jp_fetch: Any, simulated: object) -> None:
    engine = AsyncClient().engine
    await engine.submit(spec(UNTIL_STOPPED, gpu=2, grace_s=0))
    waiting = await engine.submit(spec(gpu=1))
    for verb, state in (("suspend", "suspended"), ("resume", "pending")):
        answer = await jp_fetch(BASE, "workloads", waiting.id, verb, method="POST", body="")
        assert json.loads(answer.body)["state"] == state


async def test_a_workload_is_resized(jp_fetch: Any, simulated: object) -> None:
    workload = await AsyncClient().engine.submit(spec(gpu=2, priority=25))
    answer = await jp_fetch(BASE, "workloads", workload.id, "resize", method="POST", body='{"gpu": "0.5"}')
    assert json.loads(answer.body)["applied"] in ("now", "next_start")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", ["workloads", "0badc0de", "resize"], '{"gpu": 0.5}', 404, "not_found"),
        ("POST", ["workloads", "0badc0de", "resize"], '{"gpu": -1}', 400, "invalid_request"),
        ("GET", ["workloads", "0badc0de"], None, 404, "not_found"),
        ("GET", ["workloads", "no-such-id"], None, 404, "not_found"),
        ("POST", ["simulate"], "{}", 400, "invalid_request"),
        ("POST", ["simulate"], '{"devices": "lots"}', 400, "invalid_request"),
        ("POST", ["simulate"], "not json", 400, "invalid_request"),
        ("POST", ["simulate"], b'{"devices": "\xff"}', 400, "invalid_request"),
    ],
)
async def test_a_refusal_is_a_code_a_message_and_a_hint(
    jp_fetch: Any, simulated: object, method: str, path: list[str], body: str | bytes | None, status: int, code: str
) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(BASE, *path, method=method, body=body)
    assert refused.value.code == status
    assert refused.value.response is not None
    record = json.loads(refused.value.response.body)
    assert record["code"] == code
    assert record["message"]
    assert "hint" in record


async def test_a_running_workload_cannot_be_deleted(jp_fetch: Any, simulated: object) -> None:
    workload = await AsyncClient().engine.submit(spec(UNTIL_STOPPED, grace_s=0))
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(BASE, "workloads", workload.id, method="DELETE")
    assert refused.value.code == 409


async def test_looking_keeps_no_idle_server_alive(jp_fetch: Any, jp_serverapp: Any, simulated: object) -> None:
    settings = jp_serverapp.web_app.settings
    await jp_fetch("api", "contents")
    before = settings["api_last_activity"]
    await get(jp_fetch, "workloads")
    assert settings["api_last_activity"] == before
