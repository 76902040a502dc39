"""The WebSocket: state, deltas with numbers, resuming, and logs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jupyter_runai.client import AsyncClient
from scheduler_core.errors import EngineUnavailable
from tests.helpers import UNTIL_STOPPED, spec


async def messages(stream: Any) -> AsyncIterator[dict[str, Any]]:
    while (message := await stream.read_message()) is not None:
        yield json.loads(message)


async def test_a_state_then_every_change_in_order(jp_ws_fetch: Any, simulated: object) -> None:
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    received = messages(stream)
    state = await anext(received)
    assert state["type"] == "state"
    assert state["info"]["simulated"] == "2xA100-80GB"
    assert len(state["devices"]) == 2
    workload = await AsyncClient().engine.submit(spec(gpu="0.5"))
    seq = state["seq"]
    states = []
    async for event in received:
        assert (event["epoch"], event["seq"]) == (state["epoch"], seq + 1)
        seq += 1
        if event["type"] == "workload":
            assert event["workload"]["id"] == workload.id
            states.append(event["workload"]["state"])
            if states[-1] == "completed":
                break
    assert list(dict.fromkeys(states)) == ["pending", "initializing", "running", "completed"]
    stream.close()
    resumed = await jp_ws_fetch("jupyter-runai", "stream", params={"since": f"{state['epoch']}:{state['seq']}"})
    again = await anext(messages(resumed))
    assert (again["type"] != "state", again["seq"]) == (True, state["seq"] + 1)
    resumed.close()
    restarted = await jp_ws_fetch("jupyter-runai", "stream", params={"since": "another:7"})
    assert (await anext(messages(restarted)))["type"] == "state"
    restarted.close()


async def test_a_log_is_followed_from_any_byte_to_its_end(jp_ws_fetch: Any, simulated: object) -> None:
    engine = AsyncClient().engine
    workload = await engine.submit(spec("print('h\\u00e9llo'); print('world')"))
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    stream.write_message(json.dumps({"type": "follow", "workload": workload.id, "offset": 0}))
    text, at = "", 0
    async for message in messages(stream):
        if message["type"] == "log":
            assert message["offset"] == at
            text, at = text + message["text"], message["next"]
        if message["type"] == "log_end":
            break
    assert text == "h\u00e9llo\nworld\n"
    stream.write_message(json.dumps({"type": "follow", "workload": workload.id, "offset": at - 6}))
    async for message in messages(stream):
        if message["type"] == "log":
            assert message["text"] == "world\n"
            break
    stream.close()


async def test_a_log_that_is_followed_no_more_is_silent(jp_ws_fetch: Any, simulated: object) -> None:
    engine = AsyncClient().engine
    workload = await engine.submit(spec(UNTIL_STOPPED, grace_s=0))
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    received = messages(stream)
    stream.write_message(json.dumps({"type": "follow", "workload": workload.id}))
    async for message in received:
        if message["type"] == "log":
            break
    stream.write_message(json.dumps({"type": "unfollow", "workload": workload.id}))
    await engine.stop(workload.id)
    async for message in received:
        assert message["type"] not in ("log", "log_end")
        if message["type"] == "workload" and message["workload"]["state"] == "stopped":
            break
    stream.close()


async def test_following_what_is_not_there_says_so(jp_ws_fetch: Any, simulated: object) -> None:
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    stream.write_message(json.dumps({"type": "follow", "workload": "0badc0de"}))
    async for message in messages(stream):
        if message["type"] == "error":
            assert (message["code"], message["workload"]) == ("not_found", "0badc0de")
            break
    stream.close()


@pytest.mark.parametrize("message", ["hello", '{"type": "shout"}', '{"type": "follow"}'])
async def test_a_message_that_is_none_ends_the_stream(jp_ws_fetch: Any, simulated: object, message: str) -> None:
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    stream.write_message(message)
    async for _ in messages(stream):
        pass
    assert stream.close_code == 1003


async def test_an_engine_that_cannot_start_is_explained(jp_ws_fetch: Any, engine_directory: Any) -> None:
    (engine_directory / "settings.json").write_text("{broken")
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    message = await anext(messages(stream))
    assert (message["type"], message["code"]) == ("error", EngineUnavailable.code)
    assert "settings.json" in message["message"]
    assert "daemon.log" in message["hint"]
    assert [_ async for _ in messages(stream)] == []
