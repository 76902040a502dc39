"""Whatever goes wrong: one clear sentence, no traceback of ours, nothing half-made."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_runai.client import Client
from tests.notebooks.conftest import RunCells

OURS = ("Traceback", "jupyter_runai/", "scheduler_core/", "site-packages", ".py")


def nothing_half_made(engine: Path) -> bool:
    left = [*(engine / "staging").glob("*"), *(engine / "simulated" / "workloads").glob("*")]
    return not left and Client().list() == ()


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        ("--gpus 1", ["--gpus is no option of %%runai train.", "Did you mean --gpu?"]),
        ("--gpu 1.5", ["--gpu: gpu is a whole number of devices or a share above 0 and below 1, not 1.5."]),
        ("--gpu 0", ["--gpu: 0 asks for no device: leave --gpu out to run on the CPU."]),
        ("--gpu abc", ["--gpu: gpu is a number, not 'abc'."]),
        ("--gpu -1", ["--gpu: gpu is a whole number of devices or a share above 0 and below 1, not -1."]),
        ("--gpu 0.3335", ["--gpu: a share is a whole number of thousandths of a device, not 0.3335."]),
        ("--gpu", ["--gpu: expected one argument."]),
        ("--gpu 0.5 --gpu-memory 20G", ["--gpu-memory: not allowed with argument --gpu."]),
        ("--gpu 0.5 --devices 2", ["--devices: not allowed with argument --gpu."]),
        ("--gpu-memory 2G --devices 2", ["--devices: not allowed with argument --gpu-memory."]),
        ("--workers 2 --elastic 2:4", ["--elastic: not allowed with argument --workers."]),
        ("--dry-run --detach", ["--detach: not allowed with argument --dry-run."]),
        ("--devices 0.5", ["--devices: a whole number of devices from 1 on, not 0.5."]),
        ("-i nothing", ["This notebook has no variable 'nothing'."]),
        ("--gpu-memory lots", ["--gpu-memory: a memory size is written like 20G or 512M, not lots."]),
        (f"--gpu-memory {'9' * 400}G", ["--gpu-memory: no device has more memory than 1,000,000T."]),
        (f"--gpu {'9' * 400}", ["--gpu: no machine has more than 1,000,000 devices."]),
        ("--name Bad_Name!", ["--name: a name has lower-case letters"]),
        ("-o a.b", ["-o/--outputs: 'a.b' is not the name of a variable."]),
        ("--priority urgent", ["--priority: invalid choice: 'urgent'"]),
        ("--name 'unclosed", ["The line cannot be read"]),
    ],
)
def test_a_wrong_option_is_one_sentence(run: RunCells, simulated: Path, line: str, sentences: list[str]) -> None:
    (ran,) = run(f"%%runai train {line}\nprint('ran')")
    assert ran.text == ""
    for sentence in sentences:
        assert sentence in ran.error
    assert not any(part in ran.error for part in OURS), ran.error
    assert nothing_half_made(simulated)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("%runai lgos x", "Did you mean %runai logs?"),
        ("%runai logs", "required: workload"),
        ("%runai stop nobody", "There is no workload called 'nobody'."),
        ("%%runai trian\n1", "Did you mean %%runai train?"),
        ("%runai config simulate lots", "Simulated devices are written like 2xA100-80GB"),
        ("%runai config simulate 90xA100-80GB", "At most 64 devices can be simulated"),
    ],
)
def test_a_wrong_verb_is_one_sentence(run: RunCells, line: str, sentence: str) -> None:
    (ran,) = run(line)
    assert sentence in ran.error
    assert not any(part in ran.error for part in OURS), ran.error


def test_a_name_almost_right_suggests_the_nearest(run: RunCells) -> None:
    _, ran = run("%%runai train --name digits\n1", "%runai logs digit")
    assert "Did you mean digits?" in ran.error


def test_a_value_that_cannot_travel_is_named(run: RunCells, simulated: Path) -> None:
    _, ran = run("import threading\nguard = threading.Lock()", "%%runai train --gpu 0.5\nguard.acquire()")
    assert "'guard' cannot travel to the workload" in ran.error
    assert "inside the cell" in ran.error
    assert not any(part in ran.error for part in OURS), ran.error
    assert nothing_half_made(simulated)


def test_the_part_that_cannot_travel_is_named(run: RunCells, simulated: Path) -> None:
    _, inside, closed_over = run(
        "import threading\nclass Model: pass\nmodel = Model()\nmodel.layers = {'last': [1, Model()]}\n"
        "model.layers['last'][1].guard = threading.Lock()\nguard = threading.Lock()\ndef train(): return guard",
        "%%runai train\nmodel",
        "%%runai train\ntrain()",
    )
    assert "'model' cannot travel to the workload because of model.layers['last'][1].guard" in inside.error
    assert "'train' cannot travel to the workload because of train, which reads guard" in closed_over.error
    assert nothing_half_made(simulated)


def test_names_that_are_nowhere_suggest_the_nearest(run: RunCells) -> None:
    _, taken, brought = run("model = 1", "%%runai train -i modle\n1", "%%runai train -o scores\nscore = 1")
    assert "This notebook has no variable 'modle'." in taken.error
    assert "Did you mean model?" in taken.error
    assert "'scores' to bring back (did you mean 'score'?)" in brought.error


def test_another_python_is_refused_before_anything_is_sent(run: RunCells, simulated: Path) -> None:
    _, other, _, gone = run(
        "import os, pathlib, sys\nother = pathlib.Path('python').absolute()\n"
        "other.write_text('#!/bin/sh\\necho 3 9\\n')\nother.chmod(0o755)\nsys.executable = str(other)",
        "%%runai train\n1",
        "other.unlink()",
        "%%runai train\n1",
    )
    assert "its workload would run Python 3.9" in other.error
    assert "does not run here" in gone.error
    assert not any(part in other.error + gone.error for part in OURS)
    assert nothing_half_made(simulated)


def test_a_value_over_the_limit_is_named(run: RunCells, simulated: Path) -> None:
    _, _, told, ran = run(
        "%config RunaiMagics.largest_values = 1_000_000\n%config RunaiMagics.warn_values = 100_000",
        "small = bytes(200_000)\nbig = bytes(2_000_000)",
        "%%runai train\nlen(small)",
        "%%runai train\nlen(big)",
    )
    assert "200.0 kB of values travel with this cell" in told.text
    assert "With 'big' the values that this cell reads are over 1 MB." in ran.error
    assert "Save it to a file" in ran.error
    assert not any(part in ran.error for part in OURS), ran.error
    assert len(Client().list()) == 1
    assert list((simulated / "staging").glob("*")) == []


def test_a_result_that_cannot_come_back_is_named(run: RunCells) -> None:
    missing, stuck, both = run(
        "%%runai train -o answer,question\nquestion = 1",
        "%%runai train -o guard,kept\nimport threading\nguard = threading.Lock()\nkept = 2",
        "(question, kept)",
    )
    assert "the cell ended without a variable 'answer'" in missing.error
    assert "'guard' could not be brought back" in stuck.error
    assert both.value == "(1, 2)"
    assert not any(part in missing.error + stuck.error for part in OURS)


def test_a_slip_in_the_cell_is_shown_here_and_nothing_is_submitted(run: RunCells, simulated: Path) -> None:
    (ran,) = run("%%runai train --gpu 0.5\nx = = 2")
    assert ran.error.startswith("SyntaxError")
    assert "x = = 2" in ran.error
    assert not any(part in ran.error for part in OURS), ran.error
    assert nothing_half_made(simulated)


def test_no_engine_is_one_sentence_and_where_to_look(run: RunCells, simulated: Path) -> None:
    (simulated / "settings.json").write_text("{broken")
    cell, line = run("%%runai train --gpu 0.5\n1", "%runai list")
    for ran in (cell, line):
        assert "The engine did not start" in ran.error
        assert "daemon.log" in ran.error
        assert "Traceback" not in ran.error
    assert list((simulated / "staging").glob("*")) == []


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    run: RunCells, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNAI_ENGINE_DIR", str(small_disk))
    (small_disk / "settings.json").write_text('{"simulate": "2xA100-80GB"}')
    _, ran, small = run("big = bytes(30_000_000)", "%%runai train --gpu 0.5\nlen(big)", "%%runai train\n'still works'")
    assert "is full" in ran.error
    assert "Traceback" not in ran.error
    assert small.text == "'still works'\n"
    assert list((small_disk / "staging").iterdir()) == []
    assert len(Client().list()) == 1


def test_what_is_not_utf8_is_named(run: RunCells, simulated: Path, tmp_path: Path) -> None:
    _, variable, _, folder = run(
        "import os\nos.environ['BAD'] = os.fsdecode(b'\\xff')",
        "%%runai train\nimport os\n'BAD' in os.environ",
        "os.mkdir(b'\\xff')\nos.chdir(b'\\xff')",
        "%%runai train\n1",
    )
    assert variable.error == ""
    assert "goes without the environment variables that are not UTF-8: BAD." in variable.text
    assert variable.text.endswith("False\n")
    assert "its name is not UTF-8" in folder.error
    assert not any(part in folder.error for part in OURS), folder.error


def test_a_working_folder_that_is_gone_is_one_sentence(run: RunCells, simulated: Path) -> None:
    _, ran = run("import os\nos.mkdir('short')\nos.chdir('short')\nos.rmdir('../short')", "%%runai train\n1")
    assert "The folder that this notebook or shell works in is gone." in ran.error
    assert not any(part in ran.error for part in OURS), ran.error
    assert nothing_half_made(simulated)


def test_a_path_that_python_passes_over_is_passed_over_there_too(run: RunCells) -> None:
    _, ran = run("import sys, pathlib\nsys.path.append(pathlib.Path('/tmp'))", "%%runai train\n'ran'")
    assert ran.text == "'ran'\n"


def test_a_cell_of_many_levels_runs_or_is_refused(run: RunCells) -> None:
    steps = "".join(f"elif x == {n}: pass\n" for n in range(700))
    _, total, chain, refused = run(
        "x = 1",
        "%%runai train\n" + " + ".join(["x"] * 900),
        f"%%runai train\nif x == 0: pass\n{steps}x",
        "%%runai train\n" + " + ".join(["x"] * 5000),
    )
    assert (total.text, chain.text) == ("900\n", "1\n")
    assert "The cell is nested too deeply" in refused.error
    assert not any(part in refused.error for part in OURS), refused.error
    assert len(Client().list()) == 2
