"""A workspace: its kernel outlives its notebooks and their server, is suspended, resumed, copied and deleted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from jupyter_runai.client import Client
from scheduler_core.workload import Workload
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until, waits
from tests.kernels.conftest import StartServer, another_python, offer_environments
from tests.kernels.jupyter import Jupyter
from tests.kernels.test_leased_kernel import PID


@pytest.fixture
def server(start_server: StartServer) -> Jupyter:
    return start_server("--RunaiProvisioner.queue_timeout=1")


def say(server: Jupyter, *words: str) -> Any:
    """The answer of `jupyter runai workspace` as JSON."""
    said = server.say("workspace", *words, "--json")
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def create(server: Jupyter, name: str = "vision", *words: str) -> dict[str, Any]:
    made: dict[str, Any] = say(server, "create", name, *(words or ("--gpu", "0.5")))
    return made


async def test_a_workspace_is_there_before_any_notebook(server: Jupyter, client: Client, tmp_path: Path) -> None:
    made = create(server, "vision", "--gpu", "0.5", "--folder", str(tmp_path))
    (workload,) = client.list()
    assert (workload.id, workload.name, workload.kind) == (made["workload"]["id"], "vision", "workspace")
    assert (workload.state, workload.request.gpu) == ("running", "0.5")
    kernel = await server.start("workspace-vision")
    assert await kernel.value("__import__('os').environ['RUNAI_WORKLOAD_ID']") == f"'{workload.id}'"
    assert await kernel.value("__import__('os').getcwd()") == f"'{tmp_path}'"
    (listed,) = say(server, "list")
    assert (listed["name"], listed["display_name"]) == ("vision", "Workspace vision (0.5)")
    assert "vision" in server.say("workspace", "list").stdout
    (row,) = [line for line in server.say("list").stdout.splitlines() if line.startswith("vision")]
    assert "workspace" in row


async def test_a_killed_server_leaves_it_and_another_finds_its_variables(
    server: Jupyter, start_server: StartServer, client: Client
) -> None:
    create(server)
    kernel = await server.start("workspace-vision")
    pid = await kernel.value(PID)
    await kernel.run("kept = 41 + 1")
    server.kill()
    kernel = await start_server().start("workspace-vision", "another.ipynb")
    assert await kernel.value("kept") == "42"
    assert await kernel.value(PID) == pid
    assert len(client.list()) == 1


async def test_a_server_that_leaves_and_a_kernel_that_is_shut_down_leave_it(
    server: Jupyter, start_server: StartServer, client: Client
) -> None:
    create(server)
    kernel = await server.start("workspace-vision")
    await kernel.run("kept = 1")
    await kernel.shut_down()
    assert await server.kernels() == []
    kernel = await server.start("workspace-vision")
    assert await kernel.value("kept") == "1"
    server.process.terminate()
    server.process.wait()
    kernel = await start_server().start("workspace-vision")
    assert await kernel.value("kept") == "1"
    assert [workload.state for workload in client.list()] == ["running"]


async def test_two_notebooks_share_it(server: Jupyter, client: Client) -> None:
    create(server)
    one, other = await server.start("workspace-vision", "a.ipynb"), await server.start("workspace-vision", "b.ipynb")
    await one.run("shared = 7")
    assert await other.value("shared") == "7"
    await one.shut_down()
    assert await other.value("shared") == "7"


def test_nbclient_runs_on_it_and_leaves_it(server: Jupyter, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    create(server)
    monkeypatch.setattr(os, "environ", server.environment)
    for code, text in (("kept = 3", None), ("print(kept)", "3\n")):
        notebook = new_notebook(cells=[new_code_cell(code)])
        NotebookClient(notebook, kernel_name="workspace-vision", timeout=60).execute()
        said = [output["text"] for output in notebook.cells[0].outputs]
        assert said == ([text] if text else [])
    assert [workload.state for workload in client.list()] == ["running"]


async def test_of_a_template_it_has_the_share_and_the_environment(
    server: Jupyter, simulated: Path, client: Client, tmp_path: Path
) -> None:
    python, folder = another_python(tmp_path), tmp_path / "data"
    folder.mkdir()
    torch = {"python": str(python), "variables": {"OMP_NUM_THREADS": 4}, "folder": str(folder)}
    offer_environments(client, simulated, {"small": {"gpu": 0.25, "environment": "torch"}}, torch=torch)
    made = create(server, "vision", "--template", "small")
    assert (made["request"], made["folder"], made["command"][0]) == ({"gpu": "0.25"}, str(folder), str(python))
    kernel = await server.start("workspace-vision")
    assert await kernel.value("__import__('os').environ['OMP_NUM_THREADS']") == "'4'"
    other = create(server, "other", "--environment", "torch", "--gpu", "0.5", "--python", sys.executable)
    assert (other["command"][0], other["folder"]) == (sys.executable, str(folder))
    said = server.say("workspace", "create", "none", "--environment", "torch")
    assert (said.returncode, said.stderr) == (
        2,
        "workspace create needs an amount. Say it: --gpu 0.5, or a --template that has one.\n",
    )


async def test_of_a_template_it_has_the_priority_and_the_longest_time(
    server: Jupyter, simulated: Path, client: Client
) -> None:
    offer_environments(client, simulated, {"short": {"gpu": 0.25, "priority": "low", "max_time": "2h"}})
    assert create(server, "vision", "--template", "short")["preemptible"]
    (workload,) = client.list()
    assert (workload.priority, workload.preemptible) == (40, True)
    assert client.specification(workload.id).max_run_s == 7200


async def test_suspended_it_frees_its_device_and_resumed_it_is_the_same_workload(
    server: Jupyter, client: Client
) -> None:
    create(server)
    (workload,) = client.list()
    kernel = await server.start("workspace-vision")
    pid = await kernel.value(PID)
    saved = "(__import__('pathlib').Path(__import__('os').environ['RUNAI_CHECKPOINT_DIR']) / 'saved')"
    await kernel.run(f"{saved}.write_text('weights')")
    say(server, "suspend", "vision")
    until(client, workload.id, lambda known: known.state == "suspended")
    assert not any(device.holders for device in client.devices())
    say(server, "resume", "vision")
    until(client, workload.id, running)
    await kernel.reconnect()
    assert await kernel.value(PID) != pid
    assert await kernel.value(f"{saved}.read_text()") == "'weights'"
    assert [known.id for known in client.list()] == [workload.id]


async def test_opened_while_suspended_it_starts_again(server: Jupyter, client: Client) -> None:
    create(server)
    (workload,) = client.list()
    say(server, "suspend", "vision")
    until(client, workload.id, lambda known: known.state == "suspended")
    kernel = await server.start("workspace-vision")
    assert await kernel.value("__import__('os').environ['RUNAI_WORKLOAD_ID']") == f"'{workload.id}'"


async def test_a_restart_keeps_its_lease(server: Jupyter, client: Client) -> None:
    create(server)
    kernel = await server.start("workspace-vision")
    pid = await kernel.value(PID)
    await kernel.run("lost = 1")
    await kernel.restart()
    assert await kernel.value(PID) != pid
    assert await kernel.value("'lost' in globals()") == "False"
    os.kill(int(await kernel.value(PID)), signal.SIGKILL)
    await kernel.until_status("restarting")
    await kernel.reconnect()
    assert [(known.state, known.restarts) for known in client.list()] == [("running", 0)]


def fill(client: Client) -> Workload:
    return until(client, client.submit(spec(UNTIL_STOPPED, gpu=2, grace_s=0, priority=125)).id, running)


async def test_without_a_device_it_waits_and_says_why(server: Jupyter, client: Client) -> None:
    holder = fill(client)
    said = server.say("workspace", "create", "vision", "--gpu", "0.5")
    assert said.stdout.startswith("vision is waiting. Choose the kernel 'Workspace vision (0.5)'")
    assert "1st in project default" in said.stdout
    refused = await server.open("workspace-vision")
    message = json.loads(refused.body)["message"]
    assert "1st in project default" in message
    assert "It stays in the queue" in message
    (workload,) = [known for known in client.list() if known.id != holder.id]
    assert waits(workload)
    client.stop(holder.id)
    until(client, workload.id, running)
    kernel = await server.start("workspace-vision")
    assert await kernel.value("1 + 1") == "2"


async def test_preempted_it_waits_and_comes_back_as_the_same_workload(server: Jupyter, client: Client) -> None:
    create(server, "vision", "--gpu", "2", "--preemptible")
    (workload,) = client.list()
    kernel = await server.start("workspace-vision")
    pid = await kernel.value(PID)
    urgent = client.submit(spec(UNTIL_STOPPED, gpu=2, grace_s=0, priority=150))
    until(client, workload.id, waits)
    client.stop(urgent.id)
    assert until(client, workload.id, running).restarts == 1
    await kernel.reconnect()
    assert await kernel.value(PID) != pid


async def test_a_copy_has_another_share_and_its_own_kernel(server: Jupyter, client: Client, tmp_path: Path) -> None:
    create(server, "vision", "--gpu", "0.5", "--folder", str(tmp_path))
    copied = say(server, "copy", "vision", "small", "--gpu", "0.25")
    assert (copied["folder"], copied["request"], copied["workload"]["state"]) == (
        str(tmp_path),
        {"gpu": "0.25"},
        "running",
    )
    kernel = await server.start("workspace-small")
    assert await kernel.value("__import__('os').environ['RUNAI_GPU_PORTION']") == "'0.25'"
    memory = say(server, "copy", "small", "memory", "--gpu-memory", "10G")
    assert memory["request"] == {"gpu_memory_mib": 10240}


def test_deleted_it_ends_and_is_offered_no_longer(server: Jupyter, client: Client) -> None:
    create(server)
    (workload,) = client.list()
    say(server, "delete", "vision")
    assert outcome(client, workload.id)[0].state == "stopped"
    assert say(server, "list") == []
    again = create(server)
    assert again["workload"]["id"] != workload.id


async def test_ended_it_is_started_anew_when_it_is_opened(server: Jupyter, client: Client) -> None:
    create(server)
    (workload,) = client.list()
    client.stop(workload.id)
    outcome(client, workload.id)
    assert say(server, "list")[0]["workload"] is None
    assert say(server, "open", "vision")["workload"]["id"] != workload.id
    kernel = await server.start("workspace-vision")
    assert await kernel.value("1") == "1"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["create", "vision"], 2, "workspace create needs an amount. Say it: --gpu 0.5"),
        (["create", "Vision!", "--gpu", "0.5"], 2, "name: a name has lower-case letters"),
        (["create", "vision", "--gpu", "0.5", "--folder", "nowhere"], 1, "There is no folder "),
        (["create", "vision", "--gpu", "0.5", "--python", "/nowhere"], 1, "/nowhere is no Python that can be run"),
        (["create", "vision", "--gpu", "0.5", "--kernel", "nobody"], 1, "There is no kernel 'nobody'. There is: "),
        (["create", "vision", "--gpu", "8"], 1, "The kernel cannot start: "),
        (["create", "busy", "--gpu", "0.5"], 1, "A workload is called busy already."),
        (["open", "visio"], 1, "There is no workspace 'visio'. There is: none."),
        (["delete", "vision"], 1, "There is no workspace 'vision'."),
        (["suspend"], 2, "The following arguments are required: workspace."),
        (["resme", "vision"], 2, "Did you mean jupyter runai workspace resume?"),
    ],
)
def test_a_refusal_is_a_sentence_and_leaves_nothing(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, sentence: str
) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    busy = client.submit(spec(UNTIL_STOPPED, grace_s=0, name="busy"))
    command = [sys.executable, "-m", "jupyter", "runai", "workspace", *words]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert refused.returncode == code
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not list((tmp_path / "data" / "kernels").glob("*"))
    assert [known.id for known in client.list()] == [busy.id]
