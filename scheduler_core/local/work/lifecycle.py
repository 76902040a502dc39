"""What people and plans decide of a workload: start it on what it was given, stop, suspend, resume or evict it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import TypeAlias

from msgspec.structs import replace

from scheduler_core.audit import ENGINE, AuditAction
from scheduler_core.caps import allocation_environment
from scheduler_core.errors import Conflict, InvalidRequest
from scheduler_core.local.access.acts import Act, counted
from scheduler_core.local.machine.identity import Process, this_process
from scheduler_core.local.machine.ladder import Ladder
from scheduler_core.local.machine.ledger import Claim, Ledger
from scheduler_core.local.record.records import Ending, Record, TaskId, TaskRecord
from scheduler_core.local.record.runs import Exit
from scheduler_core.local.record.tasks import (
    launched,
    released,
    replace_workload,
    scaled,
    scaling_obstacle,
    some_told_to_go,
    stopped_where_it_waits,
    told_to_go,
)
from scheduler_core.local.record.world import world_variables
from scheduler_core.local.work.book import Book
from scheduler_core.local.work.following import Runs
from scheduler_core.model import TaskRequest
from scheduler_core.workload import Allocation, Resized, Scale, Workload

Held: TypeAlias = Mapping[int, tuple[Allocation, dict[str, str]]]


class Lifecycle:
    """Decides on the workloads of one engine; `freed` is called whenever a device came free."""

    def __init__(self, book: Book, folder: Path, ladder: Ladder, simulated: bool, freed: Callable[[], None]) -> None:
        self._book = book
        self._ladder = ladder
        self._simulated = simulated
        self._booking: dict[str, Mapping[int, Allocation]] = {}
        self._this = this_process()
        self.runs = Runs(book, folder, ladder, freed)

    def keep_ledger(self, ledger_folder: Path, engine: str) -> Ledger:
        """The host's ledger, written from what this engine's workloads hold."""
        self._ledger = Ledger(ledger_folder, engine, lambda: self._claims(engine))
        self.runs.keep_in(self._ledger)
        return self._ledger

    def running(self) -> dict[TaskId, TaskRecord]:
        """The tasks whose process runs."""
        return self._book.running()

    def holders(self) -> dict[TaskId, TaskRecord]:
        """The tasks that hold devices, also while their process starts."""
        return {task: known for record in self._book.live() for task, known in record.alive()}

    async def start(
        self,
        workload_id: str,
        request: TaskRequest,
        allocations: Mapping[int, Allocation],
        memory_mib: Mapping[str, int],
    ) -> bool:
        """Start tasks of a workload, all or none, on what each was given.

        Not so where it was told to go meanwhile, or asks for something else than this `request` by now. `memory_mib` is
        the memory of each of their devices. False where another engine of this host was faster.

        Raises:
            RunaiError, OSError: it could not be booked or written down; it waits as before.
        """

        async def launch() -> None:
            held = await self._hold(workload_id, allocations)
            record = self._book.get(workload_id)
            try:
                if _may_start(record, request, allocations):
                    await self._launch(record, request, held, memory_mib)
            finally:
                await self._let_go_of_unstarted(workload_id, held)

        return await self.booked(workload_id, allocations, memory_mib, launch)

    async def booked(
        self,
        workload_id: str,
        allocations: Mapping[int, Allocation],
        memory_mib: Mapping[str, int],
        change: Callable[[], Awaitable[None]],
    ) -> bool:
        """Make a `change` after which tasks hold this; false where another engine of this host was faster."""
        self._booking[workload_id] = allocations
        try:
            if not await asyncio.to_thread(self._ledger.book, memory_mib):
                return False
            await change()
            return True
        finally:
            self._booking.pop(workload_id, None)
            for allocation in allocations.values():
                await self.runs.refresh(allocation)

    async def stop(self, workload_id: str, user: str = ENGINE) -> Workload:
        """End a workload: at once while it holds nothing, else by SIGTERM, its grace period and SIGKILL."""
        return await self.runs.tell_to_go(workload_id, _stopped, Act(action="stop", user=user))

    async def suspend(self, workload_id: str, user: str = ENGINE) -> Workload:
        """Free what a workload holds and keep it: at once while it waits, else as `stop` does.

        Raises:
            Conflict: it has ended, or was told to.
        """
        return await self.runs.tell_to_go(workload_id, _suspended, Act(action="suspend", user=user))

    async def resume(self, workload_id: str, user: str = ENGINE) -> Workload:
        """Let a workload that is suspended, or on its way there, wait for its devices again.

        Raises:
            Conflict: it has ended, or was told to.
        """
        return await self._book.decide(workload_id, _resumed, Act(action="resume", user=user))

    async def scale(self, workload_id: str, scale: Scale, user: str = ENGINE) -> Resized:
        """Change how many tasks a workload has: at once where what runs of it goes on as it is.

        Raises:
            InvalidRequest: the tasks of an array have no fewest.
            Conflict: it has ended, or was told to.
        """
        obstacle = ""

        def change(known: Record) -> Record:
            nonlocal obstacle
            if scale.min_tasks is not None and not unended(known).spec.gang:
                raise InvalidRequest(f"{known.workload.name} is an array: none of its tasks waits for others.")
            obstacle = scaling_obstacle(unended(known), scale)
            return scaled(known, scale, time.time())

        act = Act(action="scale", user=user, detail=counted(scale))
        workload = await self.runs.tell_to_go(workload_id, change, act)
        return Resized(workload=workload, applied="next_start" if obstacle else "now", reason=obstacle)

    async def evict(self, workload_id: str, tasks: frozenset[int], reason: str, *acts: Act) -> None:
        """Take these tasks of a workload off their devices for others; they wait again."""
        if workload_id in self._book:
            await self.runs.tell_to_go(workload_id, lambda known: _evicted(known, tasks, reason), *acts)

    async def tell(self, workload_id: str, then: Ending, reason: str) -> None:
        """Tell what runs of a workload to go, for this reason; it becomes `then` when it has gone."""

        def told(known: Record) -> Record:
            goes_on = known.then is None and any(known.alive())
            return told_to_go(known, then, reason, time.time()) if goes_on else known

        action: AuditAction = "suspend" if then == "suspended" else "stop"
        await self.runs.tell_to_go(workload_id, told, Act(action=action, detail=reason))

    async def release(self, workload_id: str, reason: str) -> None:
        """Take the devices of what runs, from which its processes have gone, and let it go on without them."""
        before = self._book.get(workload_id)
        act = Act(action="release", detail=reason)
        await self._book.decide(
            workload_id, lambda known: released(known, reason) if known.then is None else known, act
        )
        for task, known in before.alive():
            await self.runs.free(task, known.allocation)

    async def _hold(self, workload_id: str, allocations: Mapping[int, Allocation]) -> Held:
        """Each allocation with what holds it, and the variables that this takes."""
        held = {}
        for index, allocation in allocations.items():
            task = str(TaskId(workload_id, index))
            held[index] = (
                self._ladder.hold(task, allocation)
                if self._ladder.is_by_itself(allocation)
                else await asyncio.to_thread(self._ladder.hold, task, allocation)
            )
        return held

    async def _let_go_of_unstarted(self, workload_id: str, held: Held) -> None:
        tasks = self._book.get(workload_id).tasks if workload_id in self._book else ()
        for index, (allocation, _) in held.items():
            started = index < len(tasks) and tasks[index].is_alive
            if not started and not self._ladder.is_by_itself(allocation):
                await self.runs.let_go(TaskId(workload_id, index))

    async def _launch(self, record: Record, request: TaskRequest, held: Held, memory_mib: Mapping[str, int]) -> None:
        workload_id = record.workload.id
        allocations = {index: allocation for index, (allocation, _) in held.items()}
        port = record.port
        if len(record.tasks) > 1 and record.spec.gang and not any(record.alive()):
            port = free_port()
        fresh = launched(record, allocations, time.time(), port)
        for index, allocation in allocations.items():
            task = TaskId(workload_id, index)
            folder = self.runs.folder(task)
            environment = dict(record.spec.env)
            environment |= allocation_environment(allocation, memory_mib, self._simulated, environment)
            environment |= held[index][1] | folder.variables() | world_variables(fresh, index)
            if not folder.path.is_dir():
                await self.runs.finish(task, Exit(1, "its folder is gone", time.time()))
                return
            folder.write_launch(record.spec.command, record.spec.cwd, environment)
        starts = False

        def start(known: Record) -> Record:
            nonlocal starts
            starts = _may_start(known, request, allocations)
            return launched(known, allocations, time.time(), port) if starts else known

        await self._book.decide(workload_id, start)
        if not starts:
            return
        try:
            await self.runs.launch([TaskId(workload_id, index) for index in allocations])
        finally:
            self.runs.copies.keep_in_time(self._book.get(workload_id), held)

    def _claims(self, engine: str) -> list[Claim]:
        """What this engine's workloads hold, and what is being booked for some."""
        claims = []
        for record in self._book.live():
            held = {task.index: known.allocation for task, known in record.alive() if known.allocation is not None}
            for index, allocation in (held | dict(self._booking.get(record.workload.id, {}))).items():
                known = record.tasks[index] if index < len(record.tasks) else None
                holder = (known and known.supervisor) or self._this
                claims += _claims_of(record, allocation, holder, engine)
        return claims


def unended(record: Record) -> Record:
    """The record of a workload that may go on.

    Raises:
        Conflict: it has ended, or was told to.
    """
    workload = record.workload
    if workload.has_ended or record.then in ("stopped", "failed"):
        what = f"is {workload.state}" if workload.has_ended else "was told to stop"
        raise Conflict(f"{workload.name} {what}.", "Submit it anew.")
    return record


def _stopped(record: Record) -> Record:
    workload = record.workload
    if workload.has_ended or workload.stop_requested is not None:
        return record
    if any(record.alive()):
        return told_to_go(record, "stopped", "", time.time())
    word = "waiting" if workload.state == "pending" else "suspended"
    return stopped_where_it_waits(record, time.time(), f"stopped while {word}")


def _suspended(record: Record) -> Record:
    if unended(record).workload.state == "suspended":
        return record
    if any(record.alive()):
        return told_to_go(record, "suspended", "", time.time())
    return replace_workload(record, state="suspended", verdict=None, reason="")


def _resumed(record: Record) -> Record:
    if unended(record).workload.state == "suspended":
        return replace_workload(record, state="pending")
    return replace(record, then="pending") if record.workload.state == "suspending" else record


def _evicted(record: Record, tasks: Collection[int], reason: str) -> Record:
    if record.then is not None:
        return record
    alive = {task.index: known for task, known in record.alive()}
    leaving = [index for index in tasks if index in alive and alive[index].then is None]
    if leaving and len(leaving) == len(alive):
        return told_to_go(record, "pending", reason, time.time())
    return some_told_to_go(record, leaving, "pending", reason) if leaving else record


def _may_start(record: Record, request: TaskRequest, indices: Collection[int]) -> bool:
    """Whether a workload still is as it was when these tasks of it were given something."""
    tasks = record.tasks
    waiting = all(index < len(tasks) and tasks[index].state == "pending" for index in indices)
    stays = record.then is None and record.workload.state not in ("suspended", "stopped")
    return waiting and stays and record.spec.request == request


def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _claims_of(record: Record, allocation: Allocation, holder: Process, engine: str) -> list[Claim]:
    """The claims of one task, one a device, held by the process `holder`."""
    request = record.spec.request
    return [
        Claim(
            engine=engine,
            workload=record.workload.id,
            name=record.workload.name,
            owner=record.workload.owner,
            device=device.id,
            milli=0 if request.gpu_memory_mib else device.portion_milli,
            memory_mib=device.memory_mib if request.gpu_memory_mib else 0,
            holder=holder,
        )
        for device in allocation.devices
    ]
