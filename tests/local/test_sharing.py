"""What holds a share: MPS in both its versions, framework caps, the watchdog. The driver and MPS are fakes."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from jupyter_runai.verbs.line import run_verb
from jupyter_runai.verbs.options import verb_parsers
from scheduler_core.errors import EngineUnavailable
from scheduler_core.model import TaskRequest
from scheduler_core.workload import Workload
from tests.driver import GIB, Driver
from tests.helpers import UNTIL_STOPPED, kill_daemon, outcome, running, spec, until, until_said

FAKE_MPS = Path(__file__).parents[1] / "fake_mps"
SAYS_ITS_LIMITS = """
import os, signal
print(*(os.environ.get(name, '-') for name in (
    'CUDA_MPS_PIPE_DIRECTORY', 'CUDA_MPS_PINNED_DEVICE_MEM_LIMIT', 'CUDA_MPS_ACTIVE_THREAD_PERCENTAGE')), flush=True)
signal.pause()
"""
GIVES_IN_TO_NOTHING = """
import os, signal
signal.signal(signal.SIGINT, lambda *_: print('interrupted', flush=True))
print(os.getpid(), flush=True)
while True:
    signal.pause()
"""
IGNORES_SIGTERM = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), flush=True)
while True:
    signal.pause()
"""


class Service:
    """The fake service's state."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "newest").write_text("3")

    def speaks(self, newest: int) -> None:
        (self._folder / "newest").write_text(str(newest))

    def forgets(self) -> None:
        (self._folder / "forgets").touch()

    def has_client(self, pid: int, device: str) -> None:
        with (self._folder / "clients").open("a") as clients:
            clients.write(f"{pid} {device}\n")

    def last_call(self, beginning: str) -> str:
        """The last call, as soon as it begins so."""
        while not (call := self.calls()[-1]).startswith(beginning):
            pass
        return call

    def calls(self) -> list[str]:
        return (self._folder / "calls").read_text().splitlines()


@pytest.fixture
def service(driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    folder = tmp_path / "mps"
    folder.mkdir()
    # The engine gives the control program no more of its environment than it needs, as with the real one.
    program = folder / "nvidia-cuda-mps-control"
    program.write_bytes((FAKE_MPS / "nvidia-cuda-mps-control").read_bytes())
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return Service(folder)


@pytest.fixture
def client(on_devices: Client) -> Client:
    return on_devices


def first_line(client: Client, workload: Workload) -> str:
    said = b""
    for update in client.follow(workload.id):
        said += update if isinstance(update, bytes) else b""
        if b"\n" in said:
            break
    return said.partition(b"\n")[0].decode()


def level(workload: Workload) -> tuple[str, str, str]:
    assert workload.allocation is not None
    held = workload.allocation.enforcement
    return (held.level, held.memory, held.compute)


def test_a_share_is_held_by_a_namespace_of_its_own(service: Service, client: Client, engine_directory: Path) -> None:
    workload = client.submit(spec(SAYS_ITS_LIMITS, gpu="0.25"))
    pipe, memory, compute = first_line(client, workload).split()
    assert Path(pipe).is_relative_to(engine_directory / "mps")
    assert Path(pipe).name == f"t{workload.id}_0"
    assert (memory, compute) == ("-", "-")
    assert level(until(client, workload.id, running)) == ("mps-v3", "hard", "hard")
    server = Path(pipe).parent.name
    assert f"server create {server} --allowed-devices=GPU-aaaa" in service.calls()
    limits = "--pinned-memory-limit=20480M --active-thread-percentage=25"
    assert f"namespace set {Path(pipe).name} --server={server} {limits}" in service.calls()
    client.stop(workload.id)
    outcome(client, workload.id)
    service.last_call("server delete")
    deleted = [call for call in service.calls() if " delete " in call]
    assert deleted == [f"namespace delete {Path(pipe).name} --server={server}", f"server delete {server}"]


def test_an_older_driver_takes_the_limits_from_the_client(service: Service, client: Client) -> None:
    service.speaks(2)
    first, second = [client.submit(spec(SAYS_ITS_LIMITS, gpu="0.5")) for _ in range(2)]
    pipe, memory, compute = first_line(client, first).split()
    assert (memory, compute) == ("GPU-aaaa=40960M", "50")
    assert first_line(client, second).split()[0] == pipe
    assert level(until(client, first.id, running)) == ("mps-v2", "hard", "hard")
    client.stop(first.id)
    outcome(client, first.id)
    assert "quit" not in service.calls()
    client.stop(second.id)
    outcome(client, second.id)
    assert service.last_call("quit")


@pytest.mark.parametrize("newest", [3, 2])
def test_a_service_that_forgets_what_it_was_told_holds_nothing(service: Service, client: Client, newest: int) -> None:
    service.speaks(newest)
    service.forgets()
    workload = client.submit(spec(SAYS_ITS_LIMITS, gpu="0.25"))
    assert first_line(client, workload) == "- - -"
    assert level(until(client, workload.id, running)) == ("framework", "soft", "none")


def test_the_service_stays_for_who_is_being_taken_in_while_the_last_goes(service: Service, client: Client) -> None:
    """One after the other on one device, each submitted as the one before is told to stop: no pipe is ever dead."""
    before = client.submit(spec(UNTIL_STOPPED, gpu="0.25"))
    until(client, before.id, running)
    for _ in range(5):
        client.stop(before.id)
        after = client.submit(spec(UNTIL_STOPPED, gpu="0.25"))
        assert level(until(client, after.id, running))[0] == "mps-v3"
        outcome(client, before.id)
        before = after
    made = [
        call for call in service.calls() if call.startswith(("namespace create", "namespace delete", "server delete"))
    ]
    there: set[str] = set()
    for call in made:
        noun, verb, name = call.split()[:3]
        if (noun, verb) == ("server", "delete"):
            assert there == set(), made
        elif noun == "namespace":
            there = there | {name} if verb == "create" else there - {name}


def test_whole_devices_need_no_service(service: Service, client: Client) -> None:
    workload = client.submit(spec(SAYS_ITS_LIMITS, gpu=1))
    assert first_line(client, workload) == "- - -"
    assert level(until(client, workload.id, running)) == ("device", "hard", "hard")


def test_a_process_that_goes_past_the_service_is_seen(service: Service, client: Client, driver: Driver) -> None:
    inside, outside = [client.submit(spec(GIVES_IN_TO_NOTHING, gpu="0.25", grace_s=0.5)) for _ in range(2)]
    pids = [int(first_line(client, workload)) for workload in (inside, outside)]
    service.has_client(pids[0], "GPU-aaaa")
    for pid in pids:
        driver.process(0, pid, GIB)
    said = until_said(client, outside.id, "does not go through MPS")
    assert f"process {pids[1]} does not" in said
    assert level(until(client, outside.id, running))[0] == "framework"
    assert level(until(client, inside.id, running))[0] == "mps-v3"
    for workload in (inside, outside):
        client.stop(workload.id)
        outcome(client, workload.id)
    service.last_call("server delete")
    assert [call.split()[0] for call in service.calls() if " delete " in call] == ["namespace", "namespace", "server"]


@pytest.mark.parametrize("newest", [3, 2])
def test_a_client_leaves_the_service_before_it_is_killed(service: Service, client: Client, newest: int) -> None:
    service.speaks(newest)
    workload = client.submit(spec(IGNORES_SIGTERM, gpu="0.25", grace_s=0.2))
    pid = int(first_line(client, workload))
    service.has_client(pid, "GPU-aaaa")
    client.stop(workload.id)
    assert outcome(client, workload.id)[0].state == "stopped"
    assert {f"client terminate {pid}", f"terminate_client 4711 {pid}"} & set(service.calls())


def test_the_next_daemon_goes_on_with_the_same_service(service: Service, client: Client) -> None:
    first = client.submit(spec(UNTIL_STOPPED, gpu="0.25"))
    until(client, first.id, running)
    kill_daemon(client)
    again = Client()
    second = again.submit(spec(UNTIL_STOPPED, gpu="0.25"))
    assert level(until(again, second.id, running))[0] == "mps-v3"
    assert service.calls().count("-d -p 3") == 1
    for workload in (first, second):
        again.stop(workload.id)
        outcome(again, workload.id)
    assert service.last_call("server delete ")
    again.close()


def test_a_namespace_is_given_other_limits_while_it_is_in_use(service: Service, client: Client, driver: Driver) -> None:
    workload = client.submit(spec(GIVES_IN_TO_NOTHING, gpu="0.25", grace_s=0.5))
    pid = int(first_line(client, workload))
    service.has_client(pid, "GPU-aaaa")
    until(client, workload.id, running)
    answer = client.resize(workload.id, TaskRequest(gpu="0.5"))
    assert (answer.applied, level(answer.workload)[0]) == ("now", "mps-v3")
    limits = [call for call in service.calls() if call.startswith("namespace set")]
    assert limits[-1].endswith("--pinned-memory-limit=40960M --active-thread-percentage=50")
    driver.process(0, pid, 30 * GIB)
    while client.devices()[0].used_mib != 30 * GIB:
        pass
    answer = client.resize(workload.id, TaskRequest(gpu="0.25"))
    assert (answer.applied, answer.reason) == ("next_start", "it uses more device memory than that")
    assert client.resize(workload.id, TaskRequest(gpu="0.4")).applied == "now"


def test_a_resize_that_cannot_be_written_down_is_undone(
    service: Service, client: Client, engine_directory: Path
) -> None:
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.25"))
    until(client, workload.id, running)
    with closing(sqlite3.connect(engine_directory / "real" / "store.sqlite")) as store, store:
        store.execute("CREATE TRIGGER full BEFORE INSERT ON workloads BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(EngineUnavailable):
        client.resize(workload.id, TaskRequest(gpu="0.5"))
    limits = [call for call in service.calls() if call.startswith("namespace set")]
    assert [call.rpartition("=")[2] for call in limits] == ["25", "50", "25"]
    assert [holder.portion_milli for holder in client.devices()[0].holders] == [250]
    with closing(sqlite3.connect(engine_directory / "real" / "store.sqlite")) as store, store:
        store.execute("DROP TRIGGER full")


def test_caps_of_frameworks_are_set_when_a_process_starts(client: Client) -> None:
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.25"))
    until(client, workload.id, running)
    answer = client.resize(workload.id, TaskRequest(gpu="0.5"))
    assert (answer.applied, answer.reason) == ("next_start", "what holds its share is set when it starts")


def test_the_verb_says_when_it_is_so(client: Client, service: Service) -> None:
    def resize(amount: str) -> str:
        return run_verb(client, "resize", verb_parsers("%runai")["resize"].parse(["mine", "--gpu", amount]))

    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.25", name="mine"))
    until(client, workload.id, running)
    assert resize("0.5") == "mine has 0.5 now."
    assert resize("2").startswith("mine asks for 2 from its next start on: only a share")


def test_what_a_task_submits_has_limits_of_its_own(service: Service, client: Client) -> None:
    """A whole device asked for from within a share is not capped as the share is, nor does it bear its mark."""
    inner = "import os; print(sorted(name for name in os.environ if name[:9] in ('CUDA_MPS_', 'RUNAI_CAP')))"
    code = (
        "from jupyter_runai.client import Client; from tests.helpers import outcome, spec;"
        f"print(outcome(Client(), Client().submit(spec({inner!r}, gpu=1)).id)[1])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    outer = client.submit(spec(code, gpu="0.25", env=environment))
    assert outcome(client, outer.id)[1].strip() == "[]"


def test_a_daemon_that_a_task_has_started_outlives_it(client: Client, engine_directory: Path) -> None:
    code = (
        "import asyncio; from scheduler_core.local import LocalEngine; asyncio.run(LocalEngine().shutdown());"
        "print(asyncio.run(LocalEngine().info()).pid)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    workload = client.submit(spec(code, gpu="0.25", env=environment))
    ended, output = outcome(client, workload.id)
    assert (ended.state, client.info().pid) == ("completed", int(output))


def test_what_takes_more_than_its_share_is_warned_interrupted_and_stopped(
    strict: None, client: Client, driver: Driver
) -> None:
    workload = client.submit(spec(GIVES_IN_TO_NOTHING, gpu="0.25", grace_s=0.5))
    driver.process(0, int(first_line(client, workload)), 30 * GIB)
    ended, output = outcome(client, workload.id)
    excess = "30.0 GB of device memory are used, the share is 20.0 GB"
    assert (ended.state, ended.reason) == ("stopped", f"{excess}: stopped")
    assert output.splitlines()[1:] == [
        f"runai: {excess}. It is interrupted in 0.5 s, and stopped 0.5 s later, if it keeps that.",
        f"runai: {excess}. It is interrupted (SIGINT).",
        "interrupted",
        f"runai: {excess}. It is stopped.",
    ]


def test_what_gives_back_in_time_goes_on(strict: None, client: Client, driver: Driver) -> None:
    workload = client.submit(spec(GIVES_IN_TO_NOTHING, gpu="0.25", grace_s=0.5))
    before = driver.path.read_text()
    driver.process(0, int(first_line(client, workload)), 30 * GIB)
    until_said(client, workload.id, "It is interrupted in")
    driver.write(before)
    until_said(client, workload.id, "within its share again")
    assert client.find(workload.id).state == "running"


def test_a_little_more_is_let_be(strict: None, client: Client, driver: Driver) -> None:
    kept, watched = [client.submit(spec(GIVES_IN_TO_NOTHING, gpu="0.25", grace_s=0.5)) for _ in range(2)]
    driver.process(0, int(first_line(client, kept)), 20 * GIB + 50)
    driver.process(0, int(first_line(client, watched)), 30 * GIB)
    outcome(client, watched.id)
    assert "runai" not in b"".join(client.logs(kept.id)).decode()
    assert client.find(kept.id).state == "running"


def test_who_runs_on_a_device_that_is_lost_is_told_once(client: Client, driver: Driver) -> None:
    lost, other = [client.submit(spec(GIVES_IN_TO_NOTHING, gpu=1, grace_s=0.5)) for _ in range(2)]
    for workload in (lost, other):
        until(client, workload.id, running)
    driver.write(driver.path.read_text().replace("37 ok", "37 lost"))
    until_said(client, lost.id, "device 0 (GPU-aaaa) does not answer any more")
    second_reading = len(client.measurements(other.id, "second")) + 2
    while len(client.measurements(other.id, "second")) < second_reading:
        pass
    assert b"".join(client.logs(lost.id)).count(b"runai:") == 1
    assert b"runai:" not in b"".join(client.logs(other.id))
