"""What a cell takes along: chosen names, changed modules, large values; and a look before anything is submitted."""

from __future__ import annotations

from ast import literal_eval
from pathlib import Path

from jupyter_runai.client import Client
from tests.notebooks.conftest import RunCells

NUMPY = "import numpy as np\nbig = np.arange(1_000_000.0)"


def test_only_what_is_named_travels(run: RunCells) -> None:
    _, ran = run("a, b = 1, 2", "%%runai train -i a\nprint(a)\nprint('b' in dir())\nb")
    assert ran.text.startswith("The cell reads 'b', which -i leaves here.\n")
    assert ran.text.endswith("1\nFalse\n")
    assert ran.error.startswith("NameError")


def test_a_name_that_is_not_cells_is_told_before_it_runs(run: RunCells) -> None:
    _, typo, defined, anything = run(
        "model = 1",
        "%%runai train\ntry:\n    modle\nexcept NameError:\n    print('gone')",
        "%%runai train\nfor n in range(2): last = n\nlast",
        "%%runai train\nexec('late = 5')\nlate",
    )
    assert typo.text == "The cell reads 'modle', which neither it nor the notebook defines. Did you mean model?\ngone\n"
    assert (defined.text, anything.text) == ("1\n", "5\n")


def test_a_dry_run_shows_what_would_happen_and_submits_nothing(run: RunCells, simulated: Path) -> None:
    _, starts, waits, cpu = run(
        NUMPY,
        "%%runai run --dry-run --gpu 0.5 --workers 2\nnp.sum(big)",
        "%%runai train --dry-run --devices 64\n1",
        "%%runai train --dry-run\n1",
    )
    assert ["big", "ndarray", "by", "value", "8.0", "MB"] in [line.split() for line in starts.text.splitlines()]
    assert ["np", "module", "by", "import"] in [line.split()[:4] for line in starts.text.splitlines()]
    assert "2 x 0.5" in starts.text
    assert "interactive, priority 125, not preemptible" in starts.text
    assert "It starts now on" in starts.text
    assert "It waits: asks for 64 devices and there are 2: it can never start here." in waits.text
    assert "Nothing travels but the cell itself." in cpu.text
    assert Client().list() == ()
    assert list((simulated / "staging").glob("*")) == []


def test_run_is_interactive_and_takes_whole_devices(run: RunCells) -> None:
    (ran,) = run("%%runai run --devices 2 --name now\nimport os\nos.environ['RUNAI_GPU_IDS'].count(',') + 1")
    assert ran.text == "2\n"
    workload = Client().find("now")
    assert (workload.kind, workload.priority, workload.preemptible) == ("interactive", 125, False)
    assert workload.request.gpu == 2


def test_large_arrays_lie_beside_the_pickle_and_can_be_changed_on_both_sides(run: RunCells) -> None:
    _, sizes, back, fortran = run(
        f"{NUMPY}\nview = big[::2]\ntwo = big.reshape(1000, 1000).T\nshared = [big, big]",
        "%%runai train -o big\nimport os\ninputs = os.environ['RUNAI_INPUTS']\n"
        "big[0] = 7; same = shared[0] is shared[1] is big\n"
        "[os.stat(f'{inputs}/values.{part}').st_size for part in ('pickle', 'buffers')], same",
        "before = big[0]; big[0] = 8\n(float(before), float(big[0]), big.flags.writeable)",
        "%%runai train\n(float(view.sum()), two.flags.f_contiguous, float(two[1, 0]))",
    )
    (in_pickle, apart), same = literal_eval(sizes.text)
    assert in_pickle < 1000
    assert 8_000_000 <= apart < 8_001_000
    assert same is True
    assert back.value == "(7.0, 8.0, True)"
    assert fortran.text == "(249999500000.0, True, 1.0)\n"


def test_results_over_the_limit_stay_there(run: RunCells) -> None:
    *_, ran, kept = run(
        "%config RunaiMagics.largest_values = 10_000_000",
        "%%runai train -o small,large\nimport numpy as np\nlarge = np.zeros(2_000_000)\nsmall = 1",
        "(small, 'large' in globals())",
    )
    assert "'large' is larger than the 10 MB left for what comes back" in ran.error
    assert "save it to a file" in ran.error
    assert kept.value == "(1, False)"


def test_a_changed_module_is_there_as_the_notebook_has_it(run: RunCells, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("rate = 1\nclass Model:\n    pass\ndef f(): return 'old', rate\n")
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("from .a import g\n")
    (tmp_path / "pkg" / "a.py").write_text("def g(): return 'old g'\n")
    cell = (
        "%%runai train -o made\nimport mine as again, pkg.a\nfrom pkg import g\nmade = mine.Model()\n"
        "print(mine.f(), again is mine, g(), pkg.a.g())"
    )
    _, before, _, after, own, _, reloaded = run(
        "import mine, pkg",
        cell,
        "open('mine.py', 'w').write('def f(): return \"changed\"\\nclass Model: pass\\n')\n"
        "open('pkg/a.py', 'w').write('def g(): return \"changed g\"\\n')\nmine.rate = 2",
        cell,
        "type(made) is mine.Model",
        "import importlib\nimportlib.reload(mine)\nimportlib.reload(pkg.a)\nimportlib.reload(pkg)",
        cell,
    )
    assert before.text == "('old', 1) True old g old g\n"
    assert after.text.startswith("Changed on disk, and in the cell as they are here: mine, pkg, pkg.a.\n")
    assert after.text.endswith("('old', 2) True old g old g\n")
    assert own.value == "True"
    assert reloaded.text == "changed True changed g changed g\n"


def test_a_changed_module_that_cannot_travel_says_what_to_do(run: RunCells, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import threading\nguard = threading.Lock()\n")
    _, _, ran = run("import mine", "open('mine.py', 'w').write('guard = None')", "%%runai train\nmine.guard")
    assert "'mine' cannot travel to the workload because of mine.guard" in ran.error
    assert "importlib.reload(mine)" in ran.error
