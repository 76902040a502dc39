"""The engine itself, inside the daemon: what each request means."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from msgspec.structs import replace

from scheduler_core.accounting.past import QueueHistory
from scheduler_core.accounting.usage import Usage, UsageBy, UsageStep
from scheduler_core.audit import AuditAction, AuditPage, AuditQuery
from scheduler_core.errors import Conflict, NotFound, RunaiError
from scheduler_core.feed import Feed
from scheduler_core.local.access.auditing import Auditing
from scheduler_core.local.access.callers import Caller, Callers, OnlyUser
from scheduler_core.local.access.projects import FILE, ProjectsFile
from scheduler_core.local.access.settings import Settings
from scheduler_core.local.access.shared import SharedSettings, closed_to_users, open_to_all
from scheduler_core.local.durable.recovery import find_again
from scheduler_core.local.durable.store import Store
from scheduler_core.local.machine.devices import open_devices, parse_simulated
from scheduler_core.local.machine.ladder import Ladder
from scheduler_core.local.machine.output import OutputRotation
from scheduler_core.local.machine.paths import ledger_directory, runtime_directory
from scheduler_core.local.machine.survival import survived_restarts, user_name
from scheduler_core.local.metering.accounting import Accounting
from scheduler_core.local.metering.activity import Activities
from scheduler_core.local.metering.meter import Meter
from scheduler_core.local.metering.monitor import Monitor
from scheduler_core.local.metering.rules import Rules
from scheduler_core.local.metering.watchdog import Watchdog
from scheduler_core.local.record.processes import memory_of_tasks
from scheduler_core.local.record.runs import RunFolder
from scheduler_core.local.record.tasks import submission, task_statuses
from scheduler_core.local.wire.protocol import PROTOCOL, STAGING
from scheduler_core.local.work.book import Book
from scheduler_core.local.work.clearing import Clearing
from scheduler_core.local.work.lifecycle import Lifecycle
from scheduler_core.local.work.loans import Loans
from scheduler_core.local.work.past_use import PastUses
from scheduler_core.local.work.policies import EnginePolicies
from scheduler_core.local.work.resizing import Resizing
from scheduler_core.local.work.scheduling import Scheduling
from scheduler_core.local.work.snapshot import show_devices
from scheduler_core.local.work.submitting import Submitting
from scheduler_core.model import TaskRequest
from scheduler_core.nvml import Sample
from scheduler_core.policies.file import FILE as POLICIES_FILE
from scheduler_core.workload import (
    Device,
    DevicesChanged,
    EngineInfo,
    EngineState,
    Event,
    Explanation,
    Measurement,
    QueuesChanged,
    QueueStatus,
    Resized,
    Scale,
    Step,
    TaskStatus,
    Workload,
    WorkloadSpec,
)

_log = logging.getLogger(__name__)
_LOOK_AT_PROJECTS_S = 1.0


class Service:
    """One engine run over one store. Construct it, `start` it, and call `close` at the end."""

    def __init__(self, directory: Path, settings: Settings, shared: SharedSettings | None = None) -> None:
        self._directory = directory
        self._settings = settings
        self._folder = settings.folder(directory)
        self._staging = directory / STAGING
        workloads = self._folder / "workloads"
        for folder in (self._folder, self._staging, workloads):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if shared is not None:
            open_to_all([self._folder, workloads], self._staging)
        simulated = self._simulated = settings.simulate is not None
        engine_id = settings.engine_id(directory)
        self._devices = open_devices(settings.simulate, engine_id)
        self._store = Store(self._folder / "store.sqlite")
        found_again = find_again(self._store, workloads)
        self._feed = Feed(self._state, lambda: self._scheduling.spent)
        self._book = Book(self._store, self._feed)
        # An MPS server serves one user at a time: those of a shared engine would wait for each other.
        ladder = Ladder(None if shared else runtime_directory(directory) / "mps" / engine_id, simulated)
        self._lifecycle = Lifecycle(self._book, workloads, ladder, simulated, self._freed)
        self._runs = self._lifecycle.runs
        ledger = self._lifecycle.keep_ledger(self._ledger_folder(), engine_id)
        self._watchdog = Watchdog(self._runs, ladder, settings.watchdog)
        self._rotation = OutputRotation(settings.output_mib)
        self._meter = Meter(self._book, self._store, simulated)
        self._activities = Activities(self._book, self._meter, simulated)
        self._monitor = Monitor(self._devices, ledger, self._lifecycle, self._look, self._machine_changed)
        named = None if shared is None else shared.projects
        self._projects_file = directory / FILE if named is None else Path(named)
        self._projects = ProjectsFile(self._projects_file)
        ruled = None if shared is None else shared.policies
        self._policies_file = directory / POLICIES_FILE if ruled is None else Path(ruled)
        self.policies = EnginePolicies(self._policies_file, self._projects, self._monitor.machine)
        self.rules = Rules(self._book, self._lifecycle, self.policies, self._activities)
        self._accounting = Accounting(self._book, self._store, self._projects, settings.prices, simulated)
        self._auditing = Auditing(self._store, settings.audit_kept_days)
        self._loans = Loans(self._book, self._monitor.machine, settings.watchdog.allowance_mib)
        self._past = PastUses(self._store, self._projects, self._monitor.machine)
        self._scheduling = Scheduling(
            self._book,
            self._lifecycle,
            self._loans,
            self._monitor.machine,
            self._past,
            self._monitor.look_again,
            self._publish,
        )
        self._resizing = Resizing(self._book, self._lifecycle, ladder, self._monitor.machine, self._past)
        self.submitting = Submitting(
            self._book, self._runs, self._scheduling, self._projects, self.policies, self._staging, simulated
        )
        self.clearing = Clearing(self._book, self._runs, workloads, self._staging)
        self._is_shared = shared is not None
        self.callers: Callers = OnlyUser() if shared is None else shared.callers(lambda: self._projects.projects)
        self._user = user_name()
        self._found_at_start = (found_again, closed_to_users() if shared else "")
        self._shown_devices: tuple[Device, ...] = ()
        self._shown_queues: tuple[QueueStatus, ...] = ()

    async def start(self) -> None:
        """Take up what an earlier run left, and begin to plan."""
        self.clearing.clear_half_made()
        await asyncio.to_thread(self._monitor.read)
        self._shown_devices = self.devices()
        await self._accounting.open()
        await self._past.refresh()
        await self._note_files()
        self._runs.adopt()
        self._runs.spawn(self._monitor.run())
        self._runs.spawn(self._scheduling.run())
        self._runs.spawn(self.clearing.run())
        self._runs.spawn(self._watch_projects())
        self._runs.spawn(self._accounting.run())
        self._runs.spawn(self._past.run(self._scheduling.wake))
        self._runs.spawn(self._auditing.run())
        self._scheduling.wake()

    def close(self) -> None:
        """Leave everything on disk; running workloads go on."""
        self._accounting.meter.close()
        self._runs.copies.close()
        self._accounting.queue_meter.close()
        self._store.close()

    def info(self) -> EngineInfo:
        return EngineInfo(
            kind="local",
            protocol=PROTOCOL,
            version=_version(),
            host=socket.gethostname(),
            user=self._user,
            pid=os.getpid(),
            simulated=self._devices.simulated,
            notice=" ".join(filter(None, (self._devices.notice, *self._found_at_start, *self._problems()))),
            survives=survived_restarts(self._is_shared),
            shared=self._is_shared,
        )

    def __contains__(self, workload_id: str) -> bool:
        return workload_id in self._book

    def list(self) -> tuple[Workload, ...]:
        return self._book.workloads()

    def get(self, workload_id: str) -> Workload:
        return self._book.workload(workload_id)

    async def stop(self, workload_id: str, caller: Caller) -> Workload:
        workload = await self._lifecycle.stop(workload_id, caller.name)
        self._scheduling.wake()
        return workload

    async def suspend(self, workload_id: str, caller: Caller) -> Workload:
        workload = await self._lifecycle.suspend(workload_id, caller.name)
        self._scheduling.wake()
        return workload

    async def resume(self, workload_id: str, caller: Caller) -> Workload:
        self.rules.check(workload_id)
        workload = await self._lifecycle.resume(workload_id, caller.name)
        self._scheduling.wake()
        return workload

    async def resize(self, workload_id: str, request: TaskRequest, caller: Caller) -> Resized:
        request = self.rules.checked_request(workload_id, request)
        answer = await self._resizing.resize(workload_id, request, caller.name)
        self._scheduling.wake()
        return answer

    async def scale(self, workload_id: str, scale: Scale, caller: Caller) -> Resized:
        self.rules.check(workload_id, tasks=scale.tasks)
        answer = await self._lifecycle.scale(workload_id, scale, caller.name)
        self._scheduling.wake()
        return answer

    def deleted(self) -> tuple[Workload, ...]:
        return self._book.trash()

    def anywhere(self, workload_id: str) -> Workload:
        """A workload, be it deleted."""
        return self._book.anywhere(workload_id)

    def specification(self, workload_id: str) -> WorkloadSpec:
        return submission(self._book.get(workload_id))

    async def explain(self, workload_id: str, remedies: bool = False) -> Explanation:
        workload = self.get(workload_id)
        queue = next((queue for queue in self._scheduling.queues if queue.name == workload.queue), None)
        waits = remedies and workload.state == "pending"
        helpful = await self._scheduling.remedies(workload_id) if waits else ()
        return Explanation(workload=workload, verdict=workload.verdict, queue=queue, remedies=helpful)

    def queues(self) -> tuple[QueueStatus, ...]:
        return self._scheduling.queues

    def devices(self) -> tuple[Device, ...]:
        return show_devices(self._monitor.machine(), self._book.live(), self._simulated)

    def tasks(self, workload_id: str) -> tuple[TaskStatus, ...]:
        return task_statuses(self._book.get(workload_id))

    async def measurements(self, workload_id: str, step: Step, since: float) -> tuple[Measurement, ...]:
        self._book.workload(workload_id)
        return await self._meter.measured(workload_id, step, since)

    def follow_measurements(
        self, workload_id: str, step: Step, since: float
    ) -> AsyncGenerator[tuple[Measurement, ...], None]:
        self._book.workload(workload_id)
        return self._meter.follow(workload_id, step, since)

    async def usage(self, by: UsageBy, since: float, until: float | None, step: UsageStep, most: int) -> Usage:
        return await self._accounting.usage(by, since, until, step, most)

    async def queue_history(self, since: float, until: float | None, step: UsageStep) -> QueueHistory:
        return await self._accounting.queue_history(since, until, step)

    async def audit(self, query: AuditQuery, caller: Caller) -> AuditPage:
        return await self._auditing.audit(query, caller.reader())

    def results(self, workload_id: str, index: int) -> Path:
        return self._kept(workload_id, index).results

    def _kept(self, workload_id: str, index: int) -> RunFolder:
        workload = self._book.workload(workload_id)
        # One that is scaled down has its surplus tasks until they have gone.
        count = workload.tasks if workload.has_ended else len(self._book.get(workload_id).tasks)
        if not 0 <= index < count:
            raise NotFound(f"{workload.name} has no task {index}.", f"Its tasks are 0 to {count - 1}.")
        return self._runs.kept_of(workload, index)

    def watch(self, since: tuple[str, int] | None) -> AsyncGenerator[Event, None]:
        return self._feed.subscribe(since)

    def log(self, workload_id: str, index: int) -> Path:
        return self._kept(workload_id, index).log

    def change_devices(self, simulate: str | None) -> None:
        """Write down other devices; they hold from the daemon's next start.

        Raises:
            Conflict: work has not ended: an engine is wholly real or wholly simulated.
        """
        if simulate is not None:
            parse_simulated(simulate)
        live = self._book.live()
        if live and simulate != self._settings.simulate:
            names = ", ".join(record.workload.name for record in live[:3])
            raise Conflict(f"{len(live)} workload(s) have not ended ({names}).", "Stop them first, or wait.")
        replace(self._settings, simulate=simulate).write(self._directory)

    async def leave(self, action: AuditAction, caller: Caller, detail: str = "") -> None:
        """Note who ends this run of the engine, and why; a full disk keeps nobody from it."""
        await self._try(self._auditing.tell(action, caller.name, detail))

    async def _look(self, samples: Mapping[str, Sample]) -> None:
        running = self._book.running()
        # A task may be gone before the readings are through.
        folders = {task: self._runs.folder(task) for task in running}
        owners = self._book.owners(running)
        memory_mib = await asyncio.to_thread(memory_of_tasks, running, samples, owners) if running else {}
        # Who was told to go is left to save what it needs.
        staying = {
            task: known
            for task, known in running.items()
            if known.then is None and task.workload in self._book and self._book.get(task.workload).then is None
        }
        self._loans.look(running, memory_mib)
        await self._watchdog.look(staying, samples, memory_mib, self._loans.allowed_mib())
        if self._loans.are_called_back:
            self._scheduling.wake()
        await self._meter.look(running, samples, memory_mib)
        await self._accounting.meter.look(running, samples, memory_mib, self._meter.cpu_cores)
        await self._accounting.queue_meter.look(self._scheduling.queues, self._scheduling.waiting)
        await self._activities.look(running, folders, samples, memory_mib)
        await self.rules.look(samples, memory_mib)
        self._rotation.look([folder.log for folder in folders.values()])

    async def _watch_projects(self) -> None:
        """Take over what is written into the files of projects and of policies."""
        while True:
            await asyncio.sleep(_LOOK_AT_PROJECTS_S)
            projects, policies = self._projects.look(), self.policies.file.look()
            if projects or policies:
                for problem in self._problems():
                    _log.warning("%s", problem)
                self._feed.publish(self._state)
                await self.rules.revise()
                self._scheduling.wake()
            if projects:
                await self._past.refresh()
                await self._try(self._accounting.note_projects())
            await self._note_files()

    def _problems(self) -> tuple[str, ...]:
        return tuple(filter(None, (self._projects.problem, self.policies.file.problem)))

    async def _note_files(self) -> None:
        await self._try(self._auditing.note(self._projects_file, self._projects.projects.written))
        await self._try(self._auditing.note(self._policies_file, self.policies.file.content.written))

    async def _try(self, noting: Awaitable[None]) -> None:
        """What cannot be noted now, such as on a full disk, is noted the next time."""
        try:
            await noting
        except RunaiError as error:
            _log.warning("What is to be kept of this could not be noted: %s", error)

    def _ledger_folder(self) -> Path:
        """Of what is simulated no other engine need know, and nobody may write it."""
        if not self._simulated:
            return ledger_directory()
        alone = self._folder / "host"
        alone.mkdir(mode=0o700, exist_ok=True)
        return alone / "ledger"

    def _state(self, epoch: str, seq: int) -> EngineState:
        return EngineState(
            epoch=epoch,
            seq=seq,
            info=self.info(),
            devices=self.devices(),
            queues=self.queues(),
            workloads=self.list(),
            planner=self._scheduling.spent,
        )

    def _freed(self) -> None:
        if self._simulated:
            self._scheduling.wake()
        else:
            self._runs.spawn(self._look_before_giving_on())

    async def _look_before_giving_on(self) -> None:
        """What has ended may have left a process on its device, which is not free then."""
        await self._monitor.look_again()
        self._scheduling.wake()

    def _machine_changed(self, holdings: bool) -> None:
        self._publish()
        if holdings:
            self._scheduling.wake()

    def _publish(self) -> None:
        """Tell everyone of devices and queues where they differ from what was told last."""
        devices, queues = self.devices(), self.queues()
        if devices != self._shown_devices:
            self._shown_devices = devices
            self._feed.publish(lambda epoch, seq: DevicesChanged(epoch=epoch, seq=seq, devices=devices))
        if queues != self._shown_queues:
            self._shown_queues = queues
            spent = self._scheduling.spent
            self._feed.publish(lambda epoch, seq: QueuesChanged(epoch=epoch, seq=seq, queues=queues, planner=spent))


@cache
def _version() -> str:
    try:
        return version("jupyter-runai")
    except PackageNotFoundError:
        return "0"
