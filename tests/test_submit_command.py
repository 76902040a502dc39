"""`submit` and what is seen of workloads, through the real command."""

from __future__ import annotations

import json
import math
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until, waits
from tests.test_command_line import say


def document(*words: str) -> Any:
    said = say(*words, "--json")
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def test_a_command_runs_here_and_ends_as_the_verb_ends(client: Client, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEASON", "autumn")
    Path("train.py").write_text("import os, sys; print(os.getcwd(), sys.argv[1:], os.environ['SEASON']); sys.exit(7)")
    said = say("submit", "--gpu", "0.5", "--name", "digits", "--", sys.executable, "train.py", "--lr", "0.1 --gpu")
    assert (said.returncode, said.stdout) == (7, f"{tmp_path} ['--lr', '0.1 --gpu'] autumn\n")
    assert "digits · running · 0.5 of simulated A100 80GB #0" in said.stderr
    assert "digits · failed" in said.stderr
    assert say("submit", "--", "train.py").returncode == 7
    assert [workload.name for workload in client.list()] == ["digits", "train-1"]


@pytest.mark.parametrize(("command", "status"), [("exit 0", 0), ("kill -9 $$", 137)])
def test_its_status_is_that_of_its_process(client: Client, command: str, status: int) -> None:
    assert say("submit", "--", "sh", "-c", command).returncode == status


def test_what_belongs_to_a_cluster_is_refused_on_one_machine(client: Client) -> None:
    refused = say("submit", "--job-kind", "PyTorchJob", "--workers", "2", "--", "true")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "A PyTorchJob is of a cluster, and this is one machine. Leave --job-kind out.\n"
    torn = say("submit", "--job-kind", "MPIJob", "--elastic", "2:4", "--", "true")
    assert "--elastic and --job-kind contradict each other" in torn.stderr
    assert client.list() == ()


def test_of_several_workers_each_line_says_whose_it_is(client: Client) -> None:
    code = "import os; print(os.environ['RANK'], 'of', os.environ['WORLD_SIZE'])"
    said = say("submit", "--workers", "2", "--gpu", "0.5", "--", sys.executable, "-c", code)
    assert (said.returncode, sorted(said.stdout.splitlines())) == (0, ["[0] 0 of 2", "[1] 1 of 2"])


def test_detached_it_goes_on_and_is_seen_everywhere(client: Client) -> None:
    command = ("--", sys.executable, "-c", UNTIL_STOPPED)
    workload = json.loads(say("submit", "--gpu", "0.5", "--name", "steady", "--detach", "--json", *command).stdout)
    assert (workload["name"], workload["kind"], workload["request"]) == ("steady", "training", {"gpu": "0.5"})
    until(client, workload["id"], running)
    while not client.measurements(workload["id"], "second"):
        pass
    (row,) = document("top")
    assert row["workload"]["id"] == workload["id"]
    assert row["now"]["gpu_memory_mib"] > 0
    assert "(simulated)" in say("top").stdout
    described = say("describe", "steady").stdout
    for part in ("running", "0.5 of simulated A100 80GB #0", "training, priority 40, preemptible", "signal.pause()"):
        assert part in described
    known = document("describe", "steady")
    assert known["workload"]["allocation"]["enforcement"]["level"]
    assert known["runs"]["command"] == [sys.executable, "-c", UNTIL_STOPPED]
    assert "env" not in known["runs"]
    client.stop(workload["id"])


def test_a_dry_run_submits_nothing(client: Client) -> None:
    said = say("submit", "--gpu", "5", "--kind", "interactive", "--dry-run", "--", "true").stdout
    assert "interactive, priority 125, not preemptible" in said
    assert "it can never start here. Nothing was submitted." in said
    assert client.list() == ()


def test_one_that_never_starts_is_withdrawn(client: Client) -> None:
    said = say("submit", "--gpu", "5", "--name", "big", "--", "true")
    assert said.returncode == 1
    assert "It was not started and is withdrawn; the figures: jupyter runai explain big" in said.stderr
    assert client.find("big").state == "stopped"


def test_an_interrupt_leaves_it_and_a_second_one_stops_it(client: Client) -> None:
    for name, interrupts in (("left", 1), ("ended", 2)):
        words = ["submit", "--name", name, "--", sys.executable, "-c", UNTIL_STOPPED]
        command = [sys.executable, "-m", "jupyter_runai.cli", *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stderr is not None
            assert process.stdout.readline() == "up\n"
            os.kill(process.pid, signal.SIGINT)
            while "interrupt again" not in process.stderr.readline():
                pass
            if interrupts == 2:
                os.kill(process.pid, signal.SIGINT)
            rest = process.stderr.read()
        assert process.returncode == 130
        assert ("Detached: left goes on." if name == "left" else "ended was told to stop") in rest
    left, ended = client.list()
    assert (left.stop_requested, left.state) == (None, "running")
    assert outcome(client, ended.id)[0].state == "stopped"


def test_every_verb_has_an_answer_for_programs(client: Client) -> None:
    workload = client.submit(spec("print('hello')", gpu="0.5", name="done"))
    outcome(client, workload.id)
    assert document("logs", "done") == {"workload": workload.id, "task": 0, "output": "hello\n"}
    assert document("explain", "done")["workload"]["state"] == "completed"
    assert [one["name"] for one in document("list", "--all")] == ["done"]
    assert document("list") == []
    assert len(document("devices")) == 2
    assert document("queues") == document("project", "list")
    assert document("whoami")["simulated"] == "2xA100-80GB"
    assert document("config", "simulate")["simulated"] == "2xA100-80GB"
    assert "submit" in document("help")
    assert document("stop", "done")["state"] == "completed"
    assert document("delete", "done") == {"id": workload.id, "name": "done", "purged": False}
    assert document("restore", workload.id)["name"] == "done"
    assert document("kernelspec", "list") == []


def test_what_would_let_it_start_is_a_line_that_does(client: Client) -> None:
    for _ in range(2):
        until(client, client.submit(spec(UNTIL_STOPPED, gpu="0.75", grace_s=0)).id, running)
    share = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="share", grace_s=0))
    until(client, share.id, waits)
    said = say("explain", "share").stdout
    assert "gpu 0.5 to 0.25" in said
    (line,) = [line for line in said.splitlines() if "resize" in line]
    assert document("explain", "share")["remedies"][0]["request"] == {"gpu": "0.25"}
    words = shlex.split(line[line.index("jupyter runai") :])
    assert words == ["jupyter", "runai", "resize", share.id, "--gpu", "0.25"]
    assert say(*words[2:]).returncode == 0
    until(client, share.id, running)


def test_fewer_workers_and_a_higher_priority_are_remedies_too(client: Client) -> None:
    until(client, client.submit(spec(UNTIL_STOPPED, gpu=1, grace_s=0)).id, running)
    gang = client.submit(spec(UNTIL_STOPPED, gpu=1, tasks=2, name="gang", grace_s=0))
    until(client, gang.id, waits)
    said = say("explain", "gang").stdout
    assert f"jupyter runai scale {gang.id} 1:2" in said
    assert "submitted again with --priority medium-low" in said
    assert say("scale", gang.id, "1:2").returncode == 0
    until(client, gang.id, running)


def test_auto_asks_for_what_the_last_runs_peaked_at(client: Client) -> None:
    run = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="digits", grace_s=0))
    until(client, run.id, running)
    while not any(one.gpu_memory_peak_mib for one in client.measurements(run.id, "second")):
        pass
    client.stop(run.id)
    outcome(client, run.id)
    said = say("submit", "--gpu", "auto", "--name", "digits", "--dry-run", "--", "true")
    measured = client.measurements(run.id, "minute")
    peak = max(one.gpu_memory_peak_mib or 0 for one in measured)
    load = max(one.gpu_utilization or 0 for one in measured)
    steps = max(1, math.ceil(max(peak / (80 * 1024), load) * 1.2 / 0.05 - 1e-9))
    assert said.stderr.startswith(f"gpu auto asks for {steps * 0.05:g}: the last run of digits peaked at ")
    assert f"{load:.2f} GPU, and 20 % to spare." in said.stderr
    assert f"asks for  {steps * 0.05:g}\n" in said.stdout


def test_auto_needs_a_name_and_a_run(client: Client) -> None:
    outcome(client, client.submit(spec(name="unmeasured")).id)
    nameless = say("submit", "--gpu", "auto", "--", "true")
    assert (nameless.returncode, nameless.stderr) == (
        1,
        "gpu auto goes by the last runs of the same name. Give it a name: --name NAME\n",
    )
    refused = say("submit", "--gpu", "auto", "--name", "unmeasured", "--", "true")
    assert refused.returncode == 1
    assert "No run of 'unmeasured' on a device has been measured yet" in refused.stderr
    assert "such as --gpu 0.5" in refused.stderr
    assert len(client.list()) == 1


def test_who_one_is_and_where(client: Client) -> None:
    info = client.info()
    assert say("whoami").stdout.startswith(f"{info.user} on {info.host}: an engine of one's own, with simulated")


def test_a_reader_that_goes_away_ends_it_without_a_traceback(client: Client) -> None:
    command = f"{sys.executable} -m jupyter_runai.cli help | true"
    said = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert said.stderr == ""
