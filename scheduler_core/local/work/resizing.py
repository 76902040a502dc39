"""What a workload asks for, changed while it waits or runs: at once where that is possible, else at its next start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from scheduler_core.errors import RunaiError
from scheduler_core.local.access.acts import Act, asked
from scheduler_core.local.machine.ladder import Ladder
from scheduler_core.local.record.processes import memory_of_tasks
from scheduler_core.local.record.records import Record, TaskId, TaskRecord
from scheduler_core.local.record.tasks import asking_for, resized
from scheduler_core.local.work.book import Book
from scheduler_core.local.work.lifecycle import Lifecycle, unended
from scheduler_core.local.work.past_use import PastUses
from scheduler_core.local.work.snapshot import Machine, build_snapshot, held_device
from scheduler_core.model import MILLI, Task, TaskRequest
from scheduler_core.nvml import Sample
from scheduler_core.planned import planned_workload
from scheduler_core.planning.plan import plan
from scheduler_core.workload import Allocation, Resized

_EXTRA = "extra"


class Resizing:
    """Changes requests; what runs keeps its device."""

    def __init__(
        self, book: Book, lifecycle: Lifecycle, ladder: Ladder, machine: Callable[[], Machine], past: PastUses
    ) -> None:
        self._book = book
        self._lifecycle = lifecycle
        self._ladder = ladder
        self._machine = machine
        self._past = past
        self._one_at_a_time = asyncio.Lock()

    async def resize(self, workload_id: str, request: TaskRequest, user: str) -> Resized:
        """Change what each task of a workload asks for.

        Raises:
            Conflict: it has ended, or was told to.
        """
        async with self._one_at_a_time:
            return await self._resize(workload_id, request, user)

    async def _resize(self, workload_id: str, request: TaskRequest, user: str) -> Resized:
        record, obstacle = unended(self._book.get(workload_id)), ""
        act = Act(action="resize", user=user, detail=f"{asked(record.spec.request)} to {asked(request)}")
        if any(record.alive()) and request != record.spec.request:
            obstacle = await self._change_now(record, request, act)
            if not obstacle:
                return Resized(workload=self._book.workload(workload_id), applied="now")
        workload = await self._book.decide(workload_id, lambda known: asking_for(unended(known), request), act)
        if workload.next_request is None:
            return Resized(workload=workload, applied="now")
        return Resized(workload=workload, applied="next_start", reason=obstacle)

    async def _change_now(self, record: Record, request: TaskRequest, act: Act) -> str:
        """Change the share of a running task; the reason why that is impossible now, or empty."""
        task = record.tasks[0]
        allocation = task.allocation
        obstacle = _obstacle(record, task, request)
        if obstacle or allocation is None:
            return obstacle or "it holds nothing"
        if not self._ladder.can_change(allocation):
            return "what holds its share is set when it starts"
        machine, device = self._machine(), allocation.devices[0]
        fresh = replace(allocation, devices=(held_device(machine, device.id, request),))
        if (fresh.devices[0].portion_milli, fresh.devices[0].memory_mib) > (device.portion_milli, device.memory_mib):
            if not await self._has_room(record, device.id, machine, request):
                return f"device {device.index} has no room for more now"
            memory_mib = {known.id: known.memory_mib for known in machine.physical if known.id == device.id}
            return await self._grow(record, fresh, request, memory_mib, act)
        if _used_mib(record, task, machine.samples) > fresh.devices[0].most_mib:
            return "it uses more device memory than that"
        return await self._change(record, fresh, request, act)

    async def _has_room(self, record: Record, device: str, machine: Machine, request: TaskRequest) -> bool:
        """Whether the planner would start, on this very device and now, work that asks for the difference."""
        only = replace(machine, physical=tuple(known for known in machine.physical if known.id == device))
        extra = planned_workload(
            _EXTRA, record.spec, record.workload.created, None, (Task(id=_EXTRA, request=_more(record, request)),), 1
        )
        live, past = self._book.live(), self._past
        snapshot = build_snapshot(only, live, past.queues, time.time(), (extra,), past.config)
        made = await asyncio.to_thread(plan, snapshot)
        return any(bind.task == _EXTRA for bind in made.binds)

    async def _grow(
        self, record: Record, fresh: Allocation, request: TaskRequest, memory_mib: Mapping[str, int], act: Act
    ) -> str:
        """Book more first: another engine of this host may have been faster."""
        obstacle = "another engine of this host was faster"

        async def change() -> None:
            nonlocal obstacle
            obstacle = await self._change(record, fresh, request, act)

        await self._lifecycle.booked(record.workload.id, {0: fresh}, memory_mib, change)
        return obstacle

    async def _change(self, record: Record, fresh: Allocation, request: TaskRequest, act: Act) -> str:
        """Let what holds the share follow, then write it down; undone where that fails."""
        task, before = TaskId(record.workload.id, 0), record.tasks[0]
        if not await asyncio.to_thread(self._ladder.change, str(task), fresh):
            return "MPS does not take the new limits"
        obstacle = ""
        known = self._book.get(task.workload)
        if known.then is not None or known.tasks[0] != before:
            obstacle = "it has changed or ended meanwhile"
        else:
            try:
                await self._book.decide(task.workload, lambda known: resized(known, request, fresh), act)
            except RunaiError as error:
                obstacle = f"it could not be written down: {error.message}"
        if obstacle and before.allocation is not None:
            await asyncio.to_thread(self._ladder.change, str(task), before.allocation)
        await self._lifecycle.runs.refresh(fresh)
        return obstacle


def _obstacle(record: Record, task: TaskRecord, request: TaskRequest) -> str:
    """Why a change from one request to another cannot be made while it runs; empty where it may be."""
    before = record.spec.request
    if len(record.tasks) > 1:
        return "its tasks have to start together with it"
    if task.state != "running" or record.then is not None or task.then is not None:
        return "it is not running yet, or not any more"
    amounts = ("gpu", "gpu_memory_mib", "gpu_limit", "gpu_memory_limit_mib")
    same = replace(before, **{name: getattr(request, name) for name in amounts}) == request
    shares = all(asked.portion_milli or asked.gpu_memory_mib for asked in (before, request))
    like = bool(before.portion_milli) == bool(request.portion_milli)
    if not (same and shares and like and request.gpu_devices == 1):
        return "only a share of one device can change its size while it is in use"
    return ""


def _more(record: Record, request: TaskRequest) -> TaskRequest:
    before = record.spec.request
    if request.gpu_memory_mib:
        return TaskRequest(gpu_memory_mib=request.gpu_memory_mib - before.gpu_memory_mib)
    return TaskRequest(gpu=f"{(request.portion_milli - before.portion_milli) / MILLI:.3f}")


def _used_mib(record: Record, task: TaskRecord, samples: Mapping[str, Sample]) -> int:
    name = TaskId(record.workload.id, 0)
    uid = record.workload.owner_uid
    owners = {} if uid is None else {name: uid}
    return sum(memory_of_tasks({name: task}, samples, owners).get(name, {}).values())
