"""`%%runai train` in a real kernel: values out, output under the cell, results back."""

from __future__ import annotations

from ast import literal_eval
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from tests.notebook.conftest import RunCells

OURS = ("jupyter_runai/", "scheduler_core/", "site-packages")


def test_a_cell_takes_what_it_reads_and_brings_back_what_was_asked(run: RunCells) -> None:
    prepared, trained, used = run(
        "base = 10\ndef double(x):\n    return 2 * (x + base)\nunused = open('/dev/null')",
        "%%runai train --gpu 0.5 -o answer\nprint('there')\nanswer = double(11)\nanswer + 1",
        "answer",
    )
    assert prepared.error == trained.error == ""
    assert trained.text == "there\n43\n"
    assert trained.line.startswith("✓ cell-1 · completed in 0:0")
    assert "answer ← int" in trained.line
    assert used.value == "42"


def test_it_runs_in_a_process_of_its_own_in_the_same_place(run: RunCells, tmp_path: Path) -> None:
    here, there = run(
        "import os, sys\n(os.getpid(), os.getcwd(), sys.executable)",
        "%%runai train\nimport os, sys\n(os.getpid(), os.getcwd(), sys.executable)",
    )
    assert literal_eval(here.value)[1:] == literal_eval(there.text)[1:]
    assert literal_eval(here.value)[0] != literal_eval(there.text)[0]
    assert literal_eval(there.text)[1] == str(tmp_path)


def test_local_modules_and_ipython_syntax_work_there_too(run: RunCells, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def hello(): return 'from mine'")
    _, ran, shell = run("import mine", "%%runai train\nmine.hello()", "%%runai train\n!echo from the shell")
    assert ran.text == "'from mine'\n"
    assert shell.text.strip() == "from the shell"


def test_values_that_share_an_object_still_share_it(run: RunCells) -> None:
    (ran,) = run("%%runai train\n1")
    _, shared = run("a = []\nb = [a]", "%%runai train\nb[0] is a")
    assert (ran.text, shared.text) == ("1\n", "True\n")


def test_an_exception_comes_back_with_the_cells_own_traceback(run: RunCells) -> None:
    (ran,) = run("%%runai train --gpu 0.5\ndef deep():\n    raise KeyError('gone')\nprint('before')\ndeep()")
    assert ran.text == "before\n"
    assert ran.error.startswith("KeyError\n")
    assert "    raise KeyError('gone')" in ran.error
    assert "in deep" in ran.error
    assert not any(part in ran.error for part in (*OURS, "runner.py"))
    assert "failed after" in ran.line
    assert "KeyError" in ran.line


def test_two_halves_at_once_share_a_device(run: RunCells, simulated: Path) -> None:
    first, second, listed, _ = run(
        "%%runai train --gpu 0.5 --name long --detach\nimport signal\nsignal.pause()",
        "%%runai train --gpu 0.5 --name short\nprint('done')",
        "%runai devices",
        "%runai stop long",
    )
    assert "0.5 of simulated A100 80GB #0" in first.line
    assert second.text == "done\n"
    assert "long 0.5" in listed.text
    held = {workload.name: workload.allocation for workload in Client().list()}
    assert held["long"] is not None
    assert held["short"] is not None
    assert held["long"].devices[0].id == held["short"].devices[0].id


def test_more_than_there_is_is_answered_at_once_and_run_all_goes_on(run: RunCells) -> None:
    asked, explained, after = run(
        "%%runai train --gpu 64 --name big\nprint('never')", "%runai explain big", "print('went on')"
    )
    assert asked.error == ""
    assert "big · not started" in asked.line
    assert "asks for 64 devices and there are 2: it can never start here" in asked.line
    assert "never_fits" in explained.text
    assert after.text == "went on\n"


def test_without_a_gpu_the_cell_says_what_else_there_is(
    run: RunCells, simulated: Path, fake_nvml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (simulated / "settings.json").unlink()
    (tmp_path / "no-devices").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(fake_nvml))
    monkeypatch.setenv("FAKE_NVML_STATE", str(tmp_path / "no-devices"))
    asked, on_cpu = run("%%runai train --gpu 0.5\nprint('never')", "%%runai train\nprint('on the CPU')")
    assert "not started · asks for 0.5 of a device and there is no device" in asked.line
    assert "This machine has no NVIDIA GPU." in asked.text
    assert "%runai config simulate 2xA100-80GB" in asked.text
    assert on_cpu.text == "on the CPU\n"


def test_one_that_is_stopped_from_elsewhere_says_so(run: RunCells) -> None:
    (ran,) = run(
        "%%runai train --name me\n"
        "import os\nfrom jupyter_runai.client import Client\n"
        "Client().stop(os.environ['RUNAI_WORKLOAD_ID'])\nimport signal\nsignal.pause()"
    )
    assert "CellFailed" in ran.error
    assert "me stopped" in ran.error
    assert not any(part in ran.error for part in OURS)


def test_a_workload_outlives_its_kernel(run: RunCells, simulated: Path) -> None:
    run("%%runai train --gpu 0.5 --name night --detach\nimport signal\nsignal.pause()")
    listed, stopped = run("%runai list", "%runai stop night")
    assert "night" in listed.text
    assert "running" in listed.text
    assert "told to stop" in stopped.text


def test_the_magic_can_be_unloaded(run: RunCells) -> None:
    _, gone = run("%unload_ext jupyter_runai", "%runai list")
    assert "not found" in gone.error + gone.text
