"""`runai.submit`: a call becomes a workload, and its handle brings back what it returned or raised."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from pathlib import Path

import pytest

import jupyter_runai as runai
from jupyter_runai.client import Client
from scheduler_core.errors import InvalidRequest, NotFound
from scheduler_core.workload import Scale
from tests.helpers import kill_daemon, running, spec, until, until_said, waits

OURS = ("jupyter_runai/", "runner.py", "cloudpickle")


def until_there(path: Path) -> object:
    """A function that waits for a file; it travels by value, for over there nobody has these tests."""

    def waits(value: object) -> object:
        import time  # noqa: PLC0415

        while not path.exists():
            time.sleep(0.01)
        return value

    return waits


def test_it_returns_what_the_function_returned_from_a_process_of_its_own(engine: Client) -> None:
    def add(x: int, *, y: int) -> tuple[int, int, str]:
        print("adding")
        return x + y, os.getpid(), os.environ["RUNAI_GPU_PORTION"]

    handle = runai.submit(add, 2, kwargs={"y": 5}, gpu=0.5)
    total, pid, share = handle.result()
    assert (total, share) == (7, "0.5")
    assert pid != os.getpid()
    assert handle.logs() == "adding\n"
    assert (handle.done(), handle.state, handle.exception()) == (True, "completed", None)
    assert handle.name == "add-1"
    assert "add-1" in repr(handle) and "completed" in repr(handle)


def test_partials_and_coroutine_functions_are_called_too(engine: Client) -> None:
    async def late(x: int) -> int:
        await asyncio.sleep(0)
        return x

    def scaled(x: int, by: int) -> int:
        return x * by

    asked = [runai.submit(functools.partial(scaled, by=3), 2), runai.submit(late, 4)]
    assert [handle.result() for handle in asked] == [6, 4]


def test_what_it_raised_is_raised_here_with_the_remote_traceback_of_the_users_code(engine: Client) -> None:
    class Odd(ValueError):
        def __init__(self, one: int) -> None:
            super().__init__(f"odd {one}")
            self.one = one

        def __reduce__(self) -> tuple[object, ...]:
            return Odd, (self.one,)

    def deep(one: int) -> None:
        raise Odd(one)

    handle = runai.submit(lambda: deep(3))
    with pytest.raises(Odd, match="odd 3") as caught:
        handle.result()
    assert caught.value.one == 3
    assert isinstance(caught.value.__cause__, runai.RemoteError)
    told = str(caught.value.__cause__)
    assert "raise Odd(one)" in told and "in deep" in told and "odd 3" in told
    assert not any(part in told for part in OURS)
    assert isinstance(handle.exception(), Odd)
    assert handle.state == "failed"


def test_an_exception_that_cannot_be_had_here_is_a_remote_error(engine: Client) -> None:
    def raises() -> None:
        class Stuck(Exception):
            def __reduce__(self) -> tuple[object, ...]:
                return int, ("no number",)

        raise Stuck("only there")

    with pytest.raises(runai.RemoteError, match="only there") as caught:
        runai.submit(raises).result()
    assert caught.value.raised is not None
    assert caught.value.raised.type == "Stuck"
    assert "raise Stuck" in caught.value.raised.traceback


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "killed by SIGKILL"),
        (lambda: os._exit(7), "exit status 7"),
        (lambda: sys.exit(3), "SystemExit: 3"),
    ],
)
def test_a_process_that_ends_without_a_word_is_a_remote_error(engine: Client, ends: object, told: str) -> None:
    handle = runai.submit(ends)
    with pytest.raises(runai.RemoteError, match=told):
        handle.result()
    assert handle.state == "failed"


def test_a_value_that_cannot_be_pickled_there_says_so(engine: Client) -> None:
    def locked() -> object:
        import threading  # noqa: PLC0415

        return threading.Lock()

    with pytest.raises(runai.RemoteError, match="could not be brought back: cannot pickle"):
        runai.submit(locked).result()


def test_workers_find_each_other_and_the_first_one_answers(engine: Client) -> None:
    def ranks() -> tuple[str, ...]:
        from pathlib import Path as Folder  # noqa: PLC0415

        shared = Folder(os.environ["RUNAI_CHECKPOINT_DIR"])
        (shared / os.environ["RANK"]).touch()
        while len(list(shared.iterdir())) < int(os.environ["WORLD_SIZE"]):
            pass
        return os.environ["RANK"], os.environ["WORLD_SIZE"], os.environ["PET_NNODES"]

    handle = runai.submit(ranks, gpu=0.25, workers=3)
    assert handle.result() == ("0", "3", "3")
    assert handle.workload.tasks == 3


def test_what_any_worker_raised_is_raised_here(engine: Client) -> None:
    def fails_elsewhere() -> None:
        if os.environ["RANK"] == "1":
            raise KeyError("of the second")
        signal.pause()

    handle = runai.submit(fails_elsewhere, workers=2)
    with pytest.raises(KeyError, match="of the second"):
        handle.result()


def test_a_timeout_ends_the_waiting_alone(engine: Client, tmp_path: Path) -> None:
    go = tmp_path / "go"
    handle = runai.submit(until_there(go), 5)
    with pytest.raises(TimeoutError, match="it goes on"):
        handle.result(timeout=0)
    assert handle.wait(timeout=0) is False
    go.touch()
    assert handle.wait() is True
    assert handle.result(timeout=0) == 5


def test_awaiting_leaves_the_loop_to_others(engine: Client, tmp_path: Path) -> None:
    go = tmp_path / "go"

    async def both() -> tuple[object, object]:
        handles = [runai.submit(until_there(go), number) for number in (1, 2)]

        async def open_the_gate() -> None:
            await asyncio.sleep(0)
            go.touch()

        first, second, _ = await asyncio.gather(*handles, open_the_gate())
        return first, second

    assert asyncio.run(both()) == (1, 2)


def test_awaiting_raises_what_the_function_raised(engine: Client) -> None:
    async def waits() -> None:
        await runai.submit(list.index, [], 1)

    with pytest.raises(ValueError, match="1 is not in list"):
        asyncio.run(waits())


def test_one_that_never_fits_says_so_and_is_withdrawn(engine: Client) -> None:
    handle = runai.submit(print, gpu=64)
    with pytest.raises(InvalidRequest, match="asks for 64 devices and there are 2: it can never start here"):
        handle.result()
    assert handle.state == "stopped"
    with pytest.raises(InvalidRequest, match="never start here"):
        asyncio.run(_awaited(handle))


async def _awaited(handle: runai.Handle[object]) -> object:
    return await handle


def test_it_can_be_cancelled_and_resized(engine: Client) -> None:
    handle = runai.submit(signal.pause, gpu=0.5)
    until(engine, handle.id, running)
    assert handle.resize(gpu=0.25).applied == "now"
    assert handle.workload.request.portion_milli == 250
    assert handle.cancel() is True
    with pytest.raises(runai.RemoteError, match=f"{handle.name} stopped"):
        handle.result()
    assert handle.cancel() is False


def test_it_can_be_scaled(engine: Client) -> None:
    holder = runai.submit(signal.pause, gpu=2)
    until(engine, holder.id, running)
    waiting = runai.submit(os.getenv, "WORLD_SIZE", gpu=0.5, workers=2)
    until(engine, waiting.id, waits)
    assert waiting.scale(workers=3).applied == "now"
    holder.cancel()
    assert waiting.result() == "3"
    assert waiting.workload.tasks == 3
    elastic = runai.submit(signal.pause, gpu=0.25, workers=2)
    until(engine, elastic.id, running)
    assert elastic.scale(workers="1:4").applied == "next_start"
    assert elastic.workload.next_scale == Scale(tasks=4, min_tasks=1)
    for wrong in (0, "4:2", "many", True):
        with pytest.raises(InvalidRequest, match=r"^workers: .* not |^workers: the fewest"):
            elastic.scale(workers=wrong)
    elastic.cancel()


def test_get_finds_it_by_id_and_by_name(engine: Client) -> None:
    handle = runai.submit(abs, -3, name="mine")
    assert runai.get("mine").result() == runai.get(handle.id).result() == 3
    with pytest.raises(NotFound, match="Did you mean mine"):
        runai.get("mien")


def test_an_interrupt_ends_the_waiting_alone_and_says_how_to_go_on(engine: Client, tmp_path: Path) -> None:
    go, here = tmp_path / "go", os.getpid()

    def interrupts() -> str:
        os.kill(here, signal.SIGINT)
        while not go.exists():
            signal.sigtimedwait([], 0.01)
        return "went on"

    handle = runai.submit(interrupts, name="night")
    with pytest.raises(KeyboardInterrupt, match=r"night goes on. runai.get\('night'\).result\(\)"):
        handle.result()
    assert not handle.done()
    go.touch()
    assert runai.get("night").result() == "went on"


def test_a_workload_that_is_no_call_is_refused(engine: Client) -> None:
    workload = engine.submit(spec())
    with pytest.raises(InvalidRequest, match="is no call of a function"):
        runai.get(workload.id).result()


def test_what_it_prints_can_be_read_while_it_runs(engine: Client) -> None:
    def says() -> None:
        print("up")
        signal.pause()

    handle = runai.submit(says)
    until_said(engine, handle.id, "up\n")
    assert handle.logs() == "up\n"
    handle.cancel()


def test_many_are_waited_for_at_once_each_to_its_own_end(engine: Client, tmp_path: Path) -> None:
    gates = [tmp_path / str(number) for number in range(6)]
    handles = [runai.submit(until_there(gate), gate.name) for gate in gates]

    async def in_turn() -> list[object]:
        waiting = [asyncio.ensure_future(_awaited(handle)) for handle in handles]
        results = []
        for gate, awaited in zip(reversed(gates), reversed(waiting), strict=True):
            gate.touch()
            results.append(await awaited)
        return results

    assert asyncio.run(in_turn()) == ["5", "4", "3", "2", "1", "0"]


def test_waiting_outlives_the_engines_daemon(engine: Client, tmp_path: Path) -> None:
    go = tmp_path / "go"
    handle = runai.submit(until_there(go), "went on")
    until(engine, handle.id, running)
    waiting = engine.settled(handle.id)
    kill_daemon(engine)
    go.touch()
    assert waiting.result().state == "completed"
    assert handle.result() == "went on"


def test_one_that_is_stopped_meanwhile_or_deleted_is_not_waited_for(engine: Client) -> None:
    handle = runai.submit(signal.pause)
    until(engine, handle.id, running)

    async def deleted() -> None:
        waiting = asyncio.ensure_future(_awaited(handle))
        await asyncio.sleep(0)
        await asyncio.to_thread(handle.cancel)
        with pytest.raises(runai.RemoteError, match="stopped"):
            await waiting

    asyncio.run(deleted())
    engine.delete(handle.id, purge=True)
    with pytest.raises(NotFound):
        handle.wait()
