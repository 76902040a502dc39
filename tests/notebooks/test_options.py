"""What the line of a cell may ask for, each in a cell that runs."""

from __future__ import annotations

from jupyter_runai.client import Client
from tests.notebooks.conftest import RunCells

VARIABLES = "import os\nprint(*(os.environ[name] for name in ({})))"


def test_a_cell_gets_what_its_line_asks_for(run: RunCells) -> None:
    memory, first, devices = run(
        "%%runai train --gpu-memory 20G --name mem --priority medium --max-time 2h --retries 2 --project default\n"
        + VARIABLES.format("'RUNAI_GPU_MEMORY_MIB', 'RUNAI_GPU_PORTION', 'RUNAI_WORKLOAD_NAME'"),
        "%%runai run --gpu 0.25 --gpu-limit 0.5 --name burst\n"
        + VARIABLES.format("'RUNAI_GPU_MEMORY_MIB', 'RUNAI_GPU_MEMORY_LIMIT_MIB'"),
        "%%runai train --devices 2 --name whole\nimport os\nlen(os.environ['RUNAI_GPU_IDS'].split(','))",
    )
    assert (memory.text, first.text, devices.text) == ("20480 0.25 mem\n", "20480 40960\n", "2\n")
    client = Client()
    mem, burst = client.find("mem"), client.find("burst")
    spec = client.specification(mem.id)
    assert (mem.queue, mem.priority, mem.preemptible) == ("default", 80, True)
    assert (spec.retries, spec.max_run_s) == (2, 7200)
    assert (burst.kind, burst.priority, burst.preemptible) == ("interactive", 125, False)


def test_a_cell_that_fails_is_tried_again(run: RunCells) -> None:
    (ran,) = run(
        "%%runai train --name again --retries 2 -o left\nimport os\nleft = os.environ['RUNAI_RESTARTS']\n"
        "print('run', left)\nassert left == '1'"
    )
    assert ran.text.splitlines()[0] == "run 0"
    assert ran.text.splitlines()[-1] == "run 1"
    assert "✓ again · completed in" in ran.line and "left ← str" in ran.line
    assert Client().find("again").restarts == 1


def test_a_cell_is_stopped_when_its_time_is_up(run: RunCells) -> None:
    late, after = run(
        "%%runai train --name late --max-time 0.3s\nimport signal\nsignal.pause()", "'the notebook goes on'"
    )
    assert late.error.splitlines() == ["CellFailed", "late stopped: reached its maximum run time of 0.3 s"]
    assert "■ late · stopped after 0:00 (reached its maximum run time of 0.3 s)" in late.line
    assert after.value == "'the notebook goes on'"


def test_an_elastic_cell_takes_what_room_there_is(run: RunCells) -> None:
    (ran,) = run(
        "%%runai train --gpu 0.5 --elastic 2:6 --name some\n"
        + VARIABLES.format("'RUNAI_TASK_INDEX', 'RUNAI_TASK_COUNT', 'PET_NNODES'")
    )
    assert sorted(ran.text.splitlines())[:2] == ["[0] 0 6 2:6", "[1] 1 6 2:6"]
    assert "✓ some · completed" in ran.line
    known = Client().find("some")
    assert (known.tasks, known.min_tasks) == (6, 2)


def test_a_project_that_is_not_there_names_those_that_are(run: RunCells) -> None:
    (ran,) = run("%%runai train --project defaul\n1")
    assert ran.error.splitlines()[1:] == ["There is no project 'defaul'.", "This engine has: default."]
    assert Client().list() == ()
