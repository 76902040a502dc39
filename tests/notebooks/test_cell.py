"""`%%runai train` in a real kernel: values out, output under the cell, results back."""

from __future__ import annotations

from ast import literal_eval
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from tests.notebooks.conftest import RunCells

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


def test_a_traceback_shows_the_lines_of_functions_from_other_cells(run: RunCells) -> None:
    _, ran = run("def deep(x):\n    return 1 / x", "%%runai train\nprint('before')\ndeep(0)")
    assert 'File "In[2]", line 2, in deep\n    return 1 / x' in ran.error
    assert 'File "In[3]", line 2, in <module>\n    deep(0)' in ran.error


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


@pytest.mark.parametrize(
    ("notebook", "cell", "printed"),
    [
        ("lr = 1\ndef f(): return lr", "lr = 2\nf()", "2"),
        ("lr = 1\ndef f(): return lr", "f()", "1"),
        ("lr = 1\nfs = [lambda: lr]", "lr = 2\nfs[0]()", "2"),
        ("lr = 1\nclass A:\n    def m(self): return lr\na = A()", "lr = 2\n(a.m(), type(a)().m())", "(2, 2)"),
        ("lr = 1\ndef g(): return lr\ndef f(): return g()", "lr = 2\nf()", "2"),
        ("base = 3\ndef g(): return base\nclass A:\n    def m(self): return g()", "A().m()", "3"),
        ("def fact(n): return n * fact(n - 1) if n else 1", "fact(5)", "120"),
        (
            "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)",
            "(even(10), odd(7))",
            "(True, True)",
        ),
        ("def f(): return g()\ndef g(): return 'old'", "def g(): return 'new'\nf()", "'new'"),
        ("count = 0\ndef up():\n    global count\n    count += 1", "up(); up()\ncount", "2"),
        ("items = []\ndef add(): items.append(1)", "add()\nitems", "[1]"),
        ("def f(): return made_there", "made_there = 5\nf()", "5"),
        ("def outer(k):\n    def inner(): return k * lr\n    return inner\nlr = 1\nf = outer(7)", "lr = 2\nf()", "14"),
    ],
)
def test_a_notebooks_functions_read_the_cells_variables(run: RunCells, notebook: str, cell: str, printed: str) -> None:
    _, ran = run(notebook, f"%%runai train\n{cell}")
    assert ran.error == ""
    assert ran.text == f"{printed}\n"


def test_await_works_as_in_a_notebook(run: RunCells) -> None:
    _, both, alone = run(
        "import asyncio\nasync def late(x):\n    await asyncio.sleep(0)\n    return x",
        "%%runai train -o x\ntask = asyncio.get_running_loop().create_task(late(1))\nx = await task\nawait late(x + 1)",
        "%%runai train\nfor i in range(2):\n    print([await late(n) for n in range(i + 1)])",
    )
    assert both.error == alone.error == ""
    assert both.text == "2\n"
    assert "x ← int" in both.line
    assert alone.text == "[0]\n[0, 1]\n"


def test_a_cell_that_exits_well_brings_back_what_it_made(run: RunCells) -> None:
    made, missing, failed = run(
        "%%runai train -o r\nimport sys\nr = 1\nsys.exit(0)",
        "%%runai train -o q\nimport sys\nsys.exit()",
        "%%runai train -o r\nimport sys\nr = 2\nsys.exit(3)",
    )
    assert "r ← int" in made.line
    assert "the cell ended without a variable 'q' to bring back" in missing.error
    assert "exit status 3" in failed.error


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (
            "raise ValueError('head' + 'x' * 3_000_000 + 'tail')",
            ["ValueError: headxxx", "xxxtail", "characters left out"],
        ),
        ("raise ValueError('\\udcff')", ["ValueError: \\udcff"]),
        ("class Odd(Exception):\n    def __str__(self): return 1 / 0\nraise Odd", ["Odd", "raise Odd"]),
    ],
)
def test_any_exception_comes_back(run: RunCells, cell: str, shown: list[str]) -> None:
    (ran,) = run(f"%%runai train\n{cell}")
    for part in shown:
        assert part in ran.error
    assert len(ran.error) < 100_000


def test_results_that_load_come_back_beside_those_that_do_not(run: RunCells, tmp_path: Path) -> None:
    ran, good = run(
        "%%runai train -o absent,angry,good\n"
        "import sys, types\n"
        "class Angry:\n    def __reduce__(self): return int, ('no number',)\n"
        "only_there = sys.modules['only_there'] = types.ModuleType('only_there')\n"
        "exec('class Absent: pass', only_there.__dict__)\n"
        "only_there.Absent.__module__ = 'only_there'\n"
        "absent, angry, good = only_there.Absent(), Angry(), 7",
        "good",
    )
    assert good.value == "7"
    assert "good ← int" in ran.line
    assert "absent ←" not in ran.line
    assert "'absent' did not come back, loading it here raised ModuleNotFoundError" in ran.error
    assert "'angry' did not come back, loading it here raised ValueError" in ran.error
    assert ran.error.startswith("ResultLost")
    assert not any(part in ran.error for part in (*OURS, "Traceback"))


def test_a_result_whose_file_is_gone_is_named(run: RunCells) -> None:
    ran, good = run(
        "%%runai train -o gone,good\nimport atexit, os, pathlib\ngone, good = 1, 2\n"
        "atexit.register(lambda: (pathlib.Path(os.environ['RUNAI_RESULTS']) / 'gone.pickle').unlink())",
        "good",
    )
    assert "'gone' did not come back: its file" in ran.error
    assert good.value == "2"


def test_variables_in_magics_and_shell_commands_travel(run: RunCells) -> None:
    _, timed, echoed, brought = run(
        "zz = 20\ndef g(x): return x + 1",
        "%%runai train -o y\n%%time\ny = g(zz)\nprint(y)",
        "%%runai train\n!echo {zz + 1} and $zz",
        "y",
    )
    assert timed.text.startswith("21\n")
    assert echoed.text.strip() == "21 and 20"
    assert brought.value == "21"


def test_a_long_log_is_shown_from_near_its_end(run: RunCells) -> None:
    _, shown, oneline, listed = run(
        "%%runai train --name long\nimport sys\nfor n in range(300_000): sys.stdout.write(f'line {n}\\n')",
        "%%capture got\n%runai logs long",
        "got.stdout.splitlines()[0]",
        "(len(got.stdout), got.stdout.rstrip().splitlines()[1].startswith('line '), got.stdout.rstrip()[-11:])",
    )
    assert shown.error == ""
    assert "left out; Python has all of it: jupyter_runai.client.Client().logs(" in oneline.value
    length, whole_line, last = literal_eval(listed.value)
    assert 900_000 < length < 1_001_000
    assert (whole_line, last) == (True, "line 299999")
