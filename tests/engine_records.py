"""What every engine tells of the past: who used what, and who did what."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from scheduler_core.accounting.past import QueueStep
from scheduler_core.accounting.usage import UsageBy, UsageRow
from scheduler_core.audit import ENGINE, AuditEntry, AuditQuery
from scheduler_core.engine import Engine
from scheduler_core.errors import Conflict, InvalidRequest
from scheduler_core.model import TaskRequest
from scheduler_core.workload import (
    Scale,
)
from tests.engine_steps import RUNS, asked, until


class RecordsContract:
    """Mix it into a test class with an `engine` fixture."""

    async def test_who_used_what_is_added_up(self, engine: Engine) -> None:
        before = time.time()
        first = await engine.submit(asked(RUNS, "0.5", name="first"))
        await until(engine, first.id, "running")
        second = await engine.submit(asked(RUNS, 2))
        waits_from = time.time()
        await self._until_used(engine, first.id, 1000)
        waited_ms = (time.time() - waits_from) * 1000
        await engine.stop(first.id)
        await until(engine, first.id, "stopped")
        await until(engine, second.id, "running")
        await self._until_used(engine, second.id, 1)
        one, other = [(await self._used(engine, "workload"))[workload.id] for workload in (first, second)]
        assert (one.name, one.project, one.preemptions, one.over_quota) == ("first", "default", 0, 0)
        assert one.allocated % 500 == 0
        assert one.allocated >= 500 * 1000
        assert one.gpu_memory * 1000 == one.allocated * 80 * 1024
        assert one.used <= one.measured <= one.allocated
        assert other.waiting >= int(waited_ms)
        usage = await engine.usage("workload", since=before, step="hour")
        assert sum(row.allocated for row in usage.rows if row.group == first.id) == one.allocated
        assert (await self._used(engine, "user")).keys() == {first.owner}
        assert (await self._used(engine, "project")).keys() == {"default"}
        devices = {device.id: device.model for device in await engine.devices()}
        assert {row.group: row.model for row in (await self._used(engine, "device")).values()} == devices
        past = await engine.usage("workload", since=before - 10, until=before - 1)
        assert past.rows == ()
        with pytest.raises(InvalidRequest):
            await engine.usage(since=before, until=before - 1)

    async def _used(self, engine: Engine, by: UsageBy) -> dict[str, UsageRow]:
        return {row.group: row for row in (await engine.usage(by)).rows}

    async def _until_used(self, engine: Engine, workload_id: str, held_ms: int) -> None:
        """Wait until half a device was held for so long."""
        while (await self._used(engine, "workload"))[workload_id].allocated < 500 * held_ms:
            await asyncio.sleep(0)

    async def test_what_queues_held_and_why_work_waited_is_kept(self, engine: Engine) -> None:
        before = time.time()
        holder = await engine.submit(asked(RUNS, "0.5"))
        await until(engine, holder.id, "running")
        waiting = await engine.submit(asked(RUNS, 2))
        seen = await self._history_when(engine, lambda row: row.allocated > 0 and sum(row.waits.values()) > 0)
        assert (seen.queue, seen.parent) == ("default", None)
        # Nobody has said how much the one queue deserves: all there is.
        assert seen.devices(seen.quota) in (None, 2)
        assert 0 < seen.allocated <= 500 * seen.observed
        assert seen.allocated < seen.requested <= 2500 * seen.observed
        assert seen.observed <= (time.time() - before + 60) * 1000
        waited = (await self._used(engine, "workload"))[waiting.id].waiting
        # A look counts for what has passed since the last, five seconds at most.
        assert 0 < sum(seen.waits.values()) <= waited + 5000
        await engine.stop(waiting.id)
        await engine.stop(holder.id)
        # Its minute may have begun before it did.
        assert (await engine.queue_history(since=before - 120, until=before - 61)).rows == ()
        minutes = await engine.queue_history(since=before - 60, step="minute")
        assert [row.at for row in minutes.rows] == sorted({row.at for row in minutes.rows})
        assert all(row.at % 60 == 0 for row in minutes.rows)
        assert sum(sum(row.waits.values()) for row in minutes.rows) >= sum(seen.waits.values())
        with pytest.raises(InvalidRequest):
            await engine.queue_history(since=before, until=before - 1)

    async def _history_when(self, engine: Engine, wanted: Callable[[QueueStep], bool]) -> QueueStep:
        """The one queue over all time, once it is as wanted."""
        async with asyncio.timeout(60):
            while True:
                for row in (await engine.queue_history()).rows:
                    if wanted(row):
                        return row
                await asyncio.sleep(0)

    async def test_an_eviction_is_counted_for_who_was_evicted(self, engine: Engine) -> None:
        training = await engine.submit(asked(RUNS, 2))
        await until(engine, training.id, "running")
        urgent = await engine.submit(asked(RUNS, 2, kind="interactive"))
        await until(engine, urgent.id, "running")
        used = await self._used(engine, "workload")
        assert (used[training.id].preemptions, used[urgent.id].preemptions) == (1, 0)
        assert (await self._used(engine, "project"))["default"].preemptions == 1

    async def test_who_did_what_is_told_in_its_order(self, engine: Engine) -> None:
        before = time.time()
        workload = await engine.submit(asked(RUNS, 5, name="big", tasks=2, gang=False))
        await engine.suspend(workload.id)
        await engine.resume(workload.id)
        await engine.resize(workload.id, TaskRequest(gpu=4))
        await engine.scale(workload.id, Scale(tasks=3))
        for _ in range(2):
            await engine.stop(workload.id)
        await engine.delete(workload.id)
        await engine.restore(workload.id)
        await engine.delete(workload.id, purge=True)
        entries = await self._done(engine)
        actions = ["submit", "suspend", "resume", "resize", "scale", "stop", "delete", "restore", "purge"]
        assert [entry.action for entry in entries] == actions
        assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
        assert {
            (entry.user, entry.workload, entry.name, entry.owner, entry.project, entry.for_workload)
            for entry in entries
        } == {(workload.owner, workload.id, "big", workload.owner, "default", "")}
        assert [entry.detail for entry in entries if entry.action in ("resize", "scale")] == [
            "gpu 5 to gpu 4",
            "3 tasks",
        ]
        assert before - 0.001 <= entries[0].at <= entries[-1].at <= time.time()

    async def test_what_did_not_come_to_pass_is_not_told(self, engine: Engine) -> None:
        workload = await engine.submit(asked(RUNS, 5))
        with pytest.raises(Conflict):
            await engine.delete(workload.id)
        await engine.stop(workload.id)
        with pytest.raises(Conflict):
            await engine.resume(workload.id)
        assert [entry.action for entry in await self._done(engine)] == ["submit", "stop"]

    async def test_an_eviction_names_for_whom_it_was(self, engine: Engine) -> None:
        training = await engine.submit(asked(RUNS, 2, name="training"))
        await until(engine, training.id, "running")
        urgent = await engine.submit(asked(RUNS, 2, kind="interactive", name="urgent"))
        await until(engine, urgent.id, "running")
        (entry,) = await self._done(engine, action="evict")
        assert (entry.user, entry.workload, entry.name) == (ENGINE, training.id, "training")
        assert (entry.for_workload, entry.for_name, entry.for_owner, entry.for_project) == (
            urgent.id,
            "urgent",
            urgent.owner,
            "default",
        )
        assert entry.detail.startswith("preempt: ")
        assert [known.action for known in await self._done(engine, workload="urgent")] == ["submit", "evict"]

    async def test_who_did_what_is_found_by_what_is_known(self, engine: Engine) -> None:
        first = await engine.submit(asked(RUNS, 5, name="first"))
        await engine.submit(asked(RUNS, 5, name="second"))
        between = (await self._done(engine))[1].at
        await engine.stop(first.id)
        of_first = await self._done(engine, workload=first.id)
        assert [entry.action for entry in of_first] == ["submit", "stop"]
        assert await self._done(engine, workload="first") == of_first
        assert [entry.name for entry in await self._done(engine, action="submit", user=first.owner)] == [
            "first",
            "second",
        ]
        assert await self._done(engine, user="nobody") == await self._done(engine, project="none") == []
        assert len(await self._done(engine, project="default")) == 3
        everything = await self._done(engine)
        assert await self._done(engine, since=between) == [entry for entry in everything if entry.at >= between]
        assert await self._done(engine, until=between) == [entry for entry in everything if entry.at < between]

    async def test_long_answers_come_in_pages(self, engine: Engine) -> None:
        for number in range(5):
            await engine.submit(asked(RUNS, 5, name=f"w{number}"))
        for newest_first in (False, True):
            found, after = [], ""
            for size in (2, 2, 1):
                page = await engine.audit(AuditQuery(limit=2, after=after, newest_first=newest_first))
                assert len(page.entries) == size
                found += page.entries
                after = page.next or ""
            assert after == ""
            names = [f"w{number}" for number in range(5)]
            assert [entry.name for entry in found] == (names[::-1] if newest_first else names)

    async def _done(self, engine: Engine, **asked_for: object) -> list[AuditEntry]:
        page = await engine.audit(AuditQuery(**asked_for))  # type: ignore[arg-type]
        assert page.next is None
        return list(page.entries)
