"""Workloads of several tasks: they find each other, fail together or alone, and outlive their daemon."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_runai.client import Client
from jupyter_runai.verbs.line import run_verb
from jupyter_runai.verbs.options import verb_parsers
from scheduler_core.errors import NotFound
from scheduler_core.local.record.records import decode_record, new_record
from scheduler_core.workload import Scale, Workload
from tests.helpers import UNTIL_STOPPED, kill_daemon, outcome, spec, until, until_said

SUMS_RANKS = """
import os, socket
rank, size = int(os.environ['RANK']), int(os.environ['WORLD_SIZE'])
place = (os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT']))
if rank == 0:
    with socket.create_server(place) as server:
        total = 0
        for _ in range(size - 1):
            with server.accept()[0] as connection:
                total += int(connection.makefile().readline())
    print('sum', total)
else:
    while True:
        try:
            connection = socket.create_connection(place)
        except ConnectionRefusedError:
            continue
        connection.sendall(f'{rank}\\n'.encode())
        break
"""
SAYS_ITS_WORLD = """
import json, os
names = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'RUNAI_TASK_INDEX', 'RUNAI_TASK_COUNT', 'RUNAI_CHECKPOINT_DIR')
print(json.dumps({name: value for name, value in os.environ.items() if name in names or name[:4] == 'PET_'}))
"""
ONE_FAILS_ONCE = """
import os, signal, sys
print('run', os.environ['RUNAI_RESTARTS'], flush=True)
if os.environ['RUNAI_RESTARTS'] == '0':
    if os.environ['RANK'] != '1':
        open(os.environ['RUNAI_CHECKPOINT_DIR'] + '/up-' + os.environ['RANK'], 'w').close()
        signal.pause()
    while len(os.listdir(os.environ['RUNAI_CHECKPOINT_DIR'])) < 2:
        pass
    sys.exit(7)
"""
WAITS_FOR_ALL_BUT_THE_FIRST = """
import os, time
while os.environ['RUNAI_TASK_INDEX'] != '0' and not os.path.exists(os.environ['GO']):
    time.sleep(0.01)
"""
WAITS_FOR_ITS_TURN = """
import time
while not os.path.exists(os.environ['GO'] + '/' + os.environ['RUNAI_TASK_INDEX']):
    time.sleep(0.01)
"""


def said(client: Client, workload: Workload, index: int) -> Any:
    return msgspec.json.decode(b"".join(client.logs(workload.id, index)))


def test_a_gang_meets_at_a_port_and_sums_its_ranks(client: Client) -> None:
    workload = client.submit(spec(SUMS_RANKS, gpu="0.25", tasks=4))
    ended, output = outcome(client, workload.id)
    assert (ended.state, output) == ("completed", "sum 6\n")


def test_each_task_of_a_gang_gets_what_torchrun_needs(client: Client) -> None:
    workload = client.submit(spec(SAYS_ITS_WORLD, gpu="0.5", tasks=2))
    outcome(client, workload.id)
    first, second = (said(client, workload, index) for index in range(2))
    assert (second["RANK"], second["LOCAL_RANK"], second["WORLD_SIZE"]) == ("1", "0", "2")
    assert (second["PET_NNODES"], second["PET_NODE_RANK"], second["PET_NPROC_PER_NODE"]) == ("2", "1", "1")
    assert first["PET_MASTER_PORT"] == second["PET_MASTER_PORT"]
    assert first["RUNAI_CHECKPOINT_DIR"] == second["RUNAI_CHECKPOINT_DIR"]


def test_an_elastic_gang_meets_by_rendezvous(client: Client) -> None:
    workload = client.submit(spec(SAYS_ITS_WORLD, gpu="0.5", tasks=3, min_tasks=2))
    outcome(client, workload.id)
    world = said(client, workload, 0)
    assert (world["PET_NNODES"], world["PET_RDZV_BACKEND"]) == ("2:3", "c10d")
    assert "PET_NODE_RANK" not in world


def test_a_late_task_of_an_elastic_gang_has_a_rank_in_the_world_that_is_there(client: Client, tmp_path: Path) -> None:
    asked = spec(f"{SAYS_ITS_WORLD}\n{WAITS_FOR_ITS_TURN}", gpu=1, tasks=3, min_tasks=1, env={"GO": str(tmp_path)})
    workload = client.submit(asked)
    until(client, workload.id, lambda seen: seen.task_states == {"pending": 1, "running": 2})
    (tmp_path / "1").touch()
    until(client, workload.id, lambda seen: seen.task_states == {"completed": 1, "running": 2})
    for index in (0, 2):
        (tmp_path / str(index)).touch()
    assert outcome(client, workload.id)[0].state == "completed"
    worlds = [said(client, workload, index) for index in range(3)]
    assert [(world["RANK"], world["WORLD_SIZE"]) for world in worlds] == [("0", "2"), ("1", "2"), ("1", "2")]


def test_the_tasks_of_an_array_are_told_their_index_and_keep_apart(client: Client) -> None:
    workload = client.submit(spec(SAYS_ITS_WORLD, gpu=1, tasks=3, gang=False))
    outcome(client, workload.id)
    worlds = [said(client, workload, index) for index in range(3)]
    assert [world["RUNAI_TASK_INDEX"] for world in worlds] == ["0", "1", "2"]
    assert len({world["RUNAI_CHECKPOINT_DIR"] for world in worlds}) == 3
    assert all("RANK" not in world for world in worlds)


def test_a_gang_starts_over_when_one_of_it_fails(client: Client) -> None:
    workload = client.submit(spec(ONE_FAILS_ONCE, gpu="0.5", tasks=3, retries=1, grace_s=5))
    ended, _ = outcome(client, workload.id)
    assert (ended.state, ended.restarts, ended.reason) == ("completed", 1, "")
    assert [b"".join(client.logs(workload.id, index)) for index in range(3)] == [b"run 0\nrun 1\n"] * 3


def test_a_gang_ends_when_one_of_it_fails_for_good(client: Client) -> None:
    workload = client.submit(spec(ONE_FAILS_ONCE, gpu="0.5", tasks=3, grace_s=5))
    ended, _ = outcome(client, workload.id)
    assert (ended.state, ended.exit_code, ended.reason) == ("failed", 7, "task 1: exit status 7")
    assert [task.state for task in client.tasks(workload.id)] == ["stopped", "failed", "stopped"]
    assert not any(device.holders for device in client.devices())


@pytest.mark.parametrize("gang", [True, False])
def test_the_end_of_one_task_leaves_its_siblings_alone_and_the_next_daemon_finds_them(
    client: Client, tmp_path: Path, gang: bool
) -> None:
    go = tmp_path / "go"
    asked = spec(WAITS_FOR_ALL_BUT_THE_FIRST, gpu="0.5", tasks=3, gang=gang, env={"GO": str(go)})
    workload = client.submit(asked)
    until(client, workload.id, lambda seen: seen.task_states == {"completed": 1, "running": 2})
    kill_daemon(client)
    again = Client()
    go.touch()
    ended, _ = outcome(again, workload.id)
    assert (ended.state, ended.task_states, ended.restarts) == ("completed", {"completed": 3}, 0)
    again.close()


def test_each_task_of_an_array_has_its_own_time(client: Client) -> None:
    code = "import os, signal\nif os.environ['RUNAI_TASK_INDEX'] == '1': signal.pause()"
    workload = client.submit(spec(code, tasks=2, gang=False, max_run_s=1, grace_s=5))
    ended, _ = outcome(client, workload.id)
    assert (ended.state, ended.reason) == ("failed", "1 of 2 tasks failed: 1")
    assert client.tasks(workload.id)[1].reason == "reached its maximum run time of 1 s"


def test_a_gang_that_cannot_start_says_so_once(client: Client) -> None:
    workload = client.submit(msgspec.structs.replace(spec(gpu="0.5", tasks=3), command=("/no/such/program",)))
    ended, _ = outcome(client, workload.id)
    assert ended.state == "failed"
    assert "could not start: No such file or directory" in ended.reason


def test_text_views_show_the_tasks(client: Client) -> None:
    def say(verb: str, *words: str) -> str:
        return run_verb(client, verb, verb_parsers("%runai")[verb].parse(list(words)))

    workload = client.submit(spec(UNTIL_STOPPED, gpu=1, tasks=3, gang=False, name="sweep"))
    until(client, workload.id, lambda seen: seen.task_states == {"pending": 1, "running": 2})
    assert "3 x 1  running (1 waiting, 2 running)" in say("list")
    while say("logs", "sweep", "--task", "1") != "up":
        pass
    client.stop(workload.id)
    outcome(client, workload.id)
    assert say("logs", "sweep", "--task", "1") == "up"
    assert say("logs", "sweep", "--task", "2") == ""
    with pytest.raises(NotFound, match="has no task 3"):
        say("logs", "sweep", "--task", "3")


def test_what_an_environment_held_is_not_kept_after_the_end(client: Client, simulated: Path) -> None:
    workload = client.submit(spec("pass", env={**os.environ, "PASSWORD": "tell-nobody"}))
    outcome(client, workload.id)
    # The next to be written down comes after what is to be kept of this one.
    outcome(client, client.submit(spec("pass")).id)
    kept = (simulated / "simulated" / "workloads" / workload.id / "record.json").read_bytes()
    assert b"tell-nobody" not in kept


def test_a_record_from_before_there_were_tasks_is_understood() -> None:
    asked = spec(gpu="0.5", env={})
    workload = Workload(
        id="0badc0de",
        name="old",
        owner="ana",
        kind="training",
        queue="default",
        priority=40,
        preemptible=True,
        state="suspended",
        request=asked.request,
        created=1.0,
        simulated=True,
    )
    old = msgspec.to_builtins(new_record(asked, workload))
    del old["tasks"], old["port"]
    old |= {"supervisor": None, "run": 2, "ran_s": 7.5, "failures": 1, "then": "suspended"}
    record = decode_record(msgspec.json.encode(old))
    assert record.workload == workload
    assert [(task.state, task.run, task.ran_s) for task in record.tasks] == [("pending", 2, 7.5)]
    assert (record.then, record.failures) == (None, 1)
    with pytest.raises(msgspec.ValidationError):
        decode_record(b"{}")


DONE_WHEN_TOLD = """
import json, os, signal, sys
if os.environ['RUNAI_TASK_INDEX'] == '0':
    sys.exit(1)
def report(*_):
    with open(os.environ['RUNAI_REPORT'], 'w') as file:
        json.dump({'results': []}, file)
    sys.exit(0)
signal.signal(signal.SIGTERM, report)
print('up', flush=True)
while True:
    signal.pause()
"""


def test_a_task_that_comes_back_after_a_scaling_starts_anew(client: Client) -> None:
    array = client.submit(spec(UNTIL_STOPPED, "0.5", tasks=2, gang=False))
    until(client, array.id, lambda known: known.task_states == {"running": 2})
    assert run_verb(client, "scale", verb_parsers("x")["scale"].parse([array.name, "1"])).endswith("has 1 task now.")
    until(client, array.id, lambda known: known.task_states == {} and known.tasks == 1)
    assert run_verb(client, "scale", verb_parsers("x")["scale"].parse([array.name, "2"])).endswith("has 2 tasks now.")
    until(client, array.id, lambda known: known.task_states == {"running": 2})
    until_said(client, array.id, "up")
    client.stop(array.id)
    outcome(client, array.id)
    assert [task.restarts for task in client.tasks(array.id)] == [0, 1]


def test_what_is_wanted_again_while_it_still_goes_comes_back(client: Client, tmp_path: Path) -> None:
    told, go = tmp_path / "told", tmp_path / "go"
    os.mkfifo(told)
    os.mkfifo(go)
    code = f"""
import os, signal
if os.environ['RUNAI_TASK_INDEX'] == '1' and os.environ['RUNAI_RESTARTS'] == '0':
    signal.signal(signal.SIGTERM, lambda *_: (open({str(told)!r}, 'w').close(), open({str(go)!r}).close(), os._exit(1)))
open({str(tmp_path)!r} + '/up-' + os.environ['RUNAI_TASK_INDEX'], 'w').close()
while True:
    signal.pause()
"""
    array = client.submit(spec(code, "0.5", tasks=2, gang=False))
    until(client, array.id, lambda known: known.task_states == {"running": 2})
    while not (tmp_path / "up-1").exists():
        pass
    client.scale(array.id, Scale(tasks=1))
    told.read_bytes()
    client.scale(array.id, Scale(tasks=2))
    go.write_bytes(b"")
    until(client, array.id, lambda known: known.restarts == 1 and known.task_states == {"running": 2})


def test_what_has_no_task_left_to_run_is_done(client: Client, tmp_path: Path) -> None:
    array = client.submit(spec(WAITS_FOR_ALL_BUT_THE_FIRST, 1, tasks=2, gang=False, env={"GO": str(tmp_path / "go")}))
    until(client, array.id, lambda known: known.task_states == {"completed": 1, "running": 1})
    client.suspend(array.id)
    until(client, array.id, lambda known: known.state == "suspended")
    answer = client.scale(array.id, Scale(tasks=1))
    assert (answer.workload.state, answer.workload.task_states) == ("completed", {})


def test_an_array_whose_last_task_is_done_when_it_is_told_to_go_has_ended(client: Client) -> None:
    workload = client.submit(spec(DONE_WHEN_TOLD, gpu="0.5", tasks=2, gang=False))
    until(client, workload.id, lambda seen: seen.task_states == {"failed": 1, "running": 1})
    while b"".join(client.logs(workload.id, 1)) != b"up\n":
        pass
    client.suspend(workload.id)
    ended, _ = outcome(client, workload.id)
    assert (ended.state, ended.reason) == ("failed", "1 of 2 tasks failed: 0")
