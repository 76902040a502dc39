"""`jupyter runai` and the daemon's own command, as processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until


def say(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jupyter", "runai", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_verbs_answer_as_in_a_notebook(client: Client) -> None:
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="steady", grace_s=0))
    until(client, workload.id, running)
    assert "steady" in say("list").stdout
    assert "steady 0.5" in say("devices").stdout
    assert "What runs survives a restart of the engine" in say("devices").stdout
    assert "steady is running on 0.5 of simulated A100 80GB #0." in say("explain", "steady").stdout
    assert say("logs", "steady").stdout == "up\n"
    assert "unlimited" in say("queues").stdout
    assert "told to stop" in say("stop", "steady").stdout
    outcome(client, workload.id)
    assert say("delete", "steady").stdout.startswith("steady is deleted. For 14 days")
    assert say("list").stdout == "Nothing runs or waits.\n"
    assert say("config", "simulate").stdout == "simulate: 2xA100-80GB\n"


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["stop", "nobody"], 1, "There is no workload called 'nobody'. See %runai list."),
        (["submit", "--", "no-such-program"], 1, "There is no program 'no-such-program' here. Give its path"),
        (["lst"], 2, "jupyter runai has no verb 'lst'. Did you mean jupyter runai list?"),
        (["list", "--everything"], 2, "--everything is no option of jupyter runai list."),
        (["submit", "--gpu", "0.5"], 2, "jupyter runai submit needs a command after --."),
        (["submit", "--gpus", "1", "--", "true"], 2, "Did you mean --gpu?"),
        (["submit", "--json", "--", "true"], 2, "Add --detach."),
        (["submit", "--workers", "2", "--elastic", "2:4", "--", "true"], 2, "--elastic: not allowed with argument"),
        (["resize"], 2, "resize needs an amount."),
    ],
)
def test_a_refusal_is_a_sentence_and_a_status(client: Client, words: list[str], status: int, sentence: str) -> None:
    said = say(*words)
    assert said.returncode == status
    assert sentence in said.stderr
    assert "Traceback" not in said.stderr
    assert said.stdout == ""


def test_no_gpu_is_said_with_what_to_do(engine_directory: Path) -> None:
    if any(Path("/proc/driver").glob("nvidia")):
        pytest.skip("this machine has a GPU")
    assert "This machine has no NVIDIA GPU." in say("devices").stdout
    refused = Client().preview(spec(gpu="0.5"))
    assert refused.code == "never_fits"
    assert "0 devices" in refused.message or "no device" in refused.message


def test_the_daemon_refuses_what_it_cannot_simulate(engine_directory: Path) -> None:
    daemon = [sys.executable, "-m", "scheduler_core.local", "--simulate", "lots"]
    said = subprocess.run(daemon, capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 1
    assert said.stderr.startswith("Simulated devices are written like")
    assert not (engine_directory / "settings.json").exists()


def test_several_of_one_name_are_told_apart(client: Client) -> None:
    for _ in range(2):
        client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="twin", grace_s=0))
    said = say("stop", "twin")
    assert said.returncode == 1
    assert "2 running or waiting workloads are called twin." in said.stderr
