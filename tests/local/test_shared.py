"""The shared engine: one daemon of root's, each workload as its owner, and what others may see and do."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from jupyter_runai.client import Client
from scheduler_core.audit import AuditQuery
from scheduler_core.errors import Conflict, EngineUnavailable, InvalidRequest, NotAllowed
from scheduler_core.local import LocalEngine
from scheduler_core.model import TaskRequest
from scheduler_core.workload import EngineInfo, TaskStatus, Workload, WorkloadSpec
from tests.helpers import UNTIL_STOPPED, outcome, running, until, until_said
from tests.local.shared_engine import Shared
from tests.local.users import User

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="a shared engine takes root")

SAYS_WHO = "import os; print(os.getuid(), os.getgid(), os.getgroups(), os.getcwd())"
FAILS_WITH_REPORT = """
import json, os, sys
report = {"error": {"type": "ValueError", "message": "secret-message", "traceback": "secret-line"}}
with open(os.environ['RUNAI_REPORT'], 'w') as file:
    json.dump(report, file)
sys.exit(1)
"""


def test_without_root_it_is_refused_with_the_reason(configured: Shared, users: tuple[User, User]) -> None:
    configured.configuration.chmod(0o644)
    done = users[0].run("-m", "scheduler_core.local", "--shared", str(configured.configuration))
    assert done.returncode == 1
    assert done.stderr.decode().startswith(
        f"A shared engine runs each workload as its owner, which takes root; this is {users[0].uid}. Start it as root"
    )
    assert not configured.directory.exists()


def test_everybody_sees_all_and_each_runs_as_its_owner(root: Client, users: tuple[User, User]) -> None:
    ana, ben = users
    submitted = [user.submit(SAYS_WHO, cwd="/tmp") for user in users]
    for user, workload in zip(users, submitted, strict=True):
        assert outcome(root, workload.id)[1] == f"{user.uid} {user.gid} [{user.gid}] /tmp\n"
    for user in users:
        seen = user.ask(tuple[Workload, ...], "list")
        assert [(workload.id, workload.owner) for workload in seen] == [
            (submitted[0].id, str(ana.uid)),
            (submitted[1].id, str(ben.uid)),
        ]
        info = user.ask(EngineInfo, "info")
        assert (info.user, info.shared) == (str(user.uid), True)


def test_who_has_an_account_runs_by_its_name_with_its_groups(root: Client, users: tuple[User, User]) -> None:
    games = User(5, users[0]._python, users[0]._path, gid=64005)
    workload = games.submit(SAYS_WHO)
    assert workload.owner == "games"
    assert outcome(root, workload.id)[1] == f"5 60 {os.getgrouplist('games', 60)} /\n"


def test_others_decide_nothing_and_read_nothing(root: Client, users: tuple[User, User]) -> None:
    ana, ben = users
    runs = (
        ana.submit("import signal; print('to-ana-alone'); signal.pause()", gpu_name=None)
        if False
        else ana.submit(f"print('to-ana-alone'); {UNTIL_STOPPED}")
    )
    until_said(root, runs.id, "to-ana-alone")
    for method, *more in (["stop"], ["suspend"], ["resume"], ["resize", {"gpu": 1}], ["delete"], ["delete", True]):
        with pytest.raises(
            NotAllowed,
            match=rf"{runs.name} is {ana.uid}'s: to decide on it takes the role .* Ask {ana.uid}, or who may: root\.",
        ):
            ben.ask(Workload, method, runs.id, *more)
    for method in ("logs", "results", "specification"):
        with pytest.raises(
            NotAllowed, match=rf"{runs.name} is {ana.uid}'s: to read what it says takes the role .* who may: root\."
        ):
            ben.ask(str, method, runs.id)
    assert root.list()[0].state == "running"
    assert ana.ask(str, "logs", runs.id) == "to-ana-alone\nup\n"
    ana.ask(Workload, "stop", runs.id)
    outcome(root, runs.id)
    ana.ask(type(None), "delete", runs.id)
    for method, *more in (["restore"], ["delete", True]):
        with pytest.raises(NotAllowed, match="is 64001's"):
            ben.ask(Workload, method, runs.id, *more)
    assert ana.ask(Workload, "restore", runs.id).id == runs.id


def test_what_went_wrong_is_told_to_the_owner_alone(root: Client, users: tuple[User, User]) -> None:
    ana, ben = users
    failed = ana.submit(FAILS_WITH_REPORT)
    assert outcome(root, failed.id)[0].state == "failed"
    own = ana.ask(Workload, "get", failed.id)
    assert own.report is not None and own.report.error is not None
    assert own.report.error.message == "secret-message"
    assert ana.ask(tuple[TaskStatus, ...], "tasks", failed.id)[0].report == own.report
    assert ben.ask(Workload, "get", failed.id).report is None
    assert ben.ask(tuple[TaskStatus, ...], "tasks", failed.id)[0].report is None
    for method, *more in (["get", failed.id], ["list"], ["tasks", failed.id], ["explain", failed.id], ["watch"]):
        assert "secret" not in str(ben.ask(object, method, *more))
        assert "secret" in str(ana.ask(object, method, *more))
    ana.ask(type(None), "delete", failed.id)
    assert "secret" not in str(ben.ask(object, "list", True))


def test_a_report_that_is_a_link_is_not_followed(root: Client, users: tuple[User, User], meeting: Path) -> None:
    mine = meeting / "roots.json"
    mine.write_text('{"error": {"type": "T", "message": "roots-secret", "traceback": ""}}')
    mine.chmod(0o600)
    workload = users[0].submit(f"import os; os.symlink({str(mine)!r}, os.environ['RUNAI_REPORT'])")
    last, _ = outcome(root, workload.id)
    assert (last.state, last.report) == ("completed", None)


def test_files_are_their_owners_and_records_are_roots(shared: Shared, root: Client, users: tuple[User, User]) -> None:
    ana, ben = users
    value = "import os; from pathlib import Path; print(Path(os.environ['RUNAI_INPUTS'], 'value').read_text())"
    save = "Path(os.environ['RUNAI_RESULTS'], 'made').write_text('result-of-ana')"
    code = f"{value}; {save}; print(sorted(os.environ)); {UNTIL_STOPPED}"
    env = {"PATH": os.defpath, "SECRET": "anas-secret-value"}
    workload = ana.ask(Workload, "submit_with_inputs", ana.spec(code, env=env), "anas-input")
    said = until_said(root, workload.id, "up")
    assert said.startswith("anas-input\n")
    assert "DAEMONS_OWN" not in said
    modes = {
        str(path.relative_to(shared.directory)): (path.lstat().st_uid, stat.S_IMODE(path.lstat().st_mode))
        for path in [shared.directory, *shared.directory.rglob("*")]
    }
    run = f"simulated/workloads/{workload.id}"
    owned = {f"{run}/{name}": (ana.uid, 0o700) for name in ("inputs", "results", "checkpoint", "report")}
    owned[f"{run}/output.log"] = ana.uid, 0o600
    passed = {".": (0, 0o755), "staging": (0, 0o1733)}
    ways = ("real", "real/workloads", "simulated", "simulated/workloads", run)
    passed |= dict.fromkeys(ways, (0, 0o711))
    assert {name: modes[name] for name in (*owned, *passed)} == owned | passed
    written = {"value", "made"}
    others = {
        name: mode for name, mode in modes.items() if name not in owned | passed and Path(name).name not in written
    }
    assert {f"{run}/record.json", f"{run}/launch", "simulated/store.sqlite"} <= set(others)
    ledger = {name for name in others if name.startswith("simulated/host/")}
    assert {mode for name, mode in others.items() if name not in ledger} <= {(0, 0o600), (0, 0o700)}
    assert stat.S_IMODE((shared.folder / "run" / "engine.sock").stat().st_mode) == 0o666
    look = f"""
import os
for folder, _, names in os.walk({str(shared.directory)!r}):
    for name in names:
        try: print(open(os.path.join(folder, name)).read())
        except OSError: pass
for known in {sorted(modes)!r}:
    try: print(open(os.path.join({str(shared.directory)!r}, known)).read())
    except OSError: pass
"""
    everything = ben.run("-c", look).stdout.decode()
    told = [str(ben.ask(object, method)) for method in ("list", "watch", "info", "devices", "queues")]
    for secret in ("anas-secret-value", "anas-input", "result-of-ana"):
        assert secret not in everything
        assert secret not in "".join(told)
    results = ana.ask(str, "results", workload.id)
    assert ana.run("-c", f"print(open('{results}/made').read())").stdout == b"result-of-ana\n"


def test_what_somebody_made_too_deep_is_removed_all_the_same(
    shared: Shared, root: Client, users: tuple[User, User]
) -> None:
    deep = "import os; os.chdir(os.environ['RUNAI_RESULTS'])\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')"
    workload = users[0].submit(deep)
    assert outcome(root, workload.id)[0].state == "completed"
    users[0].ask(type(None), "delete", workload.id, True)
    assert list((shared.directory / "simulated" / "workloads").iterdir()) == []


def test_inputs_that_are_not_a_folder_of_ones_own_are_refused(
    shared: Shared, root: Client, users: tuple[User, User], meeting: Path
) -> None:
    ana, ben = users
    private = meeting / "roots"
    private.mkdir(mode=0o700)
    with pytest.raises(InvalidRequest, match="not staged with this engine"):
        ana.ask(Workload, "submit_link", ana.spec(), str(private))
    bens = shared.directory / "staging" / "bens-inputs"
    bens.mkdir(mode=0o700)
    os.chown(bens, ben.uid, ben.gid)
    with pytest.raises(InvalidRequest, match="no folder of its owner's"):
        ana.ask(Workload, "submit", ana.spec(), bens)
    assert bens.stat().st_uid == ben.uid
    assert list((shared.directory / "simulated" / "workloads").iterdir()) == []
    assert ben.ask(Workload, "submit", ben.spec(), bens).owner == str(ben.uid)


def test_nobody_else_can_be_claimed_to_be(shared: Shared, root: Client, users: tuple[User, User]) -> None:
    ana, _ = users
    told = ana.spec()
    for body in (b'{"spec": %s, "owner": "root"}', b'{"spec": %s, "uid": 0}'):
        assert b"400" in raw(ana, shared, body % encoded(told)).split(b"\r\n")[0]
    answered = raw(ana, shared, b'{"spec": %s}' % encoded(told))
    assert b"201" in answered.split(b"\r\n")[0]
    (workload,) = root.list()
    assert (workload.owner, workload.owner_uid) == (str(ana.uid), ana.uid)


def test_a_key_is_ones_own(root: Client, users: tuple[User, User]) -> None:
    ana, ben = users
    first = ana.submit(key="k")
    assert ana.submit(key="k").id == first.id
    other = ben.submit(key="k")
    assert (other.id != first.id, other.owner) == (True, str(ben.uid))


def test_a_mark_that_was_forged_is_not_believed(root: Client, users: tuple[User, User]) -> None:
    ana, ben = users
    workload = ana.submit(UNTIL_STOPPED)
    until(root, workload.id, running)
    with subprocess.Popen(
        ["/bin/sleep", "1000"], user=ben.uid, group=ben.gid, env={"RUNAI_TASK_ID": f"{workload.id}-0"}
    ) as bens:
        ana.ask(Workload, "stop", workload.id)
        assert outcome(root, workload.id)[0].state == "stopped"
        assert bens.poll() is None
        bens.kill()


def test_projects_are_their_members(configured: Shared, users: tuple[User, User]) -> None:
    ana, ben = users
    configured.projects.write_text(f'[projects.all]\n[projects.anas]\nusers = ["{ana.uid}"]\n')
    configured.configure(f'projects = "{configured.projects}"')
    configured.start()
    assert ana.submit(queue="anas").queue == "anas"
    for method in ("submit", "preview"):
        with pytest.raises(NotAllowed, match=rf"{ben.uid} may not submit to project anas: .* Choose one of: all\."):
            ben.ask(Workload, method, ben.spec(queue="anas"))


def test_a_killed_daemon_is_waited_for_and_the_next_one_adopts(
    shared: Shared, root: Client, users: tuple[User, User]
) -> None:
    ana, ben = users
    workload = ana.submit(UNTIL_STOPPED)
    until(root, workload.id, running)
    shared.end(signal.SIGKILL)
    shared.start()
    assert [known.state for known in ana.ask(tuple[Workload, ...], "list")] == ["running"]
    with pytest.raises(NotAllowed):
        ben.ask(Workload, "stop", workload.id)
    ana.ask(Workload, "stop", workload.id)
    assert outcome(root, workload.id)[0].state == "stopped"


def test_administrators_decide_and_do_not_read(configured: Shared, users: tuple[User, User]) -> None:
    ana, ben = users
    configured.configure(f'administrators = ["{ben.uid}"]')
    configured.start()
    workload = ana.submit(UNTIL_STOPPED)
    with pytest.raises(NotAllowed, match="to read what it says takes"):
        ben.ask(str, "logs", workload.id)
    with pytest.raises(NotAllowed, match=f"{ana.uid} is no administrator of this engine"):
        ana.ask(type(None), "shutdown")
    with pytest.raises(NotAllowed, match=f"{ana.uid} is no administrator of this engine"):
        ana.ask(EngineInfo, "simulate", None)
    with pytest.raises(Conflict, match="named in its configuration file"):
        ben.ask(EngineInfo, "simulate", None)
    assert ben.ask(Workload, "stop", workload.id).stop_requested is not None


def test_a_group_may_be_the_only_one(configured: Shared, users: tuple[User, User]) -> None:
    ana, ben = users
    member = User(ana.uid, ana._python, ana._path, gid=100)
    configured.configure('group = "users"')
    configured.start()
    assert member.submit().owner == str(ana.uid)
    for method in ("list", "info", "watch"):
        with pytest.raises(NotAllowed, match=f"{ben.uid} is not in the group users"):
            ben.ask(object, method)


def test_a_client_takes_the_engine_it_names(root: Client, monkeypatch: pytest.MonkeyPatch, meeting: Path) -> None:
    assert root.info().shared
    monkeypatch.setenv("RUNAI_ENGINE_DIR", str(meeting / "own"))
    assert not asyncio.run(own_engine()).shared


@pytest.mark.parametrize("open_to_others", ["owner", "mode", "parent"])
def test_what_others_could_have_planted_is_no_shared_engine(
    shared: Shared, monkeypatch: pytest.MonkeyPatch, meeting: Path, open_to_others: str
) -> None:
    for variable in ("XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(meeting / variable))
        (meeting / variable).mkdir(mode=0o700)
    place = meeting if open_to_others == "parent" else meeting / "run"
    if open_to_others == "mode":
        place.chmod(0o777)
    else:
        os.chown(place, 64001, 64001)
    try:
        assert not asyncio.run(own_engine()).shared
    finally:
        os.chown(place, 0, 0)
        place.chmod(0o755)


def test_an_engine_that_does_not_answer_is_not_passed_by(
    shared: Shared, users: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.end(signal.SIGKILL)
    with pytest.raises(EngineUnavailable, match="The engine that the users of this host share does not answer"):
        users[0].submit()
    shared.start()
    assert users[0].submit().owner == str(users[0].uid)


def test_an_engine_that_was_ended_leaves_users_to_their_own(shared: Shared, meeting: Path) -> None:
    told = meeting / "run" / "endpoint.json"
    assert told.exists()
    shared.end()
    assert not told.exists()
    shared.start(RUNTIME_DIRECTORY=str(told.parent))
    shared.end()
    assert told.exists()


def test_of_two_shared_engines_the_second_is_refused(shared: Shared, meeting: Path) -> None:
    other = meeting / "other.toml"
    other.write_text(f'directory = "{meeting / "other"}"\nsimulate = "1xT4-16GB"\n')
    done = subprocess.run(
        [sys.executable, "-m", "scheduler_core.local", "--shared", str(other)], capture_output=True, check=False
    )
    assert (done.returncode, b"A daemon already serves" in done.stderr) == (3, True)


def test_other_devices_wait_until_work_has_ended(shared: Shared, root: Client, users: tuple[User, User]) -> None:
    workload = users[0].submit(UNTIL_STOPPED)
    until(root, workload.id, running)
    shared.end()
    shared.configuration.write_text(f'directory = "{shared.directory}"\n')
    done = subprocess.run(
        [sys.executable, "-m", "scheduler_core.local", "--shared", str(shared.configuration)],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, b"1 workload(s) have not ended" in done.stderr) == (1, True)
    shared.configure()
    shared.start()
    assert root.list()[0].state == "running"


async def own_engine() -> EngineInfo:
    """What the engine of this process says of itself; where it is private, its daemon then leaves."""
    engine = LocalEngine()
    try:
        return await engine.info()
    finally:
        await engine.shutdown()
        await engine.close()


def encoded(told: WorkloadSpec) -> bytes:
    return msgspec.json.encode(told)


def raw(user: User, shared: Shared, body: bytes) -> bytes:
    """What the engine answers to a submission of this body, which claims in its headers to be root's."""
    ask = f"""
import socket, sys
body = sys.stdin.buffer.read()
engine = socket.socket(socket.AF_UNIX)
engine.connect({str(shared.folder / "run" / "engine.sock")!r})
head = ["POST /v1/workloads?user=root HTTP/1.1", "Host: engine", "Connection: close", f"Content-Length: {{len(body)}}"]
head += ["X-Forwarded-User: root", "X-Remote-User: root", "From: root", "Authorization: Basic cm9vdDo="]
engine.sendall("\\r\\n".join([*head, "", ""]).encode() + body)
while piece := engine.recv(65536):
    sys.stdout.buffer.write(piece)
"""
    return user.run("-c", ask, stdin=body).stdout


def test_policies_hold_for_all_users_and_rules_for_their_running_work(
    configured: Shared, users: tuple[User, User]
) -> None:
    ana, ben = users
    configured.directory.mkdir(mode=0o755)
    members = f'[projects.vision]\nusers = ["{ana.uid}"]\n[projects.nlp]\nusers = ["{ben.uid}"]\n'
    (configured.directory / "projects.toml").write_text(members)
    policies = configured.directory / "policies.yaml"
    policies.write_text("grace: 1s\nprojects: {vision: {rules: {gpu: {max: 0.5}}}}\n")
    configured.start()
    root = Client()
    held = ben.submit(UNTIL_STOPPED, request=TaskRequest(gpu=1), queue="nlp")
    until(root, held.id, running)
    with pytest.raises(NotAllowed, match=r"project vision says at most 0\.5"):
        ana.submit(UNTIL_STOPPED, request=TaskRequest(gpu=1), queue="vision")
    with pytest.raises(NotAllowed, match="may not submit to project vision"):
        ben.submit(UNTIL_STOPPED, request=TaskRequest(gpu="0.5"), queue="vision")
    small = ana.submit(UNTIL_STOPPED, request=TaskRequest(gpu="0.5"), queue="vision")
    until(root, small.id, running)
    policies.write_text("grace: 1s\nprojects: {nlp: {rules: {gpu: {max: 0.5}}}}\n")
    seen = until(root, held.id, lambda known: known.state == "suspended")
    assert "project nlp says at most 0.5" in seen.reason
    assert root.find(small.id).state == "running"
    with pytest.raises(NotAllowed, match=r"project nlp says at most 0\.5"):
        ben.ask(Workload, "resume", held.id)
    changed = [entry.detail for entry in root.audit(AuditQuery(action="configure"))]
    assert any(detail.startswith("policies.yaml: ") for detail in changed)
    root.close()
