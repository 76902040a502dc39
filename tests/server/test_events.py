"""Transitions of workloads as events of the Jupyter server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_runai.client import AsyncClient
from jupyter_runai.server.transitions import SCHEMA_ID
from tests.helpers import UNTIL_STOPPED, spec


async def transitions(stream: Any, workload_id: str, last: str) -> list[dict[str, Any]]:
    """What is said of a workload until it is in the last state."""
    found = []
    while (message := await stream.read_message()) is not None:
        event = json.loads(message)
        if event["schema_id"] == SCHEMA_ID and event["workload"] == workload_id:
            found.append(event)
            if event["state"] == last:
                return found
    raise AssertionError("the events have ended")


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any]) -> dict[str, Any]:
    """Nobody opens JupyterLab here."""
    return {**jp_server_config, "RunaiExtension": {"watch_from_start": True}}


async def seen(jp_ws_fetch: Any) -> None:
    """Wait until the server has seen the engine."""
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    assert json.loads(await stream.read_message())["type"] == "state"
    stream.close()


async def test_every_state_is_said_once_in_order(jp_ws_fetch: Any, simulated: object) -> None:
    await seen(jp_ws_fetch)
    events = await jp_ws_fetch("api", "events", "subscribe")
    workload = await AsyncClient().engine.submit(spec("raise SystemExit(3)", gpu="0.5", name="digits"))
    said = await transitions(events, workload.id, "failed")
    assert [(event["before"], event["state"]) for event in said] == [
        (None, "pending"),
        ("pending", "initializing"),
        ("initializing", "running"),
        ("running", "failed"),
    ]
    assert {event["name"] for event in said} == {"digits"}
    assert {event["simulated"] for event in said} == {True}
    assert (said[-1]["exit_code"], said[-1]["owner"]) == (3, workload.owner)
    events.close()


async def test_what_is_evicted_is_said_to_wait_again_and_why(jp_ws_fetch: Any, simulated: object) -> None:
    await seen(jp_ws_fetch)
    events = await jp_ws_fetch("api", "events", "subscribe")
    engine = AsyncClient().engine
    first = await engine.submit(spec(UNTIL_STOPPED, gpu=2, grace_s=0))
    await transitions(events, first.id, "running")
    await engine.submit(spec(UNTIL_STOPPED, gpu=2, grace_s=0, priority=150))
    evicted = (await transitions(events, first.id, "pending"))[-1]
    assert evicted["reason"].startswith("preempt: ")
    events.close()


async def test_what_happened_before_anybody_looked_is_not_news(
    jp_ws_fetch: Any, jp_serverapp: Any, simulated: object
) -> None:
    client = AsyncClient()
    old = await client.engine.submit(spec())
    await client.settled(old.id)
    events = await jp_ws_fetch("api", "events", "subscribe")
    await seen(jp_ws_fetch)
    new = await client.engine.submit(spec())
    first = json.loads(await events.read_message())
    while first["schema_id"] != SCHEMA_ID:
        first = json.loads(await events.read_message())
    assert first["workload"] == new.id
    events.close()
