"""Scaling out and submitting: the planner answers while it is filled in, the button submits what it answered to."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_runai.client import Client
from scheduler_core.model import TaskRequest
from scheduler_core.workload import WorkloadSpec
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until
from tests.widgets.kernel import Kernel

SPEC = "from tests.helpers import spec, UNTIL_STOPPED\n"


def rows(*expected: tuple[str, str]) -> str:
    """These rows are shown, and are about what is filled in."""
    wanted = " and ".join(
        f"dict((r['label'], r['text']) for r in shown['rows']).get({a!r}) == {b!r}" for a, b in expected
    )
    return f"shown['is_current'] and {wanted}"


def told(*parts: str) -> str:
    """All of these are said of the workload that was submitted as `cell`."""
    return f"any(r['label'] == 'cell' and all(p in r['text'] for p in {parts!r}) for r in shown['rows'])"


def test_sliders_change_what_the_planner_says(kernel: Kernel, client: Client) -> None:
    until(
        client, client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="holder", kind="interactive", grace_s=0)).id, running
    )
    host = client.devices()[0].node
    kernel.run(f"{SPEC}scale = ScaleOut(spec(gpu='0.5', name='mine'))")
    kernel.until("scale", rows(("place", f"simulated A100 80GB #0 ({host})"), ("starts", "now"), ("cost", "0.5 GPU")))
    kernel.fill("scale", "fraction", "1")
    kernel.until(
        "scale", rows(("place", f"simulated A100 80GB #1 ({host})"), ("takes from", "nobody"), ("cost", "1 GPU"))
    )
    kernel.fill("scale", "devices", "2")
    waits = "1st in project default: asks for 2 devices on one node"
    kernel.until("scale", f"shown['is_current'] and shown['rows'][1]['text'].startswith({waits!r})")
    kernel.fill("scale", "workers", "8")
    kernel.until("scale", "shown['is_current'] and shown['rows'][1]['text'].startswith('never: ')")
    assert [workload.name for workload in client.list()] == ["holder"]


def test_it_says_from_whom_it_would_take(kernel: Kernel, client: Client) -> None:
    until(client, client.submit(spec(UNTIL_STOPPED, gpu=2, name="batch", grace_s=0)).id, running)
    kernel.run(f"{SPEC}scale = ScaleOut(spec(gpu=1, kind='interactive'))")
    kernel.until("scale", rows(("takes from", "batch (preempt, 1 task)")))
    kernel.until("scale", "dict((r['label'], r['text']) for r in shown['rows'])['starts'].startswith('when its place')")


def test_the_answer_follows_the_engine(kernel: Kernel, client: Client) -> None:
    holder = client.submit(spec(UNTIL_STOPPED, gpu=2, name="holder", kind="interactive", grace_s=0))
    until(client, holder.id, running)
    kernel.run(f"{SPEC}scale = ScaleOut(spec(gpu=1))")
    kernel.until("scale", rows(("place", "nowhere yet")))
    client.stop(holder.id)
    kernel.until("scale", rows(("starts", "now")))


def test_a_function_makes_what_is_submitted(kernel: Kernel, client: Client) -> None:
    kernel.run(
        f"{SPEC}scale = ScaleOut(lambda gpu, devices, workers: spec('print(1)', gpu=gpu if gpu < 1 else devices, "
        "tasks=workers, name=f'made-{workers}'), gpu=0.25)"
    )
    kernel.fill("scale", "workers", "2")
    kernel.until("scale", rows(("cost", "0.5 GPU")))
    kernel.press("scale", "submit")
    kernel.until("scale", "any(r['label'] == 'made-2' and r['text'].startswith('completed') for r in shown['rows'])")
    made = client.find("made-2")
    assert (made.tasks, made.request.portion_milli) == (2, 250)


def test_a_function_that_fails_says_so(kernel: Kernel) -> None:
    kernel.run("scale = ScaleOut(lambda *amount: 1 / 0)")
    kernel.until("scale", rows(("starts", "ZeroDivisionError: division by zero")))
    kernel.press("scale", "submit")
    kernel.until("scale", "shown['note'] == {'text': 'ZeroDivisionError: division by zero', 'is_problem': True}")


def test_a_cell_is_scaled_out_with_what_it_reads(kernel: Kernel, client: Client) -> None:
    kernel.run("base = 40\nscale = ScaleOut('%%runai train --gpu 0.5 --name cell --retries 1\\nprint(base + 2)')")
    kernel.until("scale", rows(("line", "%%runai train --gpu 0.5 --name cell --retries 1"), ("starts", "now")))
    kernel.fill("scale", "devices", "2")
    kernel.until("scale", rows(("line", "%%runai train --gpu 2 --name cell --retries 1"), ("cost", "2 GPU")))
    kernel.fill("scale", "fraction", "0.25")
    kernel.until("scale", rows(("line", "%%runai train --gpu 0.25 --name cell --retries 1"), ("cost", "0.25 GPU")))
    kernel.press("scale", "submit")
    kernel.until("scale", "shown['note']['text'].startswith('cell was submitted')")
    last, said = outcome(client, client.find("cell").id)
    assert (last.state, said, last.request.portion_milli) == ("completed", "42\n", 250)


UNTIL_GO = """
import pathlib, time
while not pathlib.Path('go').exists(): time.sleep(0.05)
score = base / 2
"""


def test_a_scaled_out_cell_brings_its_variables_back(kernel: Kernel, client: Client, tmp_path: Path) -> None:
    kernel.run(f"base = 1\nscale = ScaleOut({'%%runai train --gpu 0.5 --name cell -o score' + UNTIL_GO!r})")
    kernel.fill("scale", "workers", "2")
    kernel.press("scale", "submit")
    kernel.until("scale", told("running", "brings back score at its end"))
    (tmp_path / "go").touch()
    kernel.until("scale", told("completed", "score ← float ("))
    assert kernel.run("print(score)") == "0.5"
    assert client.find("cell").tasks == 2


@pytest.mark.parametrize("is_closed", [False, True])
def test_they_come_back_though_the_output_is_cleared(
    kernel: Kernel, client: Client, tmp_path: Path, is_closed: bool
) -> None:
    kernel.run(f"base = 1\nscale = ScaleOut({'%%runai train --name cell -o score' + UNTIL_GO!r})")
    kernel.press("scale", "submit")
    kernel.until("scale", told("running", "brings back score at its end"))
    if is_closed:
        kernel.run("scale.close()")
    else:
        kernel.say("scale", type="hidden")
    kernel.run("until_resting()")
    (tmp_path / "go").touch()
    kernel.run("until_defined('score')")
    assert kernel.run("print(score)") == "0.5"
    if not is_closed:
        kernel.until("scale", told("completed", "score ← float ("))


def test_what_does_not_come_back_is_said(kernel: Kernel, client: Client) -> None:
    kernel.run("scale = ScaleOut('%%runai train --name cell -o score\\n1 / 0')")
    kernel.press("scale", "submit")
    kernel.until("scale", told("failed", "score did not come back"))


def test_the_form_submits_what_is_filled_in(kernel: Kernel, client: Client, tmp_path: Path) -> None:
    kernel.run("form = Submit()")
    kernel.until("form", rows(("starts", "command is needed.")))
    kernel.fill("form", "command", "sh -c 'echo $GREETING $HOME; pwd'")
    kernel.fill("form", "env", "GREETING=hello\nHOME=there")
    kernel.fill("form", "name", "filled")
    kernel.fill("form", "request.gpu", "0.5")
    kernel.until("form", rows(("starts", "now"), ("cost", "0.5 GPU")))
    kernel.fill("form", "tasks", "0")
    kernel.until("form", "shown['is_current'] and '$.tasks' in shown['rows'][0]['text']")
    kernel.fill("form", "tasks", "many")
    kernel.until("form", rows(("starts", "tasks: a whole number, not many.")))
    kernel.fill("form", "tasks", "")
    kernel.fill("form", "preemptible", "no")
    kernel.press("form", "submit")
    kernel.until("form", "shown['note']['text'] == 'filled was submitted. Its output: %runai logs filled'")
    last, said = outcome(client, client.find("filled").id)
    assert (last.state, said, last.preemptible) == ("completed", f"hello there\n{tmp_path}\n", False)


def test_the_form_has_every_field_of_a_workload_and_starts_from_one(kernel: Kernel, client: Client) -> None:
    kernel.run(f"{SPEC}form = Submit(spec(UNTIL_STOPPED, gpu='0.5', name='given', max_run_s=60.0, grace_s=0))")
    kernel.run("filled = {e['name']: e['value'] for e in form.shown['entries'] + form.shown['more']}")
    assert {f"request.{name}" for name in TaskRequest.__struct_fields__} < set(kernel.run("print(*filled)").split())
    asked = {*WorkloadSpec.__struct_fields__} - {"key", "request"}
    assert asked < set(kernel.run("print(*filled)").split())
    assert kernel.run("print(filled['max_run_s'], filled['request.gpu'], filled['preemptible'] == '')") == "60 0.5 True"
    kernel.press("form", "submit")
    kernel.until("form", "any(r['label'] == 'given' and r['text'].startswith('running') for r in shown['rows'])")
    assert client.find("given").request.portion_milli == 500
