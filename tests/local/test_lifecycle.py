"""Suspended, resumed, evicted, tried again, out of time: what happens to a workload between its start and its end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from jupyter_runai.verbs.line import run_verb
from jupyter_runai.verbs.options import verb_parsers
from scheduler_core.errors import Conflict
from scheduler_core.workload import ENDED, TRANSITIONS, Workload
from tests.helpers import UNTIL_STOPPED, kill_daemon, outcome, running, spec, until, until_said, waits

SAVES_ITS_STEP = """
import os, pathlib, signal, sys

saved = pathlib.Path(os.environ['RUNAI_CHECKPOINT_DIR'], 'step')
step = int(saved.read_text()) if saved.exists() else 0

def save(*_):
    saved.write_text(str(step + 1))
    sys.exit(0)

signal.signal(signal.SIGTERM, save)
print('step', step, 'run', os.environ['RUNAI_RESTARTS'], flush=True)
signal.pause()
"""
WAITS_IN_THE_GRACE = """
import os, signal, sys

def save(*_):
    with open(os.environ['GO']) as go:
        go.read()
    sys.exit(0)

signal.signal(signal.SIGTERM, save)
print('up', flush=True)
while True:
    signal.pause()
"""


def suspended(workload: Workload) -> bool:
    return workload.state == "suspended"


def test_a_suspended_workload_frees_its_device_and_goes_on_from_its_checkpoint(client: Client) -> None:
    workload = client.submit(spec(SAVES_ITS_STEP, gpu="0.5"))
    until_said(client, workload.id, "step 0 run 0")
    client.suspend(workload.id)
    kept = until(client, workload.id, suspended)
    assert (kept.allocation, kept.exit_code, kept.ended) == (None, None, None)
    assert not any(device.holders for device in client.devices())
    assert client.suspend(workload.id).state == "suspended"
    client.resume(workload.id)
    assert until(client, workload.id, running).restarts == 1
    until_said(client, workload.id, "step 1 run 1")


def test_one_that_waits_leaves_the_queue_and_comes_back_to_it(client: Client) -> None:
    first = client.submit(spec(UNTIL_STOPPED, gpu=2))
    until(client, first.id, running)
    waiting = client.submit(spec(UNTIL_STOPPED, gpu=1))
    until(client, waiting.id, waits)
    assert client.suspend(waiting.id).state == "suspended"
    client.stop(first.id)
    outcome(client, first.id)
    assert client.list()[-1].state == "suspended"
    client.resume(waiting.id)
    assert until(client, waiting.id, running).restarts == 0


def test_work_of_higher_priority_takes_the_devices_and_gives_them_back(client: Client) -> None:
    training = client.submit(spec(SAVES_ITS_STEP, gpu=2))
    until_said(client, training.id, "step 0")
    urgent = client.submit(spec(UNTIL_STOPPED, gpu=1, kind="interactive"))
    until(client, urgent.id, running)
    evicted = until(client, training.id, waits)
    assert evicted.reason.startswith("preempt: ")
    assert urgent.id in evicted.reason
    client.stop(urgent.id)
    again = until(client, training.id, running)
    assert (again.restarts, again.reason) == (1, "")
    until_said(client, training.id, "step 1")


def test_equals_do_not_take_from_each_other(client: Client) -> None:
    first = client.submit(spec(UNTIL_STOPPED, gpu=2))
    until(client, first.id, running)
    second = client.submit(spec(UNTIL_STOPPED, gpu=2))
    until(client, second.id, waits)
    assert client.list()[0].state == "running"


@pytest.mark.parametrize("told", ["suspend", "resume"])
def test_what_has_ended_is_neither_suspended_nor_resumed(client: Client, told: str) -> None:
    workload = client.submit(spec())
    outcome(client, workload.id)
    with pytest.raises(Conflict, match="is completed"):
        getattr(client, told)(workload.id)
    assert client.list()[0].state == "completed"


def test_a_suspended_workload_can_be_stopped(client: Client) -> None:
    workload = client.submit(spec(UNTIL_STOPPED))
    until(client, workload.id, running)
    client.suspend(workload.id)
    until(client, workload.id, suspended)
    assert client.stop(workload.id).state == "stopped"
    assert outcome(client, workload.id)[0].reason == "stopped while suspended"


@pytest.fixture
def saving(client: Client, tmp_path: Path) -> tuple[Workload, Path]:
    """A workload that was told to suspend, and the named pipe that lets it go."""
    go = tmp_path / "go"
    os.mkfifo(go)
    workload = client.submit(spec(WAITS_IN_THE_GRACE, gpu="0.5", env={"GO": str(go)}))
    until_said(client, workload.id, "up")
    assert client.suspend(workload.id).state == "suspending"
    return workload, go


def test_the_next_daemon_carries_on_with_a_suspension(client: Client, saving: tuple[Workload, Path]) -> None:
    workload, go = saving
    kill_daemon(client)
    again = Client()
    assert again.list()[0].state == "suspending"
    go.write_text("")
    assert until(again, workload.id, suspended).allocation is None
    again.close()


def test_one_that_is_resumed_on_its_way_out_starts_again(client: Client, saving: tuple[Workload, Path]) -> None:
    workload, go = saving
    client.resume(workload.id)
    go.write_text("")
    assert until(client, workload.id, lambda seen: seen.state == "running").restarts == 1


def test_one_that_is_stopped_on_its_way_out_is_stopped(client: Client, saving: tuple[Workload, Path]) -> None:
    workload, go = saving
    assert client.stop(workload.id).stop_requested is not None
    go.write_text("")
    assert outcome(client, workload.id)[0].state == "stopped"


def test_a_run_that_fails_is_followed_by_another(client: Client) -> None:
    code = "import os, sys; print('run', os.environ['RUNAI_RESTARTS']); sys.exit(os.environ['RUNAI_RESTARTS'] == '0')"
    workload = client.submit(spec(code, gpu="0.5", retries=3))
    ended, output = outcome(client, workload.id)
    assert (ended.state, ended.restarts, ended.reason) == ("completed", 1, "")
    assert output == "run 0\nrun 1\n"


def test_it_is_not_tried_more_often_than_was_asked_for(client: Client) -> None:
    workload = client.submit(spec("print('no'); raise SystemExit(3)", retries=2))
    ended, output = outcome(client, workload.id)
    assert (ended.state, ended.restarts, ended.reason) == ("failed", 2, "exit status 3")
    assert output == "no\n" * 3


def test_it_is_stopped_when_its_time_is_up(client: Client) -> None:
    workload = client.submit(spec(UNTIL_STOPPED, max_run_s=0.5))
    ended, _ = outcome(client, workload.id)
    assert (ended.state, ended.reason) == ("stopped", "reached its maximum run time of 0.5 s")


def test_the_verbs_say_what_they_did(client: Client) -> None:
    def say(verb: str) -> str:
        return run_verb(client, verb, verb_parsers("%runai")[verb].parse([workload.name]))

    workload = client.submit(spec(SAVES_ITS_STEP, name="saver"))
    until_said(client, workload.id, "step 0")
    assert say("suspend") == "saver was told to suspend and has 30 s to save what it needs."
    until(client, workload.id, suspended)
    assert say("suspend") == "saver is suspended. It starts again with %runai resume saver."
    assert say("resume") == "saver waits for its devices and then starts again."


def test_every_state_leads_to_an_end_and_no_end_leads_back() -> None:
    for state, following in TRANSITIONS.items():
        assert following <= TRANSITIONS.keys()
        assert state in ENDED or state == "deleting" or following & ENDED
    assert all(TRANSITIONS[state] == {"deleting"} for state in ENDED)


def test_what_asked_for_it_is_deleted_by_itself_and_can_be_had_back(client: Client) -> None:
    def say(verb: str, *words: str) -> str:
        return run_verb(client, verb, verb_parsers("%runai")[verb].parse(list(words)))

    workload = client.submit(spec("print('kept')", name="brief", delete_after_s=0))
    outcome(client, workload.id)
    while not client.list(deleted=True):
        pass
    kill_daemon(client)
    assert say("list", "--all") == "Nothing was submitted yet."
    assert "brief" in say("list", "--deleted")
    assert say("restore", "brief") == "brief is there again: completed."
    assert b"".join(client.logs(workload.id)) == b"kept\n"


def test_the_verb_says_how_long_what_is_deleted_can_be_had_back(client: Client, simulated: Path) -> None:
    def delete(*words: str) -> str:
        return run_verb(client, "delete", verb_parsers("%runai")["delete"].parse(["done", *words]))

    workload = client.submit(spec(name="done"))
    outcome(client, workload.id)
    assert delete() == f"done is deleted. For 14 days %runai restore {workload.id} brings it back."
    client.restore(workload.id)
    assert delete("--purge") == "done is gone for good."
    assert not (simulated / "simulated" / "workloads" / workload.id).exists()
