"""The REST handlers through a real Jupyter server, under a base URL that needs care."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema
import pytest
from tornado.httpclient import HTTPClientError
from tornado.iostream import StreamClosedError

from jupyter_runai.client import AsyncClient
from scheduler_core.errors import EngineUnavailable
from scheduler_core.local import LocalEngine
from scheduler_core.workload import Output
from tests.helpers import UNTIL_STOPPED, spec

BASE = "jupyter-runai"


async def get(jp_fetch: Any, *path: str, **params: Any) -> Any:
    return json.loads((await jp_fetch(BASE, *path, params=params)).body)


async def post(jp_fetch: Any, *path: str, body: object = None, **params: Any) -> Any:
    answer = await jp_fetch(BASE, *path, method="POST", body=json.dumps(body or {}), params=params)
    return json.loads(answer.body)


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


async def test_who_did_what_is_answered_in_pages(jp_fetch: Any, simulated: object) -> None:
    engine = AsyncClient().engine
    waiting = await engine.submit(spec(gpu=5))
    for verb in ("suspend", "resume", "stop"):
        await jp_fetch(BASE, "workloads", waiting.id, verb, method="POST", body="")
    asked: dict[str, Any] = {"workload": waiting.id, "limit": 3, "newest_first": "true"}
    first = await get(jp_fetch, "audit", **asked)
    rest = await get(jp_fetch, "audit", **asked, after=first["next"])
    assert [entry["action"] for entry in first["entries"]] == ["stop", "resume", "suspend"]
    assert ([entry["action"] for entry in rest["entries"]], rest["next"]) == (["submit"], None)
    assert {entry["user"] for entry in first["entries"]} == {waiting.owner}
    for wrong in ({"limit": 0}, {"action": "dance"}, {"after": "x"}):
        with pytest.raises(HTTPClientError, match="400"):
            await get(jp_fetch, "audit", **wrong)


async def test_a_workload_is_resized(jp_fetch: Any, simulated: object) -> None:
    workload = await AsyncClient().engine.submit(spec(gpu=2, priority=25))
    answer = await jp_fetch(BASE, "workloads", workload.id, "resize", method="POST", body='{"gpu": "0.5"}')
    assert json.loads(answer.body)["applied"] in ("now", "next_start")


async def test_a_workload_is_previewed_and_submitted(
    jp_fetch: Any, jp_root_dir: Path, monkeypatch: pytest.MonkeyPatch, simulated: object
) -> None:
    monkeypatch.setenv("OF_THE_SERVER", "1")
    (jp_root_dir / "here").mkdir()
    code = "import os; print(os.getcwd(), os.environ.get('OF_THE_SERVER'), os.environ['OWN'])"
    asked = {"command": [sys.executable, "-c", code], "cwd": "here", "env": {"OWN": "2"}, "request": {"gpu": "0.5"}}
    assert (await post(jp_fetch, "preview", body=asked))["state"] == "placed"
    assert (await get(jp_fetch, "workloads"))["workloads"] == []
    client = AsyncClient()
    for inherit, seen in ((1, "1"), (0, "None")):
        workload = await post(jp_fetch, "workloads", body=asked, inherit_env=inherit)
        assert (await client.settled(workload["id"])).state == "completed"
        log = await jp_fetch(BASE, "workloads", workload["id"], "logs")
        assert log.body.decode() == f"{jp_root_dir / 'here'} {seen} 2\n"


async def test_a_submission_is_checked_with_the_schema_that_is_served(
    jp_fetch: Any, jp_root_dir: Path, simulated: object
) -> None:
    schema = await get(jp_fetch, "submission-schema.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$defs"]["WorkloadSpec"]["properties"]["cwd"]["default"] == str(jp_root_dir)
    right: dict[str, Any] = {"command": ["/bin/true"], "cwd": "/"}
    wrong: list[dict[str, Any]] = [{"cwd": "/"}, {**right, "tasks": 0}, {**right, "kind": "x"}, {**right, "gpus": 1}]
    jsonschema.validate(right, schema)
    for specification in wrong:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(specification, schema)
        with pytest.raises(HTTPClientError, match="400"):
            await post(jp_fetch, "preview", body=specification)


async def test_what_would_let_a_workload_start_is_told_when_asked(jp_fetch: Any, simulated: object) -> None:
    engine = AsyncClient().engine
    await engine.submit(spec(UNTIL_STOPPED, gpu=1, grace_s=0, priority=150))
    await engine.submit(spec(UNTIL_STOPPED, gpu="0.6", grace_s=0, priority=150))
    waits = await engine.submit(spec(gpu="0.5"))
    assert (await get(jp_fetch, "workloads", waits.id, "explain"))["remedies"] == []
    remedy = (await get(jp_fetch, "workloads", waits.id, "explain", remedies=1))["remedies"][0]
    assert remedy["change"] == "gpu 0.5 to 0.4"
    assert remedy["effect"].startswith("starts now")
    original = await get(jp_fetch, "workloads", waits.id, "specification")
    assert original["request"] == {"gpu": "0.5"}
    assert (await post(jp_fetch, "preview", body={**original, "request": remedy["request"]}))["state"] == "placed"


async def test_a_workload_is_scaled_and_its_tasks_are_shown(jp_fetch: Any, simulated: object) -> None:
    engine = AsyncClient().engine
    workload = await engine.submit(spec(UNTIL_STOPPED, gpu="0.1", tasks=2, gang=False, grace_s=0))
    answer = await post(jp_fetch, "workloads", workload.id, "scale", body={"tasks": 3})
    assert answer["workload"]["tasks"] == 3
    tasks = (await get(jp_fetch, "workloads", workload.id, "tasks"))["tasks"]
    assert [task["index"] for task in tasks] == [0, 1, 2]


async def test_the_trash_is_listed_restored_from_and_purged(jp_fetch: Any, simulated: object) -> None:
    client = AsyncClient()
    workload = await client.engine.submit(spec())
    await client.settled(workload.id)

    async def listed(deleted: int) -> list[str]:
        return [each["id"] for each in (await get(jp_fetch, "workloads", deleted=deleted))["workloads"]]

    await jp_fetch(BASE, "workloads", workload.id, method="DELETE")
    assert (await listed(0), await listed(1)) == ([], [workload.id])
    assert (await post(jp_fetch, "workloads", workload.id, "restore"))["restored"] is not None
    assert (await listed(0), await listed(1)) == ([workload.id], [])
    await jp_fetch(BASE, "workloads", workload.id, method="DELETE", params={"purge": 1})
    assert (await listed(0), await listed(1)) == ([], [])


async def test_measurements_come_in_steps_from_a_moment_on(jp_fetch: Any, simulated: object) -> None:
    client = AsyncClient()
    workload = await client.engine.submit(spec("import time; time.sleep(2.5)", gpu="0.5"))
    await client.settled(workload.id)
    path = ("workloads", workload.id, "measurements")
    every = (await get(jp_fetch, *path, step="second"))["measurements"]
    assert every
    assert every[0].keys() >= {"at", "gpu_utilization", "gpu_memory_mib", "cpu_cores", "memory_mib"}
    assert (await get(jp_fetch, *path, step="second", since=time.time() + 60))["measurements"] == []


async def test_usage_is_told_by_what_and_for_when_it_is_asked(jp_fetch: Any, simulated: object) -> None:
    client = AsyncClient()
    workload = await client.engine.submit(spec("pass", gpu="0.5"))
    ended = await client.settled(workload.id)
    usage = await get(jp_fetch, "usage", by="workload", since=workload.created, step="day")
    assert (usage["by"], usage["step"], usage["simulated"]) == ("workload", "day", True)
    (row, *_) = usage["rows"]
    assert (row["group"], row["name"], row["owner"]) == (workload.id, workload.name, workload.owner)
    assert row["allocated"] > 0
    assert [row["group"] for row in (await get(jp_fetch, "usage"))["rows"]] == [workload.queue]
    assert (await get(jp_fetch, "usage", until=workload.created - 60))["rows"] == []
    assert (await get(jp_fetch, "usage", since=ended.ended, until=ended.ended))["rows"] == []


async def test_results_lie_in_a_folder_of_their_own(jp_fetch: Any, simulated: object) -> None:
    workload = await AsyncClient().engine.submit(spec("import os; open(os.environ['RUNAI_RESULTS'] + '/x', 'w')"))
    await AsyncClient().settled(workload.id)
    assert Path((await get(jp_fetch, "workloads", workload.id, "results"))["path"], "x").exists()


async def test_a_log_is_read_from_a_byte_on_and_saved_under_its_name(jp_fetch: Any, simulated: object) -> None:
    client = AsyncClient()
    workload = await client.engine.submit(spec("print('h\u00e9llo'); print('world')", name="talk"))
    await client.settled(workload.id)
    log = await jp_fetch(BASE, "workloads", workload.id, "logs", params={"offset": 7, "download": 1})
    assert log.body == b"world\n"
    assert log.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert log.headers["Content-Disposition"] == 'attachment; filename="talk.log"'
    silent = await client.engine.submit(spec("pass"))
    await client.settled(silent.id)
    nothing = await jp_fetch(BASE, "workloads", silent.id, "logs")
    assert (nothing.code, nothing.body) == (200, b"")


class Talking(LocalEngine):
    """Workloads whose output never ends, or breaks off."""

    def __init__(self, breaks_off: bool) -> None:
        super().__init__()
        self.breaks_off = breaks_off
        self.was_let_go = asyncio.Event()

    async def logs(
        self, workload_id: str, offset: int = 0, follow: bool = False, task: int = 0
    ) -> AsyncGenerator[Output, None]:
        try:
            while True:
                yield Output(offset=offset, data=bytes(65536))
                offset += 65536
                if self.breaks_off and offset > 2**20:
                    raise EngineUnavailable("The engine has left.")
        finally:
            self.was_let_go.set()


async def test_a_log_of_any_length_is_sent_as_it_is_read(jp_fetch: Any, jp_serverapp: Any, simulated: object) -> None:
    workload = await AsyncClient().engine.submit(spec())
    jp_serverapp.web_app.settings["runai_client"] = AsyncClient(talking := Talking(breaks_off=False))
    received = 0

    def count(piece: bytes) -> None:
        nonlocal received
        received += len(piece)
        if received > 64 * 2**20:
            raise ConnectionAbortedError("enough")

    with pytest.raises((ConnectionAbortedError, HTTPClientError, OSError)):
        await jp_fetch(BASE, "workloads", workload.id, "logs", streaming_callback=count, request_timeout=120)
    assert received > 64 * 2**20
    await asyncio.wait_for(talking.was_let_go.wait(), 60)


async def test_a_part_of_a_log_does_not_pass_for_the_whole(jp_fetch: Any, jp_serverapp: Any, simulated: object) -> None:
    workload = await AsyncClient().engine.submit(spec())
    jp_serverapp.web_app.settings["runai_client"] = AsyncClient(Talking(breaks_off=True))
    with pytest.raises((HTTPClientError, OSError, StreamClosedError)):
        await jp_fetch(BASE, "workloads", workload.id, "logs")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", ["no-such-thing"], None, 404, "not_found"),
        ("POST", ["workloads", "0badc0de", "shout"], "", 404, "not_found"),
        ("POST", ["workloads", "0badc0de"], "", 405, "invalid_request"),
        ("DELETE", ["workloads", "0badc0de"], None, 404, "not_found"),
        ("GET", ["workloads", "0badc0de", "logs"], None, 404, "not_found"),
        ("GET", ["workloads", "0badc0de", "logs?offset=-1"], None, 400, "invalid_request"),
        ("GET", ["workloads", "0badc0de", "logs?task=x"], None, 400, "invalid_request"),
        ("GET", ["workloads", "0badc0de", "measurements?step=day"], None, 400, "invalid_request"),
        ("GET", ["workloads", "0badc0de", "measurements?since=nan"], None, 400, "invalid_request"),
        ("GET", ["usage?by=colour"], None, 400, "invalid_request"),
        ("GET", ["usage?step=year"], None, 400, "invalid_request"),
        ("GET", ["usage?since=2&until=1"], None, 400, "invalid_request"),
        ("GET", ["usage?since=0&step=minute"], None, 400, "invalid_request"),
        ("GET", ["workloads?deleted=perhaps"], None, 400, "invalid_request"),
        ("POST", ["workloads"], '{"command": ["/bin/true"], "cwd": "no/such/folder"}', 400, "invalid_request"),
        ("POST", ["workloads"], '{"command": [], "cwd": "/"}', 400, "invalid_request"),
        ("POST", ["preview"], '{"command": ["/bin/true"], "cwd": "/", "queue": "nobody"}', 400, "invalid_request"),
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
    *folders, last = path
    last, _, query = last.partition("?")
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(BASE, *folders, last, method=method, body=body, params=dict(parse_qsl(query)))
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
