"""The daemon: started on demand, one a directory, and never the end of a workload."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import venv
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from jupyter_runai.client import Client
from scheduler_core.errors import EngineUnavailable
from scheduler_core.local import LocalEngine
from scheduler_core.local.machine.identity import Process, start_of
from scheduler_core.local.record.runs import ended
from scheduler_core.local.wire.protocol import PROTOCOL
from tests.helpers import kill_daemon, outcome, running, spec, until

ROOT = Path(__file__).parents[2]
SUPERVISOR = ROOT / "scheduler_core" / "local" / "record" / "supervisor.py"
ON_GO = """
import os, sys
print('before', flush=True)
with open(os.environ['GO']) as go:
    go.read()
print('after', flush=True)
sys.exit(5)
"""


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """A named pipe: a workload that reads it goes on when the test writes it."""
    path = tmp_path / "go"
    os.mkfifo(path)
    return path


def test_a_workload_outlives_a_killed_daemon_and_the_next_one_records_its_end(client: Client, go: Path) -> None:
    workload = client.submit(spec(ON_GO, gpu="0.5", env={"GO": str(go)}))
    until(client, workload.id, running)
    first = client.info().pid
    kill_daemon(client)
    again = Client()
    assert [(known.id, known.state) for known in again.list()] == [(workload.id, "running")]
    assert again.info().pid != first
    updates = again.follow(workload.id)
    assert next(update for update in updates if isinstance(update, bytes)) == b"before\n"
    go.write_text("go")
    last, output = outcome(again, workload.id)
    assert (last.state, last.exit_code, output) == ("failed", 5, "before\nafter\n")
    assert all(device.holders == () for device in again.devices())


def test_following_goes_on_across_a_killed_daemon(client: Client, go: Path) -> None:
    workload = client.submit(spec(ON_GO, gpu="0.5", env={"GO": str(go)}))
    updates = client.follow(workload.id)
    output = next(update for update in updates if isinstance(update, bytes))
    kill_daemon(client)
    go.write_text("go")
    output += b"".join(update for update in updates if isinstance(update, bytes))
    assert output == b"before\nafter\n"


def test_an_end_without_a_daemon_is_recorded_by_the_next(client: Client, simulated: Path, go: Path) -> None:
    workload = client.submit(spec(ON_GO, env={"GO": str(go)}))
    until(client, workload.id, running)
    kill_daemon(client)
    claimed = simulated / "simulated" / "workloads" / workload.id / "claimed"
    supervisor = int(claimed.read_text().split()[0])
    process = Process(supervisor, start_of(supervisor) or "")
    go.write_text("go")
    asyncio.run(ended(process))
    last, _ = outcome(Client(), workload.id)
    assert (last.state, last.exit_code) == ("failed", 5)


def test_a_pid_that_was_used_again_is_left_alone(client: Client, simulated: Path, go: Path) -> None:
    workload = client.submit(spec(ON_GO, env={"GO": str(go)}))
    until(client, workload.id, running)
    kill_daemon(client)
    claimed = simulated / "simulated" / "workloads" / workload.id / "claimed"
    pid, start = claimed.read_text().split()
    go.write_text("go")
    asyncio.run(ended(Process(int(pid), start)))
    stranger = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
    claimed.write_text(f"{stranger.pid}\n{start}\n")
    again = Client()
    assert outcome(again, workload.id)[0].exit_code == 5
    again.stop(workload.id)
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_killed_supervisor_takes_its_workload_along(client: Client, simulated: Path) -> None:
    workload = client.submit(spec("import os, signal; print(os.getpid(), flush=True); signal.pause()", gpu="0.5"))
    pid = int(next(update for update in client.follow(workload.id) if isinstance(update, bytes)))
    claimed = simulated / "simulated" / "workloads" / workload.id / "claimed"
    os.kill(int(claimed.read_text().split()[0]), signal.SIGKILL)
    last, _ = outcome(client, workload.id)
    assert (last.state, last.reason) == ("failed", "its supervisor was killed")
    assert start_of(pid) is None
    assert all(device.holders == () for device in client.devices())


def age(simulated: Path, workload_id: str, field: str) -> None:
    """Make the engine, which has left, believe that this happened two weeks earlier."""
    with closing(sqlite3.connect(simulated / "simulated" / "store.sqlite")) as store, store:
        (stored,) = store.execute("SELECT record FROM workloads WHERE id = ?", (workload_id,)).fetchone()
        record = msgspec.json.decode(stored)
        record["workload"][field] -= 15 * 24 * 3600
        store.execute("UPDATE workloads SET record = ? WHERE id = ?", (msgspec.json.encode(record), workload_id))


def test_what_ended_two_weeks_ago_is_deleted_and_two_weeks_later_gone(client: Client, simulated: Path) -> None:
    old, recent = (client.submit(spec(name=name)) for name in ("old", "recent"))
    for workload in (old, recent):
        outcome(client, workload.id)
    asyncio.run(LocalEngine().shutdown())
    age(simulated, old.id, "ended")
    again = Client()
    while [workload.id for workload in again.list(deleted=True)] != [old.id]:
        pass
    assert [workload.id for workload in again.list()] == [recent.id]
    folder = simulated / "simulated" / "workloads"
    assert {path.name for path in folder.iterdir()} == {old.id, recent.id}
    again.restore(old.id)
    asyncio.run(LocalEngine().shutdown())
    assert {workload.id for workload in again.list()} == {old.id, recent.id}
    again.delete(old.id)
    asyncio.run(LocalEngine().shutdown())
    age(simulated, old.id, "deleted")
    while again.list(deleted=True):
        pass
    assert [path.name for path in folder.iterdir()] == [recent.id]
    again.close()


def test_a_run_is_supervised_once(client: Client, simulated: Path) -> None:
    workload = client.submit(spec("print('once')"))
    outcome(client, workload.id)
    run = simulated / "simulated" / "workloads" / workload.id
    second = subprocess.run(
        [sys.executable, "-I", "-S", SUPERVISOR, run, run / "output.log"], check=False, capture_output=True
    )
    assert (second.returncode, second.stdout) == (3, b"")
    assert (run / "output.log").read_text() == "once\n"


def test_engines_of_one_user_do_not_take_each_others_socket(
    client: Client, engine_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two data directories, as with an editor in a sandbox, and one runtime directory."""
    monkeypatch.delenv("RUNAI_ENGINE_DIR")
    (tmp_path / "runtime").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    pids = set()
    for name in ("one", "two", "one"):
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / name))
        pids.add(Client().info().pid)
    assert len(pids) == 2
    for name in ("one", "two"):
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / name))
        asyncio.run(LocalEngine().shutdown())
    monkeypatch.setenv("RUNAI_ENGINE_DIR", str(engine_directory))


def test_two_halves_still_fill_their_device_after_a_restart(client: Client, go: Path) -> None:
    halves = [client.submit(spec(ON_GO, gpu="0.5", env={"GO": str(go)})) for _ in range(4)]
    for half in halves:
        until(client, half.id, running)
    kill_daemon(client)
    verdict = Client().preview(spec(gpu="0.5"))
    assert verdict.state == "pending"


def test_one_daemon_serves_a_directory(client: Client) -> None:
    first = client.info().pid
    second = subprocess.run(
        [sys.executable, "-m", "scheduler_core.local"], capture_output=True, text=True, check=False, timeout=60
    )
    assert second.returncode == 3
    assert "already serves" in second.stderr
    assert "Traceback" not in second.stderr
    assert client.info().pid == first


def test_clients_that_start_at_once_start_one_daemon(simulated: Path) -> None:
    code = "from jupyter_runai.client import Client; print(Client().info().pid)"
    clients = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert len({process.communicate(timeout=60)[0] for process in clients}) == 1


def start_daemon_of_protocol(number: int) -> subprocess.Popen[bytes]:
    code = (
        "import scheduler_core.local.wire.protocol as protocol;"
        f"protocol.PROTOCOL = {number};"
        "from scheduler_core.local.__main__ import main; main(['--ready-fd', '1'])"
    )
    daemon = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert daemon.stdout is not None
    assert daemon.stdout.read(1) == b"1"
    return daemon


def test_connections_are_kept_for_the_next_request_and_never_outlive_their_daemon(
    client: Client, simulated: Path
) -> None:
    async def asked_at_once(port: LocalEngine) -> int:
        """The daemon's sockets after many requests at the same time."""
        infos = await asyncio.gather(*(port.info() for _ in range(300)))
        assert len({info.pid for info in infos}) == 1
        return sum(str(link.readlink()).startswith("socket:") for link in Path(f"/proc/{infos[0].pid}/fd").iterdir())

    async def before_and_after() -> None:
        port = LocalEngine(simulated)
        # While the daemon is still looked for some requests would be over before others begin.
        await port.info()
        first = await asked_at_once(port)
        assert await asked_at_once(port) == first > 60
        await asyncio.to_thread(kill_daemon, client)
        # Has no key, so it is not asked twice: it must not go into a connection to the one that was killed.
        assert (await port.submit(spec("print('there')"))).id in {known.id for known in await port.list()}
        await port.close()

    asyncio.run(before_and_after())


def test_an_older_daemon_is_replaced_and_its_workloads_go_on(simulated: Path, go: Path) -> None:
    old = start_daemon_of_protocol(PROTOCOL - 1)
    code = (
        "import sys, msgspec, scheduler_core.local.engine as engine;"
        f"engine.PROTOCOL = {PROTOCOL - 1};"
        "from jupyter_runai.client import Client; from scheduler_core.workload import WorkloadSpec;"
        "client = Client(); workload = client.submit(msgspec.json.decode(sys.argv[1], type=WorkloadSpec));"
        "from tests.helpers import running, until; print(until(client, workload.id, running).id)"
    )
    submitted = msgspec.json.encode(spec(ON_GO, gpu="0.5", env={"GO": str(go)})).decode()
    older = subprocess.run(
        [sys.executable, "-c", code, submitted], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    )
    workload_id = older.stdout.strip()
    newer = Client()
    assert newer.info().pid != old.pid
    assert old.wait(30) == 0
    assert newer.find(workload_id).state == "running"
    go.write_text("go")
    last, output = outcome(newer, workload_id)
    assert (last.exit_code, output) == (5, "before\nafter\n")


def test_a_newer_daemon_is_left_alone_and_the_client_says_what_to_do(simulated: Path) -> None:
    newer = start_daemon_of_protocol(PROTOCOL + 1)
    with pytest.raises(EngineUnavailable, match="Upgrade jupyter-runai"):
        Client().info()
    newer.terminate()
    assert newer.wait(30) == 0
    (simulated / "endpoint.json").unlink()


def test_two_environments_share_the_daemon_and_keep_their_python(client: Client, tmp_path: Path) -> None:
    """The second environment sees this one's packages, as an installation of its own would."""
    environments = []
    for name in ("one", "two"):
        venv.create(tmp_path / name, symlinks=True)
        site = next((tmp_path / name / "lib").glob("python*")) / "site-packages"
        packages = [path for path in sys.path if path.endswith("site-packages")]
        (site / "shared.pth").write_text("\n".join([*packages, str(ROOT)]))
        environments.append(tmp_path / name)
    code = """
import sys
from jupyter_runai.client import Client
from scheduler_core.workload import EngineState, WorkloadDeleted
from tests.helpers import spec, outcome
client = Client()
_, output = outcome(client, client.submit(spec("import sys; print(sys.prefix)", gpu="0.5")).id)
print(client.info().pid, output.strip())
"""
    said = [
        subprocess.run([path / "bin" / "python", "-c", code], capture_output=True, text=True, check=True, timeout=60)
        for path in environments
    ]
    pid = str(client.info().pid)
    assert [process.stdout.split() for process in said] == [[pid, str(path)] for path in environments]


def test_an_engine_that_cannot_start_says_where_to_look(engine_directory: Path) -> None:
    (engine_directory / "settings.json").write_text("{broken")
    with pytest.raises(EngineUnavailable) as refused:
        Client().info()
    assert "settings.json cannot be read" in str(refused.value)
    assert "daemon.log" in refused.value.hint
    assert not (engine_directory / "endpoint.json").exists()


def test_a_socket_path_longer_than_the_system_allows_is_no_obstacle(
    engine_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = engine_directory / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    monkeypatch.setenv("RUNAI_ENGINE_DIR", str(deep))
    assert Client().info().kind == "local"
    asyncio.run(LocalEngine().shutdown())
    monkeypatch.setenv("RUNAI_ENGINE_DIR", str(engine_directory))


def test_a_daemon_whose_directory_is_gone_leaves(engine_directory: Path) -> None:
    pid = Client().info().pid
    process = Process(pid, start_of(pid) or "")
    (engine_directory / "daemon.lock").unlink()
    asyncio.run(asyncio.wait_for(ended(process), 60))
    (engine_directory / "endpoint.json").unlink()
