"""What is wrong is refused in one sentence, before anything is submitted."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import jupyter_runai as runai
from jupyter_runai.client import Client
from scheduler_core.errors import InvalidRequest

LOCK = threading.Lock()


def nothing_half_made(engine: Client, folder: Path) -> bool:
    left = [*(folder / "staging").glob("*"), *(folder / "simulated" / "workloads").glob("*")]
    return not left and engine.list() == ()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"gpu": 1.5}, "gpu: gpu is a whole number of devices or a share above 0 and below 1, not 1.5."),
        ({"gpu": 0}, "gpu: 0 asks for no device: leave gpu out to run on the CPU."),
        ({"gpu": "lots"}, "gpu: gpu is a number, not 'lots'."),
        ({"gpu": True}, "gpu: gpu is a number, not 'True'."),
        ({"gpu": float("nan")}, "gpu: gpu is a number, not 'nan'."),
        ({"gpu": 0.5, "gpu_memory": "20G"}, "gpu_memory: not allowed with argument gpu."),
        ({"gpu_memory": 20}, "gpu_memory: a memory size is written like 20G or 512M, not 20."),
        ({"workers": 0}, "workers: a number from 1 to 1000, not 0."),
        ({"name": "Bad Name"}, "name: a name has lower-case letters"),
        ({"name": ""}, "name: a name has lower-case letters"),
        ({"retries": -1}, "retries: a number from 0 to 100, not -1."),
        ({"max_time": "soon"}, "max_time: a time is written like 30s, 90m, 2h or 1d, not soon."),
        ({"max_time": -1}, "max_time: a time is written like 30s, 90m, 2h or 1d, not -1s."),
        ({"priority": "urgent"}, "priority: invalid choice: 'urgent'"),
        ({"gpu_mem": "20G"}, "'gpu_mem' is no option. Did you mean gpu_memory?"),
        ({"x": 1}, "What the function itself is to get goes into kwargs: kwargs={'x': ...}."),
        ({"kwargs": 5}, "kwargs are the function's arguments by name."),
        ({"kwargs": {"z": 1}}, "abs(x, /) cannot be called so: "),
    ],
)
def test_a_wrong_option_is_one_sentence(
    engine: Client, simulated: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        runai.submit(abs, -1, **options)
    assert sentence in str(caught.value)
    assert nothing_half_made(engine, simulated)


def test_what_is_no_function_or_no_map_is_refused(engine: Client, simulated: Path) -> None:
    with pytest.raises(InvalidRequest, match="is no function but of type int"):
        runai.submit(abs(-1))  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="one task of a map"):
        runai.map(abs, [1], gpu="auto", name="mine")
    with pytest.raises(InvalidRequest, match="No run of 'mine' on a device"):
        runai.submit(abs, -1, gpu="auto", name="mine")
    with pytest.raises(InvalidRequest, match="workers go with submit"):
        runai.map(abs, [1], workers=2)
    for chunksize in (0, True, "2"):
        with pytest.raises(InvalidRequest, match="chunksize: a whole number of items from 1 on, not "):
            runai.map(abs, [1], chunksize=chunksize)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="resize needs gpu or gpu_memory"):
        runai.submit(abs, -1).resize()


class Model:
    def __init__(self) -> None:
        self.parts = {"guard": LOCK, "fine": 1}


def reads_a_lock() -> object:
    def inner() -> object:
        return LOCK

    def outer() -> object:
        return inner()

    return outer


@pytest.mark.parametrize(
    ("args", "place"),
    [
        ((reads_a_lock(),), "outer(), which reads inner, which reads LOCK cannot"),
        ((partial(print, [LOCK]),), "print().args[0][0] cannot"),
        ((lambda config: config, {"a": [1, LOCK]}), "config['a'][1] cannot"),
        ((lambda *models: models, 1, Model()), "models[1].parts['guard'] cannot"),
        ((lambda first, second: second, 1, (2, LOCK)), "second[1] cannot"),
    ],
)
def test_what_cannot_travel_is_named_with_its_place(
    engine: Client, simulated: Path, args: tuple[Any, ...], place: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        runai.submit(*args)
    assert str(caught.value).startswith(place), caught.value
    assert "cannot pickle '_thread.lock' object" in str(caught.value)
    assert nothing_half_made(engine, simulated)


def test_the_item_that_cannot_travel_is_named(engine: Client, simulated: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"items\[2\]\.parts\['guard'\] cannot travel"):
        runai.map(print, [1, 2, Model()])
    assert nothing_half_made(engine, simulated)


@pytest.mark.parametrize(
    ("version", "pickles", "sentence"),
    [
        ("3 9", "echo 3", "its workload would run Python 3.9"),
        ("{} {}".format(*sys.version_info), "exit 1", "has no cloudpickle, with which values travel. Install it there"),
        ("3", "echo 3", "its workload would run Python 3"),
    ],
)
def test_a_python_that_cannot_load_what_travels_is_refused(
    engine: Client, simulated: Path, tmp_path: Path, version: str, pickles: str, sentence: str
) -> None:
    offer(simulated, tmp_path, version, pickles)
    for call in (lambda: runai.submit(abs, -1, environment="other"), lambda: runai.map(abs, [1], environment="other")):
        with pytest.raises(InvalidRequest) as caught:
            call()
        assert sentence in str(caught.value)
    assert nothing_half_made(engine, simulated)


def test_another_cloudpickle_is_told_of(
    engine: Client, simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offer(simulated, tmp_path, "{} {}".format(*sys.version_info), "echo 0.1")
    runai.submit(abs, -1, environment="other").cancel()
    assert "and loaded by 0.1" in capsys.readouterr().err


def offer(engine: Path, folder: Path, version: str, pickles: str) -> None:
    """An environment with a Python that answers so."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\ncase "$*" in *cloudpickle*) {pickles};; *) echo {version};; esac\n')
    python.chmod(0o755)
    (engine / "policies.yaml").write_text(f"environments: {{other: {{python: {python}}}}}")


def test_the_options_are_in_the_signatures() -> None:
    for function in (runai.submit, runai.map, runai.remote):
        names = inspect.signature(function).parameters
        assert {"gpu", "gpu_memory", "project", "priority", "name", "retries", "max_time"} < set(names)


def test_importing_the_package_loads_nothing_more_than_before() -> None:
    code = "import sys, jupyter_runai; print([n for n in sys.modules if n.startswith(('jupyter_runai.', 'msgspec'))])"
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert listed.stdout == "[]\n"
