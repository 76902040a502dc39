"""Workspaces over REST: made, listed, copied, opened and deleted, by the server's own kernelspecs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from jupyter_runai.client import Client
from tests.helpers import outcome, running, until
from tests.kernels.conftest import offer_environments

BASE = "jupyter-runai"


async def ask(jp_fetch: Any, method: str, *path: str, body: object = None) -> Any:
    text = json.dumps(body or {}) if method == "POST" else None
    answer = await jp_fetch(BASE, "workspaces", *path, method=method, body=text)
    return json.loads(answer.body or b"null")


async def test_a_workspace_is_made_copied_opened_and_deleted(jp_fetch: Any, jp_root_dir: Path, client: Client) -> None:
    (jp_root_dir / "data").mkdir()
    made = await ask(jp_fetch, "POST", body={"name": "vision.2", "gpu": "0.5", "folder": "data"})
    assert (made["kernelspec"], made["folder"]) == ("workspace-vision.2", str(jp_root_dir / "data"))
    until(client, made["workload"]["id"], running)
    specs = json.loads((await jp_fetch("api", "kernelspecs")).body)["kernelspecs"]
    assert specs["workspace-vision.2"]["spec"]["display_name"] == "Workspace vision.2 (0.5)"
    copied = await ask(jp_fetch, "POST", "vision.2", "copy", body={"name": "small", "gpu_memory_mib": 1024})
    assert (copied["request"], copied["folder"]) == ({"gpu_memory_mib": 1024}, made["folder"])
    opened = await ask(jp_fetch, "POST", "vision.2", "open")
    assert opened["workload"]["id"] == made["workload"]["id"]
    await ask(jp_fetch, "DELETE", "vision.2")
    assert outcome(client, made["workload"]["id"])[0].state == "stopped"
    assert [known["name"] for known in (await ask(jp_fetch, "GET"))["workspaces"]] == ["small"]


async def test_a_workspace_and_its_copy_have_the_priority_that_is_asked_for(jp_fetch: Any, client: Client) -> None:
    body = {"name": "vision", "gpu": "0.25", "priority": "medium", "max_time_s": 600}
    made = await ask(jp_fetch, "POST", body=body)
    copied = await ask(jp_fetch, "POST", "vision", "copy", body={"name": "other", "max_time_s": 60})
    for workspace, longest in ((made, 600), (copied, 60)):
        assert (workspace["preemptible"], workspace["priority"], workspace["max_time_s"]) == (True, "medium", longest)
        assert workspace["workload"]["priority"] == 80
        assert client.specification(workspace["workload"]["id"]).max_run_s == longest
    body = {"name": "usual", "priority": None, "max_time_s": 0}
    usual = await ask(jp_fetch, "POST", "vision", "copy", body=body)
    assert (usual["priority"], usual["preemptible"], usual["workload"]["priority"]) == (None, False, 125)
    assert client.specification(usual["workload"]["id"]).max_run_s is None


async def test_a_workspace_is_made_in_an_environment(
    jp_fetch: Any, jp_root_dir: Path, simulated: Path, client: Client
) -> None:
    folder = jp_root_dir / "data"
    folder.mkdir()
    offer_environments(client, simulated, torch={"variables": {"OMP_NUM_THREADS": 4}, "folder": str(folder)})
    made = await ask(jp_fetch, "POST", body={"name": "vision", "gpu": "0.5", "environment": "torch"})
    assert made["folder"] == str(folder)
    specs = json.loads((await jp_fetch("api", "kernelspecs")).body)["kernelspecs"]
    assert specs["workspace-vision"]["spec"]["env"] == {"OMP_NUM_THREADS": "4"}
    with pytest.raises(HTTPClientError) as refused:
        await ask(jp_fetch, "POST", body={"name": "other", "gpu": "0.5", "environment": "jax"})
    assert refused.value.code == 404


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ([], {"gpu": "0.5"}, 400, "name"),
        ([], {"name": "No!", "gpu": "0.5"}, 400, "name"),
        ([], {"name": "vision", "gpu": "1.5"}, 400, "is a whole number of devices or a share"),
        ([], {"name": "vision", "gpu": "0.5", "gpu_memory_mib": 5}, 400, "A GPU request takes one form"),
        ([], {"name": "vision", "gpu": "0.5", "folder": "nowhere"}, 400, "There is no folder "),
        ([], {"name": "vision", "gpu": "8"}, 409, "The kernel cannot start"),
        (["vision", "copy"], {"name": "small"}, 404, "There is no workspace 'vision'."),
        (["vision", "open"], {}, 404, "There is no workspace 'vision'."),
    ],
)
async def test_a_refusal_leaves_nothing(
    jp_fetch: Any, client: Client, path: list[str], body: dict[str, Any], status: int, sentence: str
) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await ask(jp_fetch, "POST", *path, body=body)
    assert refused.value.code == status
    assert refused.value.response is not None
    assert sentence in json.loads(refused.value.response.body)["message"]
    assert (await ask(jp_fetch, "GET"))["workspaces"] == []
    assert client.list() == ()
