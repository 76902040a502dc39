"""A cluster as the engine that somebody has chosen: on the command line, and in Jupyter's server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.controlled import Team

Say = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def team(team: Team, installed: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Team:
    """The same with the credentials of one who may edit it and nothing else, and their folder of settings."""
    monkeypatch.setenv("KUBECONFIG", str(installed.user_of(team.namespace)))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("RUNAI_ENGINE_DIR", raising=False)
    return team


@pytest.fixture
def say(team: Team) -> Say:
    def said(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "jupyter", "runai", *words]
        everything = {**os.environ, **variables}
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=everything)

    return said


def test_it_is_asked_from_when_it_is_chosen(say: Say, team: Team) -> None:
    team.workload("half", request={"gpu": "0.5"}, image="localhost/python:3")
    assert say("config", "engine", RUNAI_ENGINE="local").stdout == "engine: local\n"
    chosen = say("config", "engine", "kubernetes")
    assert (chosen.returncode, chosen.stderr) == (0, "")
    assert chosen.stdout.startswith("From the next start of a kernel or of Jupyter on, kubernetes at https://")
    listed = say("list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "half" in listed.stdout
    assert f"system:serviceaccount:{team.namespace}" in say("whoami").stdout


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("slurm", "There is no engine 'slurm'. There are: local, kubernetes"), ("kubernetes:moon", "moon")],
)
def test_what_cannot_be_reached_is_not_chosen(say: Say, name: str, sentence: str) -> None:
    refused = say("config", "engine", name)
    assert refused.returncode == 1
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr
    assert say("config", "engine", RUNAI_ENGINE="kubernetes").stdout == "engine: kubernetes\n"
    assert not list(Path(os.environ["XDG_CONFIG_HOME"]).rglob("engine"))


@pytest.fixture
def jp_server_config(team: Team, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("RUNAI_ENGINE", "kubernetes")
    return {"ServerApp": {"jpserver_extensions": {"jupyter_runai": True}}}


async def test_jupyters_server_shows_it_live(jp_ws_fetch: Any, team: Team) -> None:
    team.workload("early", image="localhost/python:3")
    stream = await jp_ws_fetch("jupyter-runai", "stream")

    async def messages() -> Any:
        while (message := await stream.read_message()) is not None:
            yield json.loads(message)

    async with aclosing(messages()) as received:
        state = await anext(received)
        assert state["info"]["kind"] == "kubernetes"
        assert [workload["name"] for workload in state["workloads"]] == ["early"]
        assert [queue["name"] for queue in state["queues"]] == ["default"]
        team.workload("late", image="localhost/python:3")
        async for event in received:
            if event["type"] == "workload" and event["workload"]["name"] == "late":
                break
    stream.close()
