"""Policies and rules as an engine keeps them: submissions, work that runs, and files that change meanwhile."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from jupyter_runai.verbs.line import read_line, run_verb
from jupyter_runai.verbs.options import verb_parsers
from scheduler_core.errors import Conflict, EngineUnavailable, InvalidRequest, NotAllowed
from scheduler_core.local import LocalEngine
from scheduler_core.model import TaskRequest
from scheduler_core.workload import EngineState, Scale, Workload
from tests.driver import GIB, TWO_A100, Driver
from tests.helpers import UNTIL_STOPPED, kill_daemon, running, spec, until, until_said

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


ON_A_DEVICE = """
import os, signal
print(os.getpid(), "is up", flush=True)
signal.pause()
"""
IDLE = "cluster: {{rules: {{idle: {{after: 10s, warn: [3s, 6s], action: {action}}}}}}}\n"
"""Longer than a process takes to start where all is busy."""


def stage(number: int) -> Callable[[Workload], bool]:
    return lambda workload: workload.notice is not None and workload.notice.stage == number


def acted(workload: Workload) -> bool:
    return workload.notice is not None and workload.notice.acts_at is None


def freed(workload: Workload) -> bool:
    return acted(workload) and workload.notice is not None and "(freed: " in workload.notice.message


def on_its_device(client: Client, driver: Driver) -> tuple[Workload, int]:
    """A workload on device 0 that has 30 GB of it and computes nothing."""
    workload = client.submit(spec(ON_A_DEVICE, gpu="0.5", grace_s=0))
    # A slow start is warned before it can say anything.
    found = re.search(r"^(\d+) is up", until_said(client, workload.id, " is up"), re.MULTILINE)
    assert found is not None
    pid = int(found[1])
    driver.process(0, pid, 30 * GIB)
    return workload, pid


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
def rule(engine_directory: Path) -> Path:
    return engine_directory / "policies.yaml"


def test_an_idle_share_is_warned_of_snoozed_warned_of_and_suspended(
    rule: Path, on_devices: Client, driver: Driver
) -> None:
    client = on_devices
    rule.write_text(IDLE.format(action="suspend"))
    workload, pid = on_its_device(client, driver)
    first = until(client, workload.id, stage(1)).notice
    assert first is not None and first.acts_at is not None
    assert (first.rule, first.action, first.acts_at - first.since) == ("idle", "suspend", 10)
    said = client.snooze(workload.id).notice
    assert said is not None and said.snoozed is not None and said.acts_at == said.snoozed + 10
    with pytest.raises(Conflict, match="was put off once"):
        client.snooze(workload.id)
    again = until(client, workload.id, stage(1)).notice
    assert again is not None and again.since == said.snoozed
    until(client, workload.id, stage(2))
    assert alive(pid)
    suspended = until(client, workload.id, lambda workload: workload.state == "suspended")
    assert suspended.reason == "no use of its GPU, of which the cluster allows 10s: suspended"
    assert not alive(pid)
    log = b"".join(client.logs(workload.id)).decode()
    assert f"Put it off once: %runai snooze {workload.name}" in log
    assert log.count("runai: no use of its GPU") >= 4
    # The driver still shows its process: what it held is not free yet.
    until_foreign(client, 30 * GIB)
    assert client.preview(spec(gpu=2)).state == "pending"
    driver.write(TWO_A100.replace(" 37 ", " 0 "))
    done = until(client, workload.id, freed).notice
    assert done is not None
    assert done.message.endswith(": suspended (freed: 0.5 of device 0, of which 30.0 GB of memory were in use)")
    assert client.preview(spec(gpu=2)).state == "placed"


def test_a_device_is_released_once_its_process_is_off_it_and_the_process_goes_on(
    rule: Path, on_devices: Client, driver: Driver
) -> None:
    client = on_devices
    rule.write_text(IDLE.format(action="release"))
    workload, pid = on_its_device(client, driver)
    staying = until(client, workload.id, lambda seen: stage(0)(seen) and "still on device" in seen.notice.message)
    assert staying.notice is not None and f"process {pid} is still on device 0" in staying.notice.message
    assert staying.allocation is not None and staying.allocation.devices[0].portion_milli == 500
    assert client.preview(spec(gpu=2)).state == "pending"
    driver.write(TWO_A100.replace(" 37 ", " 0 "))
    released = until(client, workload.id, freed)
    assert released.state == "running" and alive(pid)
    assert released.allocation is not None and released.allocation.devices == ()
    assert (released.request.gpu, released.next_request) == (0, TaskRequest(gpu="0.5"))
    assert client.preview(spec(gpu=2)).state == "placed"
    # What comes back to a device that it gave up takes its room from nobody unseen.
    driver.process(0, pid, 30 * GIB)
    until_foreign(client, 30 * GIB)


def until_foreign(client: Client, mib: int) -> None:
    async def watch() -> None:
        async for event in LocalEngine().watch():
            devices = getattr(event, "devices", ())
            if any(holder.kind == "foreign" and holder.memory_mib == mib for one in devices for holder in one.holders):
                return

    asyncio.run(asyncio.wait_for(watch(), 60))


def test_what_computes_is_not_idle_and_a_warning_ends_with_use(rule: Path, on_devices: Client, driver: Driver) -> None:
    client = on_devices
    rule.write_text("cluster: {rules: {idle: {after: 10m, warn: [1s], action: stop}}}")
    workload, pid = on_its_device(client, driver)
    until(client, workload.id, warned)
    driver.write(driver.path.read_text() + f"busy 0 {pid} 40\n")
    assert until(client, workload.id, lambda seen: seen.notice is None).state == "running"


def test_a_warning_outlives_the_engine(rule: Path, on_devices: Client, driver: Driver) -> None:
    client = on_devices
    rule.write_text("cluster: {rules: {idle: {after: 10m, warn: [1s], action: stop}}}")
    workload, _ = on_its_device(client, driver)
    before = until(client, workload.id, warned).notice
    kill_daemon(client)
    assert client.snooze(workload.id).notice is not None
    after = client.get(workload.id).notice
    assert before is not None and after is not None and after.snoozed is not None


def test_who_was_idle_before_a_rule_is_warned_before_it_acts(rule: Path, on_devices: Client, driver: Driver) -> None:
    client = on_devices
    rule.write_text("cluster: {rules: {idle: {after: 10m, warn: [9m]}}}")
    workload, _ = on_its_device(client, driver)
    draft = "cluster: {rules: {idle: {after: 2s, warn: [1s], action: stop}}}"
    rule.write_text(draft)
    assert until(client, workload.id, warned).state == "running"
    assert until(client, workload.id, lambda seen: seen.has_ended).reason.endswith("allows 2s: stopped")
