"""`%runai submit` in a notebook."""

from __future__ import annotations

import sys

from tests.notebooks.conftest import RunCells


def test_a_command_runs_with_the_notebooks_python_and_shows_its_output(run: RunCells) -> None:
    write, ran, seen = run(
        "open('train.py', 'w').write('import sys; print(sys.executable, *sys.argv[1:])')",
        "%runai submit --gpu 0.5 --name digits -- python train.py --lr 0.1",
        "%runai describe digits",
    )
    assert write.error == ran.error == ""
    program, *words = ran.text.split()
    assert (program.rpartition("/")[0], words) == (sys.executable.rpartition("/")[0], ["--lr", "0.1"])
    assert ran.line.startswith("✓ digits · completed in")
    assert "completed" in seen.text and "train.py --lr 0.1" in seen.text


def test_one_that_fails_fails_the_cell(run: RunCells) -> None:
    (ran,) = run("%runai submit --name bad -- sh -c 'echo before; exit 3'")
    assert ran.text == "before\n"
    assert ran.error == "CellFailed\nbad failed: exit status 3"


def test_one_that_never_starts_is_withdrawn_and_the_notebook_goes_on(run: RunCells) -> None:
    ran, after = run("%runai submit --gpu 5 --name big -- true", "%runai list")
    assert "It was not started and is withdrawn; the figures: %runai explain big" in ran.text
    assert (ran.error, after.text) == ("", "Nothing runs or waits.\n")


def test_its_answers_for_programs_are_one_document(run: RunCells) -> None:
    detached, both = run("%runai submit --detach --json -- true", "%runai submit --json -- true")
    assert '"name": "true-1"' in detached.text
    assert "Add --detach." in both.error


def test_auto_goes_by_the_last_runs_of_a_cell(run: RunCells) -> None:
    refused, _, ran = run(
        "%%runai train --gpu auto --name digits\n1",
        "%%runai train --gpu 0.5 --name digits\nfrom jupyter_runai.client import Client\nimport os\n"
        "while not Client().measurements(os.environ['RUNAI_WORKLOAD_ID'], 'second'):\n    pass",
        "%%runai train --gpu auto --name digits --dry-run\n1",
    )
    assert "No run of 'digits' on a device has been measured yet" in refused.error
    assert "the last run of digits peaked at" in ran.text
    assert "asks for  0." in ran.text
