"""The WebSocket: state, deltas with numbers, resuming, and logs."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec
import pytest

from jupyter_runai.client import AsyncClient
from scheduler_core.errors import EngineUnavailable
from scheduler_core.local import LocalEngine
from scheduler_core.model import TaskRequest
from scheduler_core.workload import Event
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


async def test_of_a_log_the_end_is_followed_from_a_whole_line_on(jp_ws_fetch: Any, simulated: object) -> None:
    engine = AsyncClient().engine
    workload = await engine.submit(spec("print('first'); print('second'); print('third')"))
    async for _ in engine.logs(workload.id, follow=True):
        pass
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    stream.write_message(json.dumps({"type": "follow", "workload": workload.id, "offset": -10}))
    async for message in messages(stream):
        if message["type"] == "log":
            assert (message["offset"], message["text"]) == (13, "third\n")
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


async def test_logs_that_have_ended_make_room_for_others(jp_ws_fetch: Any, simulated: object) -> None:
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    received = messages(stream)
    for number in range(20):
        stream.write_message(json.dumps({"type": "follow", "workload": f"{number:08x}"}))
        async for message in received:
            if message["type"] == "error":
                assert (message["code"], message["workload"]) == ("not_found", f"{number:08x}")
                break
    stream.close()


async def test_one_log_too_many_is_refused_by_name_until_one_is_let_go(jp_ws_fetch: Any, simulated: object) -> None:
    engine = AsyncClient().engine
    workloads = [await engine.submit(spec(UNTIL_STOPPED, gpu=2, grace_s=0)) for _ in range(17)]
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    received = messages(stream)
    for workload in reversed(workloads):
        stream.write_message(json.dumps({"type": "follow", "workload": workload.id}))
    async for message in received:
        if message["type"] == "error":
            assert (message["code"], message["workload"]) == ("conflict", workloads[0].id)
            assert "16 logs" in message["message"]
            break
    stream.write_message(json.dumps({"type": "unfollow", "workload": workloads[1].id}))
    stream.write_message(json.dumps({"type": "follow", "workload": workloads[0].id}))
    async for message in received:
        assert message["type"] != "error"
        if message["type"] == "log":
            assert message["workload"] == workloads[0].id
            break
    stream.close()


async def test_what_a_workload_uses_is_sent_as_it_is_measured(jp_ws_fetch: Any, simulated: object) -> None:
    engine = AsyncClient().engine
    workload = await engine.submit(spec(UNTIL_STOPPED, gpu="0.5", grace_s=0))
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    stream.write_message(json.dumps({"type": "measure", "workload": workload.id, "step": "second"}))
    told: dict[float, Any] = {}
    async for message in messages(stream):
        if message["type"] == "measurements":
            assert (message["workload"], message["step"]) == (workload.id, "second")
            assert all(each["at"] >= max(told, default=0.0) for each in message["measurements"])
            told |= {each["at"]: each for each in message["measurements"]}
            if len(told) > 2:
                break
    seconds = list(msgspec.to_builtins(await engine.measurements(workload.id, "second")))
    assert list(told.values()) == seconds[: len(told)]
    first, *later = told
    since = {"type": "measure", "workload": workload.id, "step": "second", "since": later[1]}
    stream.write_message(json.dumps(since))
    async for message in messages(stream):
        if message["type"] == "measurements" and len(message["measurements"]) > 1:
            assert first not in [each["at"] for each in message["measurements"]]
            break
    stream.close()


async def test_what_is_measured_no_more_is_silent(jp_ws_fetch: Any, simulated: object) -> None:
    engine = AsyncClient().engine
    workload = await engine.submit(spec(UNTIL_STOPPED, gpu="0.5", grace_s=0))
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    received = messages(stream)
    asked = {"workload": workload.id, "step": "second"}
    stream.write_message(json.dumps({"type": "measure", **asked}))
    async for message in received:
        if message["type"] == "measurements" and message["measurements"]:
            break
    stream.write_message(json.dumps({"type": "unmeasure", **asked}))
    stream.write_message(json.dumps({"type": "measure", "workload": "0badc0de", "step": "minute"}))
    async for message in received:
        if message["type"] == "error":
            refused = message["code"], message["topic"], message["workload"]
            assert refused == ("not_found", "measurements", "0badc0de")
            break
    so_far = len(await engine.measurements(workload.id, "second"))
    while len(await engine.measurements(workload.id, "second")) < so_far + 2:
        pass
    await engine.stop(workload.id)
    async for message in received:
        assert message["type"] != "measurements"
        if message["type"] == "workload" and message["workload"]["state"] == "stopped":
            break
    stream.close()


async def test_one_workload_too_many_to_be_measured_is_refused_by_name(jp_ws_fetch: Any, simulated: object) -> None:
    engine = AsyncClient().engine
    workloads = [await engine.submit(spec(UNTIL_STOPPED, gpu=2, grace_s=0)) for _ in range(17)]
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    for workload in workloads:
        stream.write_message(json.dumps({"type": "measure", "workload": workload.id, "step": "second"}))
    async for message in messages(stream):
        if message["type"] == "error":
            refused = message["code"], message["topic"], message["workload"]
            assert refused == ("conflict", "measurements", workloads[-1].id)
            break
    stream.close()


class BrokenLogs(LocalEngine):
    """An engine with a defect in its logs."""

    async def logs(self, workload_id: str, offset: int = 0, follow: bool = False) -> AsyncGenerator[bytes, None]:
        yield b"so far"
        raise ZeroDivisionError


class BrokenEvents(LocalEngine):
    """An engine with a defect in its events: after the first there comes none."""

    async def watch(self, since: tuple[str, int] | None = None) -> AsyncGenerator[Event, None]:
        async with aclosing(super().watch(since)) as events:
            yield await anext(events)
        raise ZeroDivisionError


async def test_a_defect_of_a_log_is_told_of_that_log(jp_ws_fetch: Any, jp_serverapp: Any, simulated: object) -> None:
    jp_serverapp.web_app.settings["runai_client"] = AsyncClient(BrokenLogs())
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    await anext(messages(stream))
    stream.write_message(json.dumps({"type": "follow", "workload": "any"}))
    async for message in messages(stream):
        if message["type"] == "error":
            assert (message["code"], message["workload"]) == ("engine_defect", "any")
            break
    stream.close()


async def test_a_defect_of_the_events_ends_the_stream_with_an_error(
    jp_ws_fetch: Any, jp_serverapp: Any, simulated: object
) -> None:
    jp_serverapp.web_app.settings["runai_client"] = AsyncClient(BrokenEvents())
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    last = [message async for message in messages(stream)][-1]
    assert (last["type"], last["topic"], last["code"]) == ("error", "events", "engine_defect")


@pytest.mark.parametrize(
    "message",
    [
        "hello",
        b"\xff",
        '{"type": "shout"}',
        '{"type": "follow"}',
        '{"type": "unfollow", "workload": ""}',
        '{"type": "follow", "workload": ""}',
        '{"type": "follow", "workload": "x", "offset": 0.5}',
        '{"type": "measure", "workload": "x", "step": "year"}',
        '{"type": "unmeasure", "workload": "x"}',
    ],
)
async def test_a_message_that_is_none_ends_the_stream(
    jp_ws_fetch: Any, simulated: object, message: str | bytes
) -> None:
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    await anext(messages(stream))
    stream.write_message(message, binary=isinstance(message, bytes))
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


class Counting(LocalEngine):
    """An engine that counts who watches it."""

    watchers = 0

    async def watch(self, since: tuple[str, int] | None = None) -> AsyncGenerator[Event, None]:
        self.watchers += 1
        async with aclosing(super().watch(since)) as events:
            async for event in events:
                yield event


async def test_all_tabs_share_one_stream_of_the_engine(jp_ws_fetch: Any, jp_serverapp: Any, simulated: object) -> None:
    counting = Counting()
    jp_serverapp.web_app.settings["runai_client"] = AsyncClient(counting)
    tabs = [await jp_ws_fetch("jupyter-runai", "stream") for _ in range(5)]
    states = [await anext(messages(tab)) for tab in tabs]
    workload = await AsyncClient().engine.submit(spec(gpu="0.5"))
    for tab, state in zip(tabs, states, strict=True):
        seq = state["seq"]
        async for event in messages(tab):
            assert event["seq"] == (seq := seq + 1)
            if event["type"] == "workload" and event["workload"]["state"] == "completed":
                assert event["workload"]["id"] == workload.id
                break
        tab.close()
    assert counting.watchers == 1


async def test_an_engine_that_dies_is_told_and_its_successor_followed(jp_ws_fetch: Any, simulated: object) -> None:
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    state = await anext(messages(stream))
    os.kill(state["info"]["pid"], signal.SIGKILL)
    last = [message async for message in messages(stream)][-1]
    assert (last["type"], last["code"], last["workload"]) == ("error", EngineUnavailable.code, None)
    again = await jp_ws_fetch("jupyter-runai", "stream", params={"since": f"{state['epoch']}:{state['seq']}"})
    successor = await anext(messages(again))
    assert (successor["type"], successor["epoch"] != state["epoch"]) == ("state", True)
    again.close()


async def test_a_tab_that_takes_nothing_is_told_the_state_instead_of_all_it_missed(
    jp_serverapp: Any, jp_ws_fetch: Any, simulated: object
) -> None:
    relay = jp_serverapp.web_app.settings["runai_relay"]
    async with aclosing(relay.subscribe(None)) as slow:
        assert json.loads(await anext(slow))["type"] == "state"
        quick = await jp_ws_fetch("jupyter-runai", "stream")
        engine = AsyncClient().engine
        waits = await engine.submit(spec(gpu=5))
        changed = 0
        async for message in messages(quick):
            if message["type"] == "workload":
                # Each change of a waiting workload is an event.
                await engine.resize(waits.id, TaskRequest(gpu=5, cpu_milli=(changed := changed + 1)))
                if changed > 1100:
                    break
        quick.close()
        missed = [json.loads(await anext(slow)) for _ in range(2)]
        assert missed[0]["type"] == "state"
        assert missed[1]["seq"] == missed[0]["seq"] + 1
