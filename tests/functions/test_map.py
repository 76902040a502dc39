"""`runai.map`: one array, results in order, failures in their place, found again by name."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

import jupyter_runai as runai
from jupyter_runai.client import Client
from scheduler_core.errors import InvalidRequest
from tests.helpers import running, until


def test_results_come_in_order_from_one_array(engine: Client) -> None:
    def square(x: int) -> tuple[int, str]:
        return x * x, os.environ["RUNAI_TASK_INDEX"]

    assert runai.map(square, range(5), gpu=0.25) == [(x * x, str(x)) for x in range(5)]
    (workload,) = engine.list()
    assert (workload.name, workload.tasks, workload.gang) == ("square-1", 5, False)
    assert workload.request.portion_milli == 250


def test_failures_stand_in_their_place(engine: Client) -> None:
    def risky(x: int) -> float:
        if x == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return 1 / x

    zero, one, killed, third = runai.map(risky, [0, 1, 2, 4], name="risky")
    assert isinstance(zero, ZeroDivisionError)
    assert "return 1 / x" in str(zero.__cause__)
    assert (one, third) == (1.0, 0.25)
    assert isinstance(killed, runai.RemoteError)
    assert str(killed) == "task 2 of risky failed: killed by SIGKILL"
    again = runai.get("risky").result()
    assert [type(result) for result in again] == [ZeroDivisionError, float, runai.RemoteError, float]


def test_a_task_takes_several_items_one_after_another_in_one_process(engine: Client) -> None:
    def place(x: int) -> tuple[int, str, int]:
        if x == 4:
            raise KeyError(x)
        return x, os.environ["RUNAI_TASK_INDEX"], os.getpid()

    results = runai.map(place, iter(range(7)), name="many", chunksize=3)
    assert isinstance(results[4], KeyError)
    placed = [result for result in results if not isinstance(result, Exception)]
    assert [(x, task) for x, task, _ in placed] == [(0, "0"), (1, "0"), (2, "1"), (3, "1"), (5, "2"), (6, "2")]
    assert len({pid for *_, pid in placed}) == 3
    (workload,) = engine.list()
    assert workload.tasks == 3
    assert [repr(result) for result in runai.get("many").result()] == [repr(result) for result in results]


@pytest.mark.parametrize(("most", "tasks"), [({}, 2), ({"max_time": 60}, 5), ({"chunksize": 1}, 5)])
def test_of_many_items_a_task_takes_as_many_as_keep_all_devices_busy(
    engine: Client, monkeypatch: pytest.MonkeyPatch, most: dict[str, Any], tasks: int
) -> None:
    few(monkeypatch)
    assert runai.map(abs, range(5), gpu=1, **most) == [0, 1, 2, 3, 4]
    assert [workload.tasks for workload in engine.list()] == [tasks]


def test_where_a_policy_limits_the_time_of_tasks_each_item_has_its_own(
    engine: Client, simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch)
    (simulated / "policies.yaml").write_text("cluster: {rules: {max_time: {max: 2h}}}")
    assert runai.map(abs, range(5), gpu=1) == [0, 1, 2, 3, 4]
    assert [workload.tasks for workload in engine.list()] == [5]


def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three items are many, and a task for each place is enough."""
    for module in ("mapping", "spreading"):
        monkeypatch.setattr(f"jupyter_runai.functions.{module}.FEW", 2)
    monkeypatch.setattr("jupyter_runai.functions.spreading._TASKS_A_PLACE", 1)


def test_an_item_whose_process_dies_takes_no_other_along(engine: Client) -> None:
    def ends(x: int) -> int:
        if x == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if x == 3:
            os._exit(7)
        if x == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return x

    results = runai.map(ends, range(6), name="deadly", chunksize=6)
    assert [result for result in results if not isinstance(result, Exception)] == [0, 2, 5]
    assert all(isinstance(results[item], runai.RemoteError) for item in (1, 3, 4))
    assert [str(results[item]) for item in (1, 3, 4)] == [
        "ProcessEnded: killed by SIGKILL",
        "ProcessEnded: exit status 7",
        "ProcessEnded: killed by SIGTERM",
    ]
    (workload,) = engine.list()
    assert (workload.tasks, workload.state) == (1, "failed")


def test_one_that_is_suspended_goes_on_with_the_item_that_it_was_at(engine: Client, tmp_path: Path) -> None:
    def noted(x: int) -> int:
        with (tmp_path / "called").open("a") as file:
            file.write(f"{x}\n")
        if x == 1 and os.environ["RUNAI_RESTARTS"] == "0":
            # As one does that saves first.
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
            os.kill(here, signal.SIGINT)
            while True:
                signal.pause()
        return x * 10

    here = os.getpid()
    with pytest.raises(KeyboardInterrupt):
        runai.map(noted, range(3), name="halted", chunksize=3)
    handle = runai.get("halted")
    engine.suspend(handle.id)
    engine.resume(handle.id)
    assert handle.result() == [0, 10, 20]
    assert (tmp_path / "called").read_text().split() == ["0", "1", "1", "2"]


def test_a_task_reads_its_own_items_alone(engine: Client, tmp_path: Path) -> None:
    class Noted:
        """Leaves a note of each process that loads it."""

        def __init__(self, number: int) -> None:
            self.number = number

        def __reduce__(self) -> tuple[object, ...]:
            return loaded, (self.number,)

    def loaded(number: int) -> int:
        with (tmp_path / "loaded").open("a") as file:
            file.write(f"{number} in {os.environ['RUNAI_TASK_INDEX']}\n")
        return number

    assert runai.map(abs, [Noted(number) for number in range(3)]) == [0, 1, 2]
    assert sorted((tmp_path / "loaded").read_text().splitlines()) == ["0 in 0", "1 in 1", "2 in 2"]


def test_a_retry_takes_what_has_no_result_yet(engine: Client, tmp_path: Path) -> None:
    def fails_once(x: int) -> int:
        with (tmp_path / "called").open("a") as file:
            file.write(f"{x}\n")
        if x == 1 and os.environ["RUNAI_RESTARTS"] == "0":
            raise OSError("not yet")
        return x

    assert runai.map(fails_once, range(3), retries=1, chunksize=3) == [0, 1, 2]
    assert (tmp_path / "called").read_text().split() == ["0", "1", "2", "1"]


def test_an_item_that_cannot_be_loaded_there_spoils_no_other(engine: Client) -> None:
    class Angry:
        def __reduce__(self) -> tuple[object, ...]:
            return int, ("no number",)

    spoiled, good = runai.map(abs, [Angry(), -1])
    assert isinstance(spoiled, runai.RemoteError)
    assert "'items[0]' could not be loaded here: ValueError" in str(spoiled)
    assert good == 1


def test_the_same_call_by_name_runs_once(engine: Client, tmp_path: Path) -> None:
    def counted(x: int) -> int:
        with (tmp_path / "called").open("a") as file:
            file.write(f"{x}\n")
        return 1 // x

    first = runai.map(counted, [1, 0], name="once")
    second = runai.map(counted, [1, 0], name="once", gpu=0.5)
    assert [repr(result) for result in first] == [repr(result) for result in second]
    assert sorted((tmp_path / "called").read_text().split()) == ["0", "1"]
    runai.map(counted, [1, 0, 3], name="once")
    assert sorted((tmp_path / "called").read_text().split()) == ["0", "0", "1", "1", "3"]


def test_one_that_was_stopped_says_so_and_is_followed_by_a_new_one(engine: Client, tmp_path: Path) -> None:
    def waits_for(path: Path) -> int:
        if not path.exists():
            os.kill(here, signal.SIGINT)
            signal.pause()
        return 1

    here, go = os.getpid(), tmp_path / "go"
    with pytest.raises(KeyboardInterrupt, match="halted goes on"):
        runai.map(waits_for, [go], name="halted")
    handle = runai.get("halted")
    until(engine, handle.id, running)
    handle.cancel()
    with pytest.raises(runai.RemoteError, match="halted stopped"):
        handle.result()
    go.touch()
    assert runai.map(waits_for, [go], name="halted") == [1]


def test_nothing_to_do_is_done_at_once(engine: Client) -> None:
    assert runai.map(abs, []) == []
    assert engine.list() == ()


def test_one_that_never_fits_says_so(engine: Client) -> None:
    with pytest.raises(InvalidRequest, match="it can never start here"):
        runai.map(abs, [1, 2], gpu=64)


def test_outside_a_notebook_progress_is_a_few_lines_of_text(engine: Client, capsys: pytest.CaptureFixture[str]) -> None:
    runai.map(abs, range(3), name="text")
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert lines[0].startswith("▸ text · waiting · 0 of 3 tasks done")
    assert lines[-1].startswith("✓ text · completed · 3 of 3 tasks done")
