"""`jupyter runai kernelspec`: the kernels that the launcher offers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_runai.client import Client


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a user's kernelspecs are in."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data" / "kernels"


def say(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jupyter", "runai", "kernelspec", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def written(data: Path, profile: str) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads((data / f"runai-{profile}" / "kernel.json").read_text())
    return spec


def test_install_writes_what_the_provisioner_reads(data: Path) -> None:
    said = say("install", "--profile", "half", "--gpu", "0.5")
    assert said.stdout.startswith("The launcher offers 'Python 3 (0.5 GPU)' now.")
    spec = written(data, "half")
    assert Path(spec["argv"][0]).parent == Path(sys.executable).parent
    assert (data / "runai-half" / "logo-svg.svg").exists()
    assert spec["metadata"]["kernel_provisioner"] == {"provisioner_name": "runai", "config": {"gpu": "0.5"}}
    more = ("--gpu-memory", "20G", "--project", "vision", "--preemptible", "--name", "Vision")
    assert say("install", "--profile", "big", *more).returncode == 0
    spec = written(data, "big")
    assert spec["display_name"] == "Vision"
    config = spec["metadata"]["kernel_provisioner"]["config"]
    assert config == {"gpu_memory_mib": 20480, "project": "vision", "preemptible": True}


def test_a_template_and_an_environment_are_written_into_the_kernelspec(data: Path, simulated: Path) -> None:
    (simulated / "policies.yaml").write_text(
        "templates: {small: {gpu: 0.25, project: default, environment: torch}, low: {gpu: 0.5, priority: low,"
        " max_time: 2h, retries: 2, workers: 4}}\n"
        "environments: {torch: {python: /opt/torch/bin/python, variables: {OMP_NUM_THREADS: 4}}}\n"
    )
    assert say("install", "--profile", "small", "--template", "small").returncode == 0
    spec = written(data, "small")
    assert (spec["argv"][0], spec["env"]) == ("/opt/torch/bin/python", {"OMP_NUM_THREADS": "4"})
    assert spec["metadata"]["kernel_provisioner"]["config"] == {"gpu": "0.25", "project": "default"}
    said = say("install", "--profile", "low", "--template", "low")
    left_out = "Of the template low its workers and retries are left out: a kernel is one task, started once.\n"
    assert said.stdout.endswith(left_out)
    config = written(data, "low")["metadata"]["kernel_provisioner"]["config"]
    assert config == {"gpu": "0.5", "priority": "low", "max_time_s": 7200}
    said = say("install", "--profile", "none", "--environment", "torch")
    assert (said.returncode, said.stderr) == (
        2,
        "kernelspec install needs an amount. Say it: --gpu 0.5, or a --template that has one.\n",
    )


def test_list_and_remove(data: Path) -> None:
    assert say("list").stdout == "No kernel asks for a device yet.\n"
    for words in (("two", "--gpu", "2"), ("half", "--gpu", "0.5"), ("memory", "--gpu-memory", "20G")):
        say("install", "--profile", *words)
    assert [line.split("  ")[0] for line in say("list").stdout.splitlines()] == ["profile", "half", "memory", "two"]
    assert "Python 3 (2 GPUs)" in say("list").stdout
    assert "Python 3 (20 GB of a GPU)" in say("list").stdout
    assert say("remove", "--profile", "half").stdout.startswith("The profile half is gone")
    assert not (data / "runai-half").exists()
    refused = say("remove", "--profile", "half")
    assert (refused.returncode, refused.stderr) == (1, "There is no profile 'half'. There is: memory, two.\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["install", "--gpu", "0.5"], "The following arguments are required: --profile."),
        (["install", "--profile", "half"], "kernelspec install needs an amount."),
        (["install", "--profile", "../half", "--gpu", "0.5"], "--profile: a name has lower-case letters"),
        (["install", "--profile", "half", "--gpu", "1.5"], "--gpu: gpu is a whole number of devices or a share"),
        (["install", "--profile", "half", "--gpus", "1", "--gpu", "1"], "--gpus is no option of"),
        (["instal"], "Did you mean jupyter runai kernelspec install?"),
        ([], "Did you mean jupyter runai kernelspec"),
    ],
)
def test_a_refusal_is_a_sentence_and_writes_nothing(data: Path, words: list[str], sentence: str) -> None:
    refused = say(*words)
    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not data.exists()


def test_a_folder_that_cannot_be_written_is_said(data: Path, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    refused = say("install", "--profile", "half", "--gpu", "0.5")
    assert refused.returncode == 1
    assert refused.stderr.startswith("The kernelspec cannot be written: ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "resize needs an amount."),
        (["0.5"], "This is no workload: say which one is meant."),
        (["a", "b", "0.5"], "resize takes one workload and one amount, not a b 0.5."),
        (["a", "1.5"], "gpu is a whole number of devices or a share above 0 and below 1, not 1.5."),
        (["a", "0.5", "--gpu", "0.5"], "resize takes one workload and one amount, not a 0.5."),
    ],
)
def test_resize_says_what_it_lacks(client: Client, words: list[str], sentence: str) -> None:
    command = [sys.executable, "-m", "jupyter", "runai", "resize", *words]
    environment = {name: value for name, value in os.environ.items() if name != "RUNAI_WORKLOAD_ID"}
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert said.returncode == 2
    assert sentence in said.stderr
