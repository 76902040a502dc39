"""What a notebook has where no widget can be drawn."""

from __future__ import annotations

import re

from jupyter_runai.client import Client
from scheduler_core.workload import Workload
from tests.helpers import UNTIL_STOPPED, running, spec, until, until_said, waits
from tests.notebooks.cells import Ran
from tests.notebooks.conftest import RunCells

IMPORT = "from jupyter_runai.widgets import *"


def test_every_widget_has_a_readable_text(run: RunCells, client: Client) -> None:
    work = client.submit(spec(f"print('epoch 1'); {UNTIL_STOPPED}", gpu="0.5", name="digits", grace_s=0))
    until_said(client, work.id, "up")
    _, workload, queues, devices, scale_out, submit = run(
        IMPORT, "Workload('digits')", "Queues()", "Devices()", "ScaleOut(lambda *amount: 1)", "Submit()"
    )
    assert workload.value.startswith("● digits · running · simulated A100 80GB #0 · limit not enforced · 0.5  0:")
    assert queues.value.splitlines()[1].endswith("0.5 used · no quota · fair share 0.5 · no limit")
    head, device, holder, *_ = devices.value.splitlines()
    assert (head, holder) == ("Devices: 0.5 of 2 used", "        digits 0.5 · limit not enforced")
    # The load is there from the second after the start on.
    assert re.fullmatch(r"  0 A100 80GB  ▐█{12}░{12}▌  0\.50(  \d+ %)?  simulated", device)
    assert "but no GPU computes" in devices.value
    # Nobody draws a text anew: it has the answer already.
    told = "\n  starts  What makes the workload gave a int, not a WorkloadSpec."
    assert scale_out.value == f"Scale out: fraction 1  devices 1  workers 1{told}"
    assert submit.value.startswith("New workload\n")
    assert "kind: training" in submit.value
    assert "command is needed." in submit.value


def test_a_waiting_workload_tells_why(run: RunCells, client: Client) -> None:
    until(client, client.submit(spec(UNTIL_STOPPED, gpu=2, name="holder", grace_s=0)).id, running)
    waiting = until(client, client.submit(spec(gpu="0.5", name="waiting")).id, waits)
    _, shown = run(IMPORT, "Workload('waiting')")
    assert waiting.verdict is not None
    head, story = shown.value.splitlines()
    assert head.startswith("◌ waiting · waiting · 1st · not enough free · 0.5  0:")
    assert story.strip() == waiting.verdict.message


def test_bad_arguments_are_one_sentence(run: RunCells, client: Client) -> None:
    work: Workload = client.submit(spec(UNTIL_STOPPED, name="digits", grace_s=0))
    assert work.name == "digits"
    *_, unknown, caught, strange, line = run(
        IMPORT,
        "Workload('digit')",
        "from scheduler_core.errors import NotFound\ntry:\n    Workload('x')\nexcept NotFound as error: print(error)",
        "ScaleOut(3)",
        "ScaleOut('%%runai stop x')",
    )
    assert shown(unknown) == ["NotFound", "There is no workload called 'digit'.", "Did you mean digits?"]
    assert caught.text.startswith("There is no workload called 'x'.")
    assert shown(strange)[1].startswith("To scale out, give a WorkloadSpec")
    assert shown(line)[1].startswith("The cell's line starts with %%runai stop")


def shown(ran: Ran) -> list[str]:
    return ran.error.splitlines()
