"""Policies and rules as an engine keeps them: submissions, work that runs, and files that change meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from jupyter_runai.options import verb_parsers
from jupyter_runai.verbs import read_line, run_verb
from scheduler_core.errors import EngineUnavailable, InvalidRequest, NotAllowed
from scheduler_core.local import LocalEngine
from scheduler_core.model import TaskRequest
from scheduler_core.workload import EngineState, Scale, Workload
from tests.helpers import UNTIL_STOPPED, running, spec, until

HALF = "cluster: {rules: {gpu: {max: 0.5}}}\n"


@pytest.fixture
def file(simulated: Path) -> Path:
    return simulated / "policies.yaml"


async def noticed(text: str) -> str:
    """Wait until the engine says something of its policies."""
    async for event in LocalEngine().watch():
        if isinstance(event, EngineState) and text in event.info.notice:
            return event.info.notice
    raise AssertionError("the stream has ended")


def line(client: Client, text: str) -> str:
    """What a line verb answers."""
    return run_verb(client, *read_line(text.split(), verb_parsers("%runai"), "%runai"))


def warned(workload: Workload) -> bool:
    return workload.notice is not None


def test_a_submission_is_refused_by_name_and_nothing_is_made(file: Path, client: Client) -> None:
    file.write_text(HALF)
    for attempt in (client.submit, client.preview):
        with pytest.raises(NotAllowed) as refused:
            attempt(spec(gpu=1))
        assert refused.value.record().message == "gpu is 1 and the cluster says at most 0.5."
        assert refused.value.hint.startswith("Ask for 0.5 or less: --gpu.")
    assert client.list() == ()


def test_a_default_is_taken_and_a_preview_says_why(file: Path, client: Client) -> None:
    file.write_text("cluster: {defaults: {gpu: 1}}\nprojects: {default: {rules: {gpu: {max: 0.5}}}}\n")
    verdict = client.preview(spec())
    assert verdict.facts["policy"] == ["gpu 0.5 because project default says at most 0.5"]
    assert client.submit(spec()).request.gpu == "0.5"
    (clause,) = [clause for clause in client.policy().clauses if clause.rule == "default"]
    assert (clause.value, clause.source, clause.line) == ("0.5", "project default", 2)
    said = line(client, "policy explain --kind training")
    assert "gpu: by default 0.5 because project default says at most 0.5" in said
    assert "gpu: at most 0.5, says project default" in said


def test_what_is_not_valid_changes_nothing_and_is_told(file: Path, client: Client) -> None:
    file.write_text(HALF)
    pid = client.info().pid
    file.write_text("cluster:\n  rules: {gpus: {max: 2}}\n")
    assert "policies.yaml, line 2: 'gpus' is no field" in asyncio.run(noticed("policies.yaml"))
    with pytest.raises(NotAllowed):
        client.submit(spec(gpu=1))
    assert client.info().pid == pid


def test_an_engine_does_not_start_without_knowing_its_policies(file: Path, client: Client) -> None:
    file.write_text("cluster: {rules: {gpu: {max: much}}}")
    with pytest.raises(EngineUnavailable, match="line 1: gpu"):
        client.info()


def test_a_change_shows_first_whom_it_would_hit(file: Path, client: Client, tmp_path: Path) -> None:
    large = client.submit(spec(UNTIL_STOPPED, gpu=1, name="large", grace_s=0))
    until(client, large.id, running)
    draft = tmp_path / "draft.yaml"
    draft.write_text(f"grace: 20m\n{HALF}")
    said = line(client, f"policy check {draft}")
    assert "It hits 1 workload:" in said
    assert "gpu is 1 and the cluster says at most 0.5" in said and "in 20m: suspend it" in said
    assert client.get(large.id).notice is None
    draft.write_text("cluster: {rules: {gpu: {max: 1}}}")
    assert line(client, f"policy check {draft}") == "The file is valid, and no workload breaks it now."
    draft.write_text("cluster: [")
    with pytest.raises(InvalidRequest, match="The file, line 1: this is not YAML"):
        line(client, f"policy check {draft}")


def test_work_that_runs_is_warned_then_suspended_and_comes_back_smaller(file: Path, client: Client) -> None:
    large = client.submit(spec(UNTIL_STOPPED, gpu=1, grace_s=0))
    until(client, large.id, running)
    file.write_text(f"grace: 1s\n{HALF}")
    notice = until(client, large.id, warned).notice
    assert notice is not None and notice.acts_at is not None
    assert (notice.rule, notice.action, notice.acts_at - notice.since) == ("gpu", "suspend", 1)
    suspended = until(client, large.id, lambda workload: workload.state == "suspended")
    assert suspended.reason == "gpu is 1 and the cluster says at most 0.5: suspended"
    with pytest.raises(NotAllowed, match=r"at most 0\.5"):
        client.resume(large.id)
    client.resize(large.id, TaskRequest(gpu="0.5"))
    client.resume(large.id)
    assert until(client, large.id, running).notice is None


def test_work_that_waits_and_breaks_a_rule_is_suspended_at_once(file: Path, client: Client) -> None:
    first = client.submit(spec(UNTIL_STOPPED, gpu=2, grace_s=0))
    until(client, first.id, running)
    waiting = client.submit(spec(UNTIL_STOPPED, gpu=2))
    file.write_text(f"grace: 10m\n{HALF}")
    suspended = until(client, waiting.id, lambda workload: workload.state == "suspended")
    assert suspended.reason == "gpu is 2 and the cluster says at most 0.5"
    assert client.get(first.id).state == "running"


def test_growing_past_a_rule_is_refused(file: Path, client: Client) -> None:
    file.write_text("cluster: {rules: {gpu: {max: 0.5}, devices: {max: 1}}}")
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.5", grace_s=0))
    until(client, workload.id, running)
    with pytest.raises(NotAllowed, match=r"gpu is 0\.6 and the cluster says at most 0\.5"):
        client.resize(workload.id, TaskRequest(gpu="0.6"))
    with pytest.raises(NotAllowed, match=r"devices is 1\.5 and the cluster says at most 1"):
        client.scale(workload.id, Scale(tasks=3))
    assert client.resize(workload.id, TaskRequest(gpu="0.25")).applied == "now"


def test_a_limit_of_time_holds_for_what_runs_already(file: Path, client: Client) -> None:
    workload = client.submit(spec(UNTIL_STOPPED, grace_s=0))
    until(client, workload.id, running)
    file.write_text("cluster: {rules: {max_time: {max: 1s}}}")
    ended = until(client, workload.id, lambda workload: workload.has_ended)
    assert (ended.state, ended.reason) == ("stopped", "it runs as long as the cluster allows: 1s: stopped")


def test_work_on_a_model_that_is_not_allowed_any_more_is_told(file: Path, client: Client) -> None:
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.5", grace_s=0))
    until(client, workload.id, running)
    file.write_text('cluster: {rules: {device_models: {options: ["H100*"]}}}')
    notice = until(client, workload.id, warned).notice
    assert notice is not None
    assert notice.message == "The devices here are A100 80GB, and the cluster allows H100*"


def test_a_warning_goes_with_the_rule(file: Path, client: Client) -> None:
    workload = client.submit(spec(UNTIL_STOPPED, gpu=1, grace_s=0))
    until(client, workload.id, running)
    file.write_text(HALF)
    until(client, workload.id, warned)
    file.unlink()
    assert until(client, workload.id, lambda workload: workload.notice is None).state == "running"
