"""What a workload asks for, changed while it waits or runs: at once where that is possible, else at its next start."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from scheduler_core.errors import Conflict, RunaiError
from scheduler_core.local.book import Book
from scheduler_core.local.devices import Sample
from scheduler_core.local.ladder import Ladder
from scheduler_core.local.lifecycle import Lifecycle
from scheduler_core.local.projects import ProjectsFile
from scheduler_core.local.records import Record, TaskId, TaskRecord
from scheduler_core.local.snapshot import Machine, build_snapshot, held_device, planned_workload
from scheduler_core.local.tasks import asking_for, asking_next_for, resized
from scheduler_core.local.watchdog import memory_of_tasks
from scheduler_core.model import MILLI, Task, TaskRequest
from scheduler_core.planning.plan import plan
from scheduler_core.workload import Allocation, Resized

_log = logging.getLogger(__name__)
_EXTRA = "extra"


class Resizing:
    """Changes requests; what runs keeps its device."""

    def __init__(
        self, book: Book, lifecycle: Lifecycle, ladder: Ladder, machine: Callable[[], Machine], projects: ProjectsFile
    ) -> None:
        self._book = book
        self._lifecycle = lifecycle
        self._ladder = ladder
        self._machine = machine
        self._projects = projects

    async def resize(self, workload_id: str, request: TaskRequest) -> Resized:
        """Change what each task of a workload asks for.

        Raises:
            Conflict: it has ended, or was told to.
        """
        record = self._book.get(workload_id)
        if record.workload.has_ended or record.then in ("stopped", "failed"):
            raise Conflict(f"{record.workload.name} does not run any more.", "Submit it anew.")
        alive = list(record.alive())
        if not alive or request == record.spec.request:
            changed = await self._book.decide(workload_id, lambda known: asking_for(known, request))
            return Resized(workload=changed, applied="now")
        obstacle = await self._change_now(record, alive[0][1], request)
        if obstacle is None:
            return Resized(workload=self._book.get(workload_id).workload, applied="now")
        changed = await self._book.decide(workload_id, lambda known: asking_next_for(known, request))
        return Resized(workload=changed, applied="next_start", reason=obstacle)

    async def _change_now(self, record: Record, task: TaskRecord, request: TaskRequest) -> str | None:
        """Change the share of a running task; the reason why that is impossible now."""
        allocation = task.allocation
        obstacle = _form(record, task, request)
        if obstacle is not None or allocation is None:
            return obstacle
        if not self._ladder.can_change(allocation):
            return "what holds its share is set when it starts"
        machine, device = self._machine(), allocation.devices[0]
        fresh = replace(allocation, devices=(held_device(machine, device.id, request),))
        if fresh.devices[0].portion_milli > device.portion_milli or fresh.devices[0].memory_mib > device.memory_mib:
            if not await self._has_room(record, machine, request):
                return f"device {device.index} has no room for more now"
        elif _used_mib(record, task, machine.samples) > fresh.devices[0].memory_mib:
            return "it uses more device memory than that"
        return await self._grant(record, fresh, request, machine)

    async def _has_room(self, record: Record, machine: Machine, request: TaskRequest) -> bool:
        """Whether the planner would start, on this very device and now, work that asks for the difference."""
        task = record.tasks[0]
        device = task.allocation.devices[0].id if task.allocation else ""
        only = replace(machine, physical=tuple(known for known in machine.physical if known.id == device))
        extra = planned_workload(
            _EXTRA, record.spec, record.workload.created, None, (Task(id=_EXTRA, request=_more(record, request)),), 1
        )
        snapshot = build_snapshot(only, self._book.live(), self._projects.projects.queues, time.time(), (extra,))
        made = await asyncio.to_thread(plan, snapshot)
        return any(bind.task == _EXTRA for bind in made.binds)

    async def _grant(self, record: Record, fresh: Allocation, request: TaskRequest, machine: Machine) -> str | None:
        task = TaskId(record.workload.id, 0)
        memory_mib = {device.id: device.memory_mib for device in machine.physical if device.id == fresh.devices[0].id}

        async def change() -> None:
            if not await asyncio.to_thread(self._ladder.change, str(task), fresh):
                raise Conflict("MPS does not take the new limits")
            known = self._book.get(task.workload)
            if known.then is not None or known.tasks[0].state != "running":
                raise Conflict("it has ended meanwhile")
            await self._book.decide(task.workload, lambda known: resized(known, request, fresh))

        try:
            if await self._lifecycle.booked(task.workload, {0: fresh}, memory_mib, change):
                return None
        except Conflict as error:
            return error.message
        except RunaiError:
            _log.exception("%s could not be resized", record.workload.name)
            return "it could not be written down"
        return "another engine of this host was faster"


def _form(record: Record, task: TaskRecord, request: TaskRequest) -> str | None:
    """Why a change from one request to another cannot be made while it runs; null where it may be."""
    before = record.spec.request
    if len(record.tasks) > 1:
        return "its tasks have to start together with it"
    if task.state != "running" or record.then is not None or task.then is not None:
        return "it is not running yet, or not any more"
    same = replace(before, gpu=request.gpu, gpu_memory_mib=request.gpu_memory_mib) == request
    shares = all(asked.portion_milli or asked.gpu_memory_mib for asked in (before, request))
    like = bool(before.portion_milli) == bool(request.portion_milli)
    if not (same and shares and like and request.gpu_devices == 1):
        return "only a share of one device can change its size while it is in use"
    return None


def _more(record: Record, request: TaskRequest) -> TaskRequest:
    before = record.spec.request
    if request.gpu_memory_mib:
        return TaskRequest(gpu_memory_mib=request.gpu_memory_mib - before.gpu_memory_mib)
    return TaskRequest(gpu=f"{(request.portion_milli - before.portion_milli) / MILLI:.3f}")


def _used_mib(record: Record, task: TaskRecord, samples: Mapping[str, Sample]) -> int:
    name = TaskId(record.workload.id, 0)
    return sum(memory_of_tasks({name: task}, samples).get(name, {}).values())
