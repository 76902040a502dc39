"""The scheduling loop: gather changes, take a snapshot, plan it, check the plan, apply it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping

from msgspec.structs import replace

from scheduler_core.errors import RunaiError
from scheduler_core.local.access.acts import evictions
from scheduler_core.local.record.records import Record, by_workload
from scheduler_core.local.record.tasks import replace_workload
from scheduler_core.local.work.book import Book
from scheduler_core.local.work.lifecycle import Lifecycle
from scheduler_core.local.work.loans import Loans
from scheduler_core.local.work.past_use import PastUses
from scheduler_core.local.work.snapshot import (
    OTHERS_QUEUE,
    Machine,
    allocation_of,
    build_snapshot,
)
from scheduler_core.model import Bind, Eviction, Plan, Snapshot, TaskRequest, Verdict, VerdictCode
from scheduler_core.planned import forecast, pending_workload, spec_change
from scheduler_core.planning.check import Violation, check
from scheduler_core.planning.plan import plan
from scheduler_core.planning.remedies import changes
from scheduler_core.workload import PRIORITIES, PlannerTime, QueueStatus, SpecChange, WorkloadSpec

_log = logging.getLogger(__name__)
_RETRY_S = 0.5
_PREVIEW_ID = "preview"


class Scheduling:
    """Plans whenever something changed, one plan at a time, off the event loop; `applied` is called after each."""

    def __init__(
        self,
        book: Book,
        lifecycle: Lifecycle,
        loans: Loans,
        machine: Callable[[], Machine],
        past: PastUses,
        look_again: Callable[[], Awaitable[None]],
        applied: Callable[[], None],
    ) -> None:
        self._book = book
        self._lifecycle = lifecycle
        self._loans = loans
        self._machine = machine
        self._past = past
        self._look_again = look_again
        self._applied = applied
        self._changed = asyncio.Event()
        self._planned_for_s = 0.0
        self.spent = PlannerTime()
        self.queues: tuple[QueueStatus, ...] = ()
        self.waiting: Mapping[tuple[str, VerdictCode], int] = {}
        """How many workloads wait, by their project and the cause that the last plan saw."""

    def wake(self) -> None:
        """Something changed: plan again."""
        self._changed.set()

    async def run(self) -> None:
        """Plan for ever; a defect of ours in one cycle is logged and the next change tries again.

        Planning rests for as long as it took: a long queue leaves half of the engine's time for everything else.
        """
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._cycle()
            except Exception:
                _log.exception("A scheduling cycle failed")
            await asyncio.sleep(self._planned_for_s)

    async def preview(self, spec: WorkloadSpec) -> Verdict:
        """The verdict that `spec` would get now."""
        now = time.time()
        asked = pending_workload(_PREVIEW_ID, spec, now)
        live = self._book.live()
        snapshot = build_snapshot(self._machine(), live, self._past.queues, now, (asked,), self._past.config)
        made = await asyncio.to_thread(plan, snapshot)
        verdict = next(verdict for verdict in made.verdicts if verdict.workload == _PREVIEW_ID)
        names = {record.workload.id: record.workload.name for record in live}
        return replace(verdict, facts=verdict.facts | forecast(made, asked, names))

    async def remedies(self, workload_id: str) -> tuple[SpecChange, ...]:
        """What would let a waiting workload start now."""
        live, past = self._book.live(), self._past
        snapshot = build_snapshot(self._machine(), live, past.queues, time.time(), config=past.config)
        asked = next((known for known in snapshot.workloads if known.id == workload_id), None)
        if asked is None:
            return ()
        found = await asyncio.to_thread(changes, snapshot, workload_id, PRIORITIES)
        spec = self._book.get(workload_id).spec
        return tuple(spec_change(spec, asked, change) for change in found)

    async def _cycle(self) -> None:
        machine = self._machine()
        queues = self._past.queues
        records = self._book.live()
        snapshot = build_snapshot(machine, records, queues, time.time(), config=self._past.config)
        started = time.monotonic()
        made, violations = await asyncio.to_thread(_plan_and_check, snapshot)
        self._planned_for_s = time.monotonic() - started
        self.spent = PlannerTime(plans=self.spent.plans + 1, seconds=self.spent.seconds + self._planned_for_s)
        if violations:
            _log.error("A plan is not valid and is not applied: %s", violations)
            return
        parents = {queue.name: queue.parent for queue in queues}
        self.queues = tuple(replace(status, past_use=self._past.of(status.name)) for status in _queues(made, parents))
        binds, evicted = by_workload(made.binds), by_workload(made.evictions)
        self.waiting = Counter(
            (record.spec.queue, verdict.code)
            for verdict in made.verdicts
            if verdict.workload not in binds and (record := self._waiting_record(verdict.workload)) is not None
        )
        for verdict in made.verdicts:
            if verdict.workload not in binds:
                self._book.note_verdict(verdict)
        for workload in self._loans.keep_calls(binds.keys()):
            await self._say(workload, "")
        await asyncio.gather(*(self._evict(workload, of_it) for workload, of_it in evicted.items()))
        asked = {record.workload.id: record.spec.request for record in records}
        await asyncio.gather(*(self._start(name, of_it, asked[name], machine) for name, of_it in binds.items()))
        if made.binds and any(verdict.state == "pending" for verdict in made.verdicts):
            # Who is left has moved up.
            self.wake()
        self._applied()

    def _waiting_record(self, workload_id: str) -> Record | None:
        """A workload of which nothing runs and which waits for devices."""
        record = self._book.get(workload_id) if workload_id in self._book else None
        return record if record is not None and record.workload.state == "pending" else None

    async def _evict(self, workload_id: str, evicted: Mapping[int, Eviction]) -> None:
        if workload_id not in self._book:
            return
        first = next(iter(evicted.values()))
        acts = evictions(evicted, self._book.workload(workload_id).tasks, self._book.seen)
        try:
            await self._lifecycle.evict(workload_id, frozenset(evicted), f"{first.action}: {first.reason}", *acts)
        except RunaiError:
            _log.exception("%s could not be evicted", workload_id)

    async def _start(self, workload_id: str, binds: Mapping[int, Bind], request: TaskRequest, machine: Machine) -> None:
        if workload_id not in self._book:
            return
        allocations = {index: allocation_of(bind, request, machine) for index, bind in sorted(binds.items())}
        held = {device.id for allocation in allocations.values() for device in allocation.devices}
        memory_mib = {device.id: device.memory_mib for device in machine.physical if device.id in held}
        lent = self._loans.call_back(workload_id, allocations.values())
        if lent:
            await self._say(workload_id, lent)
            return
        try:
            if await self._lifecycle.start(workload_id, request, allocations, memory_mib):
                return
        except (RunaiError, OSError):
            _log.exception("%s could not be started and goes on waiting", workload_id)
        # Another user's engine was faster, or the disk is full: look again before trying again.
        await self._look_again()
        asyncio.get_running_loop().call_later(_RETRY_S, self.wake)

    async def _say(self, workload_id: str, reason: str) -> None:
        """Tell why a workload that has its place does not start yet."""

        def said(known: Record) -> Record:
            waits = known.workload.state == "pending" and known.workload.reason != reason
            return replace_workload(known, reason=reason) if waits else known

        try:
            await self._book.decide(workload_id, said)
        except RunaiError:
            _log.exception("It could not be written down why %s waits", workload_id)


def _queues(made: Plan, parents: Mapping[str, str | None]) -> Iterator[QueueStatus]:
    return (
        QueueStatus(
            name=share.queue,
            parent=parents.get(share.queue),
            quota=share.quota,
            limit=share.limit,
            fair_share=share.fair_share,
            allocated=share.allocated,
            requested=share.requested,
        )
        for share in made.shares
        if share.resource == "gpu" and share.pool == "default" and share.queue != OTHERS_QUEUE
    )


def _plan_and_check(snapshot: Snapshot) -> tuple[Plan, list[Violation]]:
    made = plan(snapshot)
    return made, check(snapshot, made)
