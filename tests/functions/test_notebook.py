"""Functions of a notebook in real kernels: what travels, what is shown, what a fresh kernel finds again."""

from __future__ import annotations

from ast import literal_eval
from pathlib import Path

import stamina

from jupyter_runai.client import Client
from scheduler_core.errors import NotFound
from scheduler_core.workload import Workload
from tests.functions.conftest import Notebook
from tests.helpers import until
from tests.notebooks.live import live_kernel

OURS = ("jupyter_runai/", "site-packages", "runner.py")

FUNCTIONS = """
import os
class Scale:
    kinds = {"small", "large", "huge"}
    def __init__(self, by): self.by = by
    def of(self, x): return x * self.by
scale = Scale(3)
def scaled(x):
    '''Reads a class, a global and sets of the notebook.'''
    with open("called", "a") as file: file.write(f"{x} {os.getpid()}\\n")
    return scale.of(x) if x in {1, 2, 3} and "large" in Scale.kinds else None
"""


def calls(folder: Path) -> int:
    return len((folder / "called").read_text().splitlines())


def test_functions_travel_with_what_they_read_and_instances_come_home(notebook: Notebook, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def shifted(x): return x + 100")
    _, values, home = notebook(
        FUNCTIONS + "import mine\ndef both(x): return mine.shifted(scaled(x)), Scale(x)",
        "total, made = runai.submit(both, 2, gpu=0.5).result()\n(total, made.by, isinstance(made, Scale))",
        "await runai.submit(mine.shifted, 1)",
    )
    assert values.value == "(106, 2, True)"
    assert home.value == "101"


def test_a_fresh_kernel_finds_the_same_call_again(notebook: Notebook, tmp_path: Path) -> None:
    first = notebook(
        FUNCTIONS,
        "first = runai.submit(scaled, 2, name='train-a')\n(first.id, first.result())",
        "runai.map(scaled, [1, 2, 9], gpu=0.25, name='sweep')",
    )
    assert calls(tmp_path) == 4
    second = notebook(
        "'a cell that was not there'",
        FUNCTIONS,
        "again = runai.submit(scaled, 2, name='train-a')\n(again.id, again.result())",
        "runai.map(scaled, [1, 2, 9], gpu=0.25, name='sweep')",
        "runai.submit(scaled, 3, name='train-a').result()",
        "scale.by = 5\nrunai.submit(scaled, 2, name='train-a').result()",
        "runai.get(again.id).result()",
    )
    assert second[2].value == first[1].value
    assert second[3].value == first[2].value == "[3, 6, None]"
    assert (second[4].value, second[5].value, second[6].value) == ("9", "10", "6")
    assert calls(tmp_path) == 6


def test_a_changed_local_module_is_a_new_run_and_so_is_one_that_failed(notebook: Notebook, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("def base(): return 1")
    (tmp_path / "mine.py").write_text("import helper\ndef f(): return helper.base()")
    cell = "import mine\nrunai.submit(mine.f, name='f').result()"
    assert notebook(cell)[0].value == "1"
    (tmp_path / "helper.py").write_text("def base(): return 2 // 0")
    assert "ZeroDivisionError" in notebook(cell)[0].error
    (tmp_path / "helper.py").write_text("def base(): return 2")
    assert notebook(cell)[0].value == "2"
    cell = "import os\ndef g(): return open('there').read()\nrunai.submit(g, name='g').result()"
    assert "FileNotFoundError" in notebook(cell)[0].error
    (tmp_path / "there").write_text("now")
    assert notebook(cell)[0].value == "'now'"


def test_a_running_one_is_found_by_a_fresh_kernel(notebook: Notebook, tmp_path: Path) -> None:
    cell = (
        "import os, time\n"
        "def slow(x):\n"
        "    while not os.path.exists('go'): time.sleep(0.01)\n"
        "    return x, os.getpid()\n"
    )
    (started,) = notebook(f"{cell}h = runai.submit(slow, 1, name='slow')\n(h.id, h.done())")
    found, result = notebook(
        f"{cell}h = runai.submit(slow, 1, name='slow')\n(h.id, h.done())",
        "open('go', 'w').close()\nawait h",
    )
    assert found.value == started.value
    assert literal_eval(found.value)[1] is False
    assert literal_eval(result.value)[0] == 1


def test_a_traceback_shows_the_notebooks_own_lines(notebook: Notebook) -> None:
    _, own, remote, awaited = notebook(
        "def deep(x):\n    return 1 / x",
        "runai.submit(deep, 0).result()",
        "def lost():\n"
        "    class Odd(Exception):\n        def __reduce__(self): return int, ('no',)\n    raise Odd('there')\n"
        "runai.submit(lost).result()",
        "await runai.submit(deep, 0)",
    )
    for ran in (own, awaited):
        assert ran.error.startswith("ZeroDivisionError")
        assert 'File "In[2]", line 2, in deep' in ran.error
        assert "    return 1 / x" in ran.error
    assert remote.error.startswith("RemoteError")
    assert "    raise Odd('there')" in remote.error
    for ran in (own, remote, awaited):
        assert ran.error.count("Cell") == 1
        assert not any(part in ran.error for part in OURS), ran.error


def test_a_refusal_shows_no_frames_of_ours(notebook: Notebook) -> None:
    for ran in notebook("runai.submit(abs, 1, gpus=1)", "runai.map(abs, [1], workers=2)", "runai.get('nobody')"):
        assert not any(part in ran.error for part in OURS), ran.error
        assert ran.error.startswith(("InvalidRequest", "NotFound"))


def test_a_map_shows_a_bar_that_screen_readers_can_read(notebook: Notebook) -> None:
    (ran,) = notebook("runai.map(abs, [-1, -2, 'x'], name='bar')")
    assert "-1" not in ran.value and "1, 2, TypeError(" in ran.value
    assert ran.line.startswith("✗ bar · failed · 3 of 3 tasks done · 1 failed")
    html = ran.html
    assert 'role="progressbar"' in html and 'aria-valuenow="3"' in html and 'aria-valuemax="3"' in html


def test_an_interrupt_ends_the_cell_and_the_same_call_goes_on(notebook: Notebook, tmp_path: Path) -> None:
    cell = (
        "import os, signal, time\n"
        "def slow(x):\n"
        "    os.kill(int(open('kernel').read()), signal.SIGINT)\n"
        "    while not os.path.exists('go'): time.sleep(0.01)\n"
        "    return x\n"
        "out = runai.map(slow, [7], name='long')"
    )
    _, interrupted, state = notebook(
        "import os\nopen('kernel', 'w').write(str(os.getpid()))", cell, "runai.get('long').state"
    )
    assert "long goes on. runai.get('long').result() waits for it again" in interrupted.error
    assert not any(part in interrupted.error for part in OURS)
    assert state.value == "'running'"
    (tmp_path / "go").touch()
    assert notebook(cell, "out")[1].value == "[7]"


def test_a_map_that_has_partly_run_goes_on_in_a_fresh_kernel(
    notebook: Notebook, client: Client, tmp_path: Path
) -> None:
    cell = (
        "import os, time\n"
        "def slow(x):\n"
        "    with open(f'called-{x}', 'a') as file: file.write('once')\n"
        "    while x and not os.path.exists('go'): time.sleep(0.01)\n"
        "    return x * 10\n"
        "runai.map(slow, [0, 1, 2], gpu=1, name='sweep')"
    )
    with live_kernel(tmp_path) as kernel:
        kernel.run("import jupyter_runai as runai")
        kernel.start(cell)
        first = until(client, named(client, "sweep").id, partly_run)
    (tmp_path / "go").touch()
    (resumed,) = notebook(cell)
    assert resumed.value == "[0, 10, 20]"
    assert [(tmp_path / f"called-{x}").read_text() for x in range(3)] == ["once"] * 3
    assert [known.id for known in client.list()] == [first.id]


def partly_run(workload: Workload) -> bool:
    return workload.task_states == {"completed": 1, "running": 2}


@stamina.retry(on=NotFound, attempts=200, timeout=60)
def named(client: Client, name: str) -> Workload:
    """The workload of this name, once there is one."""
    return client.find(name)


def test_limits_are_those_of_the_magics(notebook: Notebook) -> None:
    _, told, refused = notebook(
        "%load_ext jupyter_runai\n"
        "%config RunaiMagics.largest_values = 1_000_000\n%config RunaiMagics.warn_values = 100_000",
        "runai.submit(len, bytes(200_000)).result()",
        "runai.map(len, [bytes(10), bytes(2_000_000)])",
    )
    assert "200.0 kB of values travel with this call" in told.text
    assert told.value == "200000"
    assert "With items[1] what travels to the workload is over 1.0 MB." in refused.error
