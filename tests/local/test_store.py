"""The engine's store: damaged, or of an earlier version, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from scheduler_core.local import LocalEngine
from scheduler_core.workload import Scale
from tests.helpers import UNTIL_STOPPED, kill_daemon, outcome, running, spec, until
from tests.local.older import made_older


def garbage(store: Path) -> None:
    # With its log SQLite would mend it by itself.
    store.with_name(f"{store.name}-wal").unlink()
    store.write_bytes(b"no database " * 1000)


def torn(store: Path) -> None:
    """A page in the middle is overwritten."""
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with store.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(8192))


@pytest.mark.parametrize("damage", [garbage, torn])
def test_a_damaged_store_is_put_aside_and_every_workload_is_found_again(
    client: Client, simulated: Path, damage: Callable[[Path], None]
) -> None:
    done = client.submit(spec("print('done')", key="once"))
    outcome(client, done.id)
    runs = client.submit(spec(UNTIL_STOPPED, gpu=2))
    until(client, runs.id, running)
    waits = client.submit(spec(gpu=2))
    gone = client.submit(spec("pass", key="twice"))
    outcome(client, gone.id)
    client.delete(gone.id)
    twice = client.submit(spec("pass", key="twice"))
    outcome(client, twice.id)
    kill_daemon(client)
    store = simulated / "simulated" / "store.sqlite"
    unknown = store.parent / "workloads" / "unknown"
    unknown.mkdir()
    kept = store.parent / "workloads" / gone.id / "record.json"
    kept.write_bytes(kept.read_bytes().replace(b'"key":null', b'"key":"twice"'))
    (unknown / "output.log").write_text("old")
    damage(store)
    again = Client()
    notice = again.info().notice
    assert "5 workloads were found again" in notice
    (aside,) = (found for found in store.parent.glob("store.sqlite.damaged-*") if found.name[-1].isdigit())
    assert str(aside) in notice
    assert aside.stat().st_size > 0
    assert (store.parent / f"{aside.name}.workloads" / "unknown" / "output.log").read_text() == "old"
    assert not (store.parent / "store.sqlite.unrestored").exists()
    until(again, runs.id, running)
    assert {(known.id, known.state) for known in again.list()} == {
        (done.id, "completed"),
        (runs.id, "running"),
        (waits.id, "pending"),
        (twice.id, "completed"),
    }
    assert [known.id for known in again.list(deleted=True)] == [gone.id]
    assert again.submit(spec(key="twice")).id == twice.id
    assert [sum(holder.portion_milli for holder in device.holders) for device in again.devices()] == [1000, 1000]
    assert again.submit(spec(key="once")).id == done.id
    assert b"".join(again.logs(done.id)) == b"done\n"
    again.close()


def test_a_store_of_the_first_version_is_brought_up_to_date(client: Client, simulated: Path) -> None:
    workload = client.submit(spec())
    outcome(client, workload.id)
    asyncio.run(LocalEngine().shutdown())
    path = simulated / "simulated" / "store.sqlite"
    made_older(path, 1)
    with closing(sqlite3.connect(path)) as store, store:
        store.execute("INSERT INTO transitions(workload, at, state) VALUES ('gone', 0, 'failed')")
    again = Client()
    assert [known.id for known in again.list()] == [workload.id]
    again.delete(workload.id, purge=True)
    with closing(sqlite3.connect(path)) as store:
        assert store.execute("PRAGMA user_version").fetchone() == (7,)
        assert store.execute("SELECT count(*) FROM transitions").fetchone() == (0,)
    again.close()


def test_a_daemon_that_died_before_it_had_found_them_again_finds_them_at_its_next_start(
    client: Client, simulated: Path
) -> None:
    workload = client.submit(spec("print('done')"))
    outcome(client, workload.id)
    kill_daemon(client)
    store = simulated / "simulated" / "store.sqlite"
    aside = store.with_name("store.sqlite.damaged-1")
    for ending in ("", "-wal", "-shm"):
        (store.parent / f"{store.name}{ending}").rename(f"{aside}{ending}")
    store.with_name("store.sqlite.unrestored").write_text(str(aside))
    again = Client()
    assert [known.id for known in again.list()] == [workload.id]
    assert str(aside) in again.info().notice
    assert b"".join(again.logs(workload.id)) == b"done\n"
    again.close()


FIRST_TWO_END = """
import os, signal
index = os.environ['RUNAI_TASK_INDEX']
if index == '0': raise SystemExit(3)
if index != '1': signal.pause()
"""


def as_before_tasks_had_rows(store: Path) -> None:
    made_older(store, 5)


@pytest.mark.parametrize("change", [lambda store: None, as_before_tasks_had_rows, garbage])
def test_each_task_of_an_array_is_found_as_it_was(
    client: Client, simulated: Path, change: Callable[[Path], None]
) -> None:
    array = client.submit(spec(FIRST_TWO_END, gpu="0.5", tasks=4, gang=False, grace_s=0))
    until(client, array.id, lambda now: now.task_states == {"completed": 1, "failed": 1, "running": 2})
    before = client.tasks(array.id)
    kill_daemon(client)
    change(simulated / "simulated" / "store.sqlite")
    again = Client()
    assert again.tasks(array.id) == before
    assert [(task.state, task.exit_code) for task in before] == [
        ("failed", 3),
        ("completed", 0),
        ("running", None),
        ("running", None),
    ]
    again.scale(array.id, Scale(tasks=3))
    until(again, array.id, lambda now: now.task_states == {"completed": 1, "failed": 1, "running": 1})
    again.stop(array.id)
    outcome(again, array.id)
    ended = again.tasks(array.id)
    assert [task.state for task in ended] == ["failed", "completed", "stopped"]
    kill_daemon(again)
    last = Client()
    assert last.tasks(array.id) == ended
    last.delete(array.id, purge=True)
    with closing(sqlite3.connect(simulated / "simulated" / "store.sqlite")) as store:
        assert store.execute("SELECT count(*) FROM tasks").fetchone() == (0,)
    again.close()
    last.close()
