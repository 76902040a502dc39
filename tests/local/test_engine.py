"""The engine port on one machine, through its client and real processes."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from jupyter_runai.client import Client
from scheduler_core.errors import Conflict, InvalidRequest, NotFound
from scheduler_core.local.machine.identity import start_of
from scheduler_core.model import TaskRequest
from scheduler_core.workload import EngineState, WorkloadChanged
from tests.helpers import UNTIL_STOPPED, kill_daemon, outcome, running, spec, until, waits


def test_a_workload_runs_and_its_end_is_recorded(client: Client) -> None:
    workload = client.submit(spec("print('hello'); raise SystemExit(3)", gpu="0.5"))
    ended, output = outcome(client, workload.id)
    assert (ended.state, ended.exit_code, ended.reason) == ("failed", 3, "exit status 3")
    assert output == "hello\n"
    assert b"".join(client.logs(workload.id)) == b"hello\n"


def test_it_runs_in_its_own_directory_environment_and_session(client: Client, tmp_path: Path) -> None:
    code = "import os; print(os.getcwd(), os.environ['MINE'], 'JUPYTER_TOKEN' in os.environ, os.getsid(0))"
    environment = {"MINE": "yes", "JUPYTER_TOKEN": "secret", "JPY_SESSION_NAME": "x"}
    workload = client.submit(spec(code, cwd=str(tmp_path), env=environment))
    _, output = outcome(client, workload.id)
    folder, mine, token, session = output.split()
    assert (folder, mine, token) == (str(tmp_path), "yes", "False")
    assert int(session) != os.getsid(0)


def test_two_halves_share_one_device_and_a_third_waits_for_it(client: Client) -> None:
    halves = [client.submit(spec(UNTIL_STOPPED, gpu="0.5")) for _ in range(2)]
    held = [until(client, half.id, running).allocation for half in halves]
    assert held[0] is not None and held[1] is not None
    assert held[0].devices[0].id == held[1].devices[0].id
    whole = client.submit(spec(UNTIL_STOPPED, gpu=2))
    verdict = until(client, whole.id, waits).verdict
    assert verdict is not None
    assert verdict.message
    assert verdict.position == 1
    for half in halves:
        client.stop(half.id)
    assert until(client, whole.id, running).allocation is not None


def test_a_share_and_a_size_that_never_fit_say_so(client: Client) -> None:
    for request in (TaskRequest(gpu=3), TaskRequest(gpu_memory_mib=100_000)):
        verdict = client.preview(spec(request=request))
        assert verdict.code == "never_fits", verdict
    assert client.list() == ()


def test_memory_is_given_exactly(client: Client) -> None:
    third = TaskRequest(gpu_memory_mib=80 * 1024 // 4)
    workloads = [client.submit(spec(UNTIL_STOPPED, request=third)) for _ in range(4)]
    devices = {until(client, workload.id, running).allocation.devices[0].id for workload in workloads}  # type: ignore[union-attr]
    assert len(devices) == 1


@pytest.mark.parametrize("own_session", [False, True])
def test_stopping_ends_the_process_and_whatever_it_started(client: Client, own_session: bool) -> None:
    code = (
        f"import subprocess; child = subprocess.Popen(['/bin/sleep', '1000'], start_new_session={own_session});"
        "print(child.pid, flush=True); child.wait()"
    )
    workload = client.submit(spec(code, gpu="0.5"))
    updates = client.follow(workload.id)
    child = int(next(update for update in updates if isinstance(update, bytes)))
    client.stop(workload.id)
    ended, _ = outcome(client, workload.id)
    assert ended.state == "stopped"
    assert start_of(child) is None


def test_a_process_that_will_not_go_is_killed_after_its_grace(client: Client) -> None:
    code = "import signal as s; s.signal(s.SIGTERM, s.SIG_IGN); print('up', flush=True)\nwhile True: s.pause()"
    workload = client.submit(spec(code, grace_s=0.2))
    next(update for update in client.follow(workload.id) if isinstance(update, bytes))
    client.stop(workload.id)
    ended, _ = outcome(client, workload.id)
    assert (ended.state, ended.exit_code) == ("stopped", -9)


def test_stopping_a_waiting_one_and_an_ended_one(client: Client) -> None:
    blocker = client.submit(spec(UNTIL_STOPPED, gpu=2))
    until(client, blocker.id, running)
    waiting = client.submit(spec(gpu=1))
    assert client.stop(waiting.id).state == "stopped"
    assert client.stop(waiting.id).state == "stopped"
    with pytest.raises(Conflict):
        client.delete(blocker.id)
    client.delete(waiting.id)
    with pytest.raises(NotFound):
        client.find(waiting.id)


def test_submitting_twice_with_one_key_runs_once(client: Client) -> None:
    first = client.submit(spec(key="k"))
    outcome(client, first.id)
    assert client.submit(spec(key="k")).id == first.id
    assert len(client.list()) == 1


def test_submitting_at_once_with_one_key_runs_once(client: Client) -> None:
    same = spec(key="k")
    started = [client._runtime.spawn(client._engine.submit(same)) for _ in range(8)]
    assert len({workload.result().id for workload in started}) == 1
    assert len(client.list()) == 1


def test_stopping_at_once_leaves_nothing_booked(client: Client) -> None:
    for _ in range(10):
        workload = client.submit(spec(UNTIL_STOPPED, gpu=2, grace_s=0))
        client.stop(workload.id)
        assert outcome(client, workload.id)[0].state == "stopped"
    assert outcome(client, client.submit(spec(gpu=2)).id)[0].state == "completed"


def test_a_pipe_that_breaks_ends_its_writer(client: Client) -> None:
    workload = client.submit(replace(spec(), command=("/bin/sh", "-c", "yes | head -1")))
    assert outcome(client, workload.id)[1] == "y\n"


def test_tokens_are_not_even_stored(client: Client, simulated: Path) -> None:
    workload = client.submit(spec(env={"JUPYTERHUB_API_TOKEN": "very-secret", "MINE": "kept-value"}))
    outcome(client, workload.id)
    stored = b"".join(path.read_bytes() for path in simulated.rglob("*") if path.is_file())
    assert b"kept-value" in stored
    assert b"very-secret" not in stored


def test_a_program_that_cannot_start_says_why(client: Client) -> None:
    workload = client.submit(replace(spec(), command=("/no/such/python",)))
    ended, output = outcome(client, workload.id)
    assert (ended.state, output) == ("failed", "")
    assert "No such file" in ended.reason


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cwd": "/no/such/folder"}, "does not exist"),
        ({"cwd": "/" + "x" * 5000}, "does not exist"),
        ({"cwd": "."}, "not an absolute path"),
        ({"queue": "vision"}, "no project 'vision'"),
        ({"env": {"A": "\0"}}, "holds a NUL character"),
        ({"env": {"A=B": "1"}}, "holds '='"),
    ],
)
def test_what_cannot_be_is_refused_whole(client: Client, fields: dict[str, Any], message: str) -> None:
    with client.staging() as folder:
        (folder / "values.pickle").write_bytes(b"x")
        with pytest.raises(InvalidRequest, match=message):
            client.submit(spec(**fields), folder)
    assert client.list() == ()
    assert not folder.exists()


def test_inputs_are_taken_over_without_a_copy(client: Client) -> None:
    with client.staging() as folder:
        (folder / "data").write_text("travelled")
        inode = (folder / "data").stat().st_ino
        code = "import os; p = os.environ['RUNAI_INPUTS'] + '/data'; print(open(p).read(), os.stat(p).st_ino)"
        workload = client.submit(spec(code), folder)
    _, output = outcome(client, workload.id)
    assert output.split() == ["travelled", str(inode)]


@pytest.mark.parametrize("gpu", [None, 64], ids=["after it ran", "where it never started"])
def test_inputs_go_with_the_end_of_their_workload(client: Client, simulated: Path, gpu: int | None) -> None:
    with client.staging() as folder:
        (folder / "values.pickle").write_bytes(b"x" * 1000)
        workload = client.submit(spec(UNTIL_STOPPED, gpu=gpu, grace_s=0), folder)
    inputs = simulated / "simulated" / "workloads" / workload.id / "inputs"
    until(client, workload.id, running if gpu is None else waits)
    assert (inputs / "values.pickle").exists()
    client.stop(workload.id)
    outcome(client, workload.id)
    until_gone(inputs)
    # One that ended as its daemon did is seen to by the next.
    inputs.mkdir()
    kill_daemon(client)
    assert client.get(workload.id).has_ended
    until_gone(inputs)


def until_gone(path: Path) -> None:
    deadline = time.monotonic() + 60
    while path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_events_number_every_change_and_resume_where_they_were(client: Client) -> None:
    seen = []
    done = threading.Event()

    async def watch() -> None:
        async for event in client._engine.watch():
            seen.append(event)
            if isinstance(event, WorkloadChanged) and event.workload.has_ended:
                done.set()
                return

    watching = client._runtime.spawn(watch())
    client.submit(spec())
    assert done.wait(30)
    watching.result()
    assert isinstance(seen[0], EngineState)
    assert [event.seq for event in seen] == list(range(seen[0].seq, seen[0].seq + len(seen)))

    async def first_after(seq: int) -> object:
        async for event in client._engine.watch((seen[0].epoch, seq)):
            return event
        return None

    assert client._runtime.run(first_after(seen[0].seq)) == seen[1]
    assert isinstance(client._runtime.run(first_after(10**6)), EngineState)


def test_everything_on_disk_is_private(client: Client, simulated: Path) -> None:
    workload = client.submit(spec("import os; open(os.environ['RUNAI_RESULTS'] + '/r', 'w').write('x')", gpu="0.5"))
    outcome(client, workload.id)
    assert stat.S_IMODE(simulated.stat().st_mode) == 0o700
    assert stat.S_IMODE(next(simulated.glob("engine-*.sock")).stat().st_mode) == 0o600
    launch = simulated / "simulated" / "workloads" / workload.id / "launch"
    for path in (launch, launch.with_name("output.log"), simulated / "simulated" / "store.sqlite"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(launch.parent.stat().st_mode) == 0o700


def test_an_engine_is_wholly_real_or_wholly_simulated(client: Client) -> None:
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.5"))
    until(client, workload.id, running)
    with pytest.raises(Conflict, match="have not ended"):
        client.simulate("4xH100-80GB")
    client.stop(workload.id)
    outcome(client, workload.id)
    assert client.simulate("4xH100-80GB").simulated == "4xH100-80GB"
    assert len(client.devices()) == 4
    assert all(device.simulated for device in client.devices())
    with pytest.raises(InvalidRequest, match="written like"):
        client.simulate("lots")
