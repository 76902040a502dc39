"""What is to be written down is, whatever becomes of who asked for it and of the writes beside it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from scheduler_core.errors import EngineDefect
from scheduler_core.local.durable.store import Store
from scheduler_core.local.record.records import Record, new_record, new_workload
from scheduler_core.workload import WorkloadSpec


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store.sqlite")
    yield store
    store.close()


@contextmanager
def locked(tmp_path: Path) -> Iterator[None]:
    """Nothing can be written meanwhile."""
    with closing(sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def record(name: str) -> Record:
    spec = WorkloadSpec(command=("true",), cwd="/", env={})
    return new_record(spec, new_workload(spec, name, name, "somebody", simulated=True))


async def test_a_write_that_nobody_waits_for_any_more_is_made_and_so_are_those_after_it(
    store: Store, tmp_path: Path
) -> None:
    with locked(tmp_path):
        given_up = asyncio.ensure_future(store.put(record("given-up")))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
    await store.put(record("next"))
    assert {store.read(name).workload.name for name in ("given-up", "next")} == {"given-up", "next"}


async def test_a_change_that_cannot_be_made_says_why_and_keeps_no_other_from_being_made(
    store: Store, tmp_path: Path
) -> None:
    def wrong(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO workloads(id, created, record) VALUES ('half', 0, x'')")
        raise KeyError("wrong")

    with locked(tmp_path):
        before, change, after = (
            asyncio.ensure_future(store.put(record("before"))),
            asyncio.ensure_future(store.account(wrong)),
            asyncio.ensure_future(store.put(record("after"))),
        )
        await asyncio.sleep(0)
    with pytest.raises(EngineDefect, match="wrong"):
        await change
    await asyncio.gather(before, after)
    assert [known.workload.name for known in store.load()] == ["before", "after"]
