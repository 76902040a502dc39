"""The verbs of `%runai` on one workload, one after another in a notebook, by what each answers."""

from __future__ import annotations

import re

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, outcome, spec, until_said
from tests.notebooks.conftest import RunCells


def test_every_verb_answers_in_a_notebook(run: RunCells, client: Client) -> None:
    work = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="digits", grace_s=0))
    until_said(client, work.id, "up")
    listed, described, logs, top, queues, devices, usage, whoami, config, explained, resized, scaled = (
        ran.text
        for ran in run(
            *(f"%runai {verb}" for verb in ("list", "describe digits", "logs digits", "top", "queues", "devices")),
            *(f"%runai {verb}" for verb in ("usage", "whoami", "config simulate", "explain digits")),
            "%runai resize digits 0.25",
            "%runai scale digits 2",
        )
    )
    assert re.fullmatch(rf"name .*state +time\ndigits +{work.id} +training +0.5 +running +0:\d\d\n", listed)
    assert re.search(r"^holds +0.5 of simulated A100 80GB #0$", described, re.MULTILINE)
    assert logs == "up\n"
    assert re.search(r"^digits +0.5 +0.5 ", top, re.MULTILINE)
    assert re.search(r"^default +0.5 +0.5 +unlimited +0.5$", queues, re.MULTILINE)
    assert re.search(r"^0 simulated A100 80GB +0.50 .* digits 0.5$", devices, re.MULTILINE)
    assert usage.startswith("Usage by project") and "Simulated devices: nothing of this was real." in usage
    assert whoami.startswith(f"{work.owner} on ") and "simulated devices (2xA100-80GB)" in whoami
    assert config == "simulate: 2xA100-80GB\n"
    assert explained == "digits is running on 0.5 of simulated A100 80GB #0.\n"
    assert resized == "digits has 0.25 now.\n"
    assert scaled.startswith("digits has 2 tasks from its next start on: ")


def test_a_workload_is_suspended_resumed_stopped_deleted_and_restored(run: RunCells, client: Client) -> None:
    work = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="digits", grace_s=0))
    until_said(client, work.id, "up")
    suspended, resumed, stopped = run("%runai suspend digits", "%runai resume digits", "%runai stop digits")
    assert suspended.text.startswith("digits ") and "suspend" in suspended.text
    # Resumed while it still leaves its devices, it says so.
    assert re.fullmatch(r"digits (waits for its devices|starts again once it has left its).*\.\n", resumed.text)
    assert stopped.text.startswith("digits ") and stopped.error == ""
    assert outcome(client, work.id)[0].state == "stopped"
    none, every, deleted, gone, restored = run(
        "%runai list", "%runai list --all", "%runai delete digits", "%runai list --deleted", f"%runai restore {work.id}"
    )
    assert none.text == "Nothing runs or waits.\n"
    assert re.search(rf"^digits +{work.id} .* stopped ", every.text, re.MULTILINE)
    assert deleted.text == f"digits is deleted. For 14 days %runai restore {work.id} brings it back.\n"
    assert work.id in gone.text
    assert restored.text == "digits is there again: stopped.\n"


def test_help_names_every_verb_and_what_one_takes(run: RunCells) -> None:
    everything, one, of_cells, asked, in_cell, slip = run(
        "%runai help",
        "%runai help resize",
        "%runai help train",
        "%runai logs --help",
        "%%runai run -h\n1",
        "%runai help lst",
    )
    for verb in ("submit", "list", "describe", "logs", "stop", "suspend", "resume", "delete", "scale", "resize"):
        assert f"\n%runai {verb} " in everything.text
    for verb in ("explain", "top", "queues", "devices", "usage", "whoami", "config", "help"):
        assert f"\n%runai {verb} " in everything.text
    assert one.text.startswith("usage: %runai resize ") and "--gpu-memory SIZE" in one.text
    assert of_cells.text.startswith("usage: %%runai train ") and "--keep TIME" in of_cells.text
    assert asked.text.startswith("usage: %runai logs ") and "--task N" in asked.text
    assert in_cell.text.startswith("usage: %%runai run ") and in_cell.error == ""
    assert "Did you mean %runai list?" in slip.error
    assert Client().list() == ()
