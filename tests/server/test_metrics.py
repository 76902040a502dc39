"""Prometheus metrics at the server's own /metrics."""

from __future__ import annotations

import json
import math
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from tornado.httpclient import HTTPClientError

from jupyter_runai.client import AsyncClient
from scheduler_core.workload import Workload
from tests.helpers import UNTIL_STOPPED, spec

PREFIX = "jupyter_runai_"
DOCUMENTED = Path(__file__).parents[2] / "docs" / "metrics.md"


async def scraped(jp_fetch: Any) -> dict[str, dict[tuple[str, ...], float]]:
    """Our metrics by name, their values by what tells them apart."""
    text = (await jp_fetch("metrics")).body.decode()
    return {
        family.name.removeprefix(PREFIX): {_told_apart(family.name, sample): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)
        if family.name.startswith(PREFIX)
    }


def _told_apart(family: str, sample: Sample) -> tuple[str, ...]:
    labels = [sample.labels[name] for name in ("index", "queue", "state", "code") if name in sample.labels]
    return (*labels, *filter(None, [sample.name.removeprefix(family).removeprefix("_")]))


async def until(stream: Any, workload: Workload, state: str) -> None:
    """Wait until a tab was told that the workload is in this state."""
    while (message := await stream.read_message()) is not None:
        event = json.loads(message)
        if event["type"] == "workload" and event["workload"]["id"] == workload.id:
            waits = state == "pending" and event["workload"]["verdict"] is not None
            if event["workload"]["state"] == state and (waits or state != "pending"):
                return
    raise AssertionError("the stream has ended")


async def test_devices_queues_and_workloads_are_measured(jp_fetch: Any, jp_ws_fetch: Any, simulated: object) -> None:
    assert await scraped(jp_fetch) == {"stream_clients": {(): 0}, "engine_up": {(): 0}}
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    await stream.read_message()
    engine = AsyncClient().engine
    await until(stream, await engine.submit(spec(UNTIL_STOPPED, gpu="0.25", grace_s=0)), "running")
    await until(stream, await engine.submit(spec(UNTIL_STOPPED, gpu=1, grace_s=0)), "running")
    await until(stream, await engine.submit(spec(gpu=5)), "pending")
    await until(stream, await engine.submit(spec(gpu=0)), "completed")
    found = await scraped(jp_fetch)
    assert (found["stream_clients"], found["engine_up"]) == ({(): 1}, {(): 1})
    assert sorted(found["device_allocated_ratio"].values()) == [0.25, 1]
    assert set(found["device_memory_bytes"].values()) == {80 * 2**30}
    assert sorted(found["device_memory_allocated_bytes"].values()) == [20 * 2**30, 80 * 2**30]
    assert found["device_ready"] == {("0",): 1, ("1",): 1}
    assert found["queue_quota_devices"] == {("default",): math.inf}
    assert (found["workloads"][("running",)], found["workloads"][("completed",)]) == (2, 1)
    assert found["workloads"][("failed",)] == 0
    assert found["workloads_waiting"][("never_fits",)] == 1
    plans, seconds = found["planning_seconds"][("count",)], found["planning_seconds"][("sum",)]
    assert plans >= 3 and seconds > 0
    stream.close()


async def test_every_metric_is_documented_and_every_documented_one_is_there(
    jp_fetch: Any, jp_ws_fetch: Any, simulated: object
) -> None:
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    await stream.read_message()
    lines = DOCUMENTED.read_text().splitlines()
    documented = {line.split("`")[1] for line in lines if line.startswith(f"| `{PREFIX}")}
    assert {f"{PREFIX}{name}" for name in await scraped(jp_fetch)} == documented
    stream.close()


async def test_of_an_engine_that_is_not_seen_nothing_old_is_told(
    jp_fetch: Any, jp_ws_fetch: Any, simulated: Path
) -> None:
    stream = await jp_ws_fetch("jupyter-runai", "stream")
    await stream.read_message()
    assert (await scraped(jp_fetch))["engine_up"] == {(): 1}
    settings = (simulated / "settings.json").read_text()
    (simulated / "settings.json").write_text("{broken")
    os.kill((await AsyncClient().engine.info()).pid, signal.SIGKILL)
    while await stream.read_message() is not None:
        pass
    assert await scraped(jp_fetch) == {"stream_clients": {(): 0}, "engine_up": {(): 0}}
    (simulated / "settings.json").write_text(settings)


async def test_they_need_a_token_unless_the_server_says_otherwise(jp_fetch: Any, simulated: object) -> None:
    with pytest.raises(HTTPClientError, match="403"):
        await jp_fetch("metrics", headers={"Authorization": "token wrong"})
