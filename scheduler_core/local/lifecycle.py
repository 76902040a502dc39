"""From a bind to a running process to its recorded end, and back from a daemon that died in between."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from scheduler_core.errors import Conflict, RunaiError
from scheduler_core.local.book import Book, Change, replace_workload
from scheduler_core.local.endings import after_run, waiting_again
from scheduler_core.local.identity import Process, signal_workload, this_process
from scheduler_core.local.ledger import Claim, Ledger
from scheduler_core.local.runs import Exit, Launch, RunFolder, ended
from scheduler_core.local.sharing import allocation_environment, without_secrets
from scheduler_core.local.store import Record
from scheduler_core.workload import Allocation, State, Workload

_log = logging.getLogger(__name__)
_STARTING_S = 30.0
_LEFT_OVER_S = 10.0
_TRY_LATER = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class Lifecycle:
    """Starts, follows and ends the runs of one engine; `freed` is called whenever a device came free."""

    def __init__(self, book: Book, folder: Path, simulated: bool, freed: Callable[[], None]) -> None:
        self._book = book
        self._folder = folder
        self._simulated = simulated
        self._freed = freed
        self._booking: dict[str, Allocation] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._this = this_process()

    def keep_ledger(self, ledger_folder: Path, engine: str) -> Ledger:
        """The host's ledger, written from what this engine's workloads hold."""
        self._ledger = Ledger(ledger_folder, engine, lambda: self._claims(engine))
        return self._ledger

    def run_folder(self, workload_id: str) -> RunFolder:
        """The files of a workload and of its present run, or its next."""
        run = self._book.get(workload_id).run if workload_id in self._book else 0
        return RunFolder(self._folder / workload_id, run)

    def own_sessions(self) -> frozenset[int]:
        """The sessions whose processes belong to workloads of this engine."""
        return frozenset(record.supervisor.pid for record in self._book.live() if record.supervisor)

    async def start(self, workload_id: str, allocation: Allocation, memory_mib: dict[str, int]) -> bool:
        """Start a workload on what it was given, unless it was stopped meanwhile.

        `memory_mib` is the memory of each of its devices. False where another engine of this host was faster.

        Raises:
            RunaiError, OSError: it could not be booked or written down; it waits as before.
        """
        self._booking[workload_id] = allocation
        try:
            if not await asyncio.to_thread(self._ledger.book, memory_mib):
                return False
            if self._book.get(workload_id).workload.state == "pending":
                await self._launch(workload_id, allocation, memory_mib)
            return True
        finally:
            self._booking.pop(workload_id, None)
            await self._refresh(allocation)

    async def stop(self, workload_id: str, reason: str = "") -> Workload:
        """End a workload: at once while it holds nothing, else by SIGTERM, its grace period and SIGKILL."""
        workload = self._book.get(workload_id).workload
        if workload.has_ended or workload.stop_requested is not None:
            return workload
        if workload.state in ("pending", "suspended"):
            word = "waiting" if workload.state == "pending" else "suspended"
            changes = {"state": "stopped", "ended": time.time(), "reason": f"stopped while {word}"}
            return await self._book.decide(workload_id, lambda known: replace_workload(known, **changes))
        return await self._tell_to_go(
            workload_id, lambda known: replace_workload(known, stop_requested=time.time(), reason=reason)
        )

    async def suspend(self, workload_id: str) -> Workload:
        """Free what a workload holds and keep it: at once while it waits, else as `stop` does.

        Raises:
            Conflict: it has ended, or was told to.
        """
        workload = self._unended(workload_id)
        if workload.state == "suspended":
            return workload
        if workload.state == "pending":
            changes = {"state": "suspended", "verdict": None, "reason": ""}
            return await self._book.decide(workload_id, lambda known: replace_workload(known, **changes))
        return await self._tell_to_go(workload_id, lambda known: _suspending(known, "suspended", ""))

    async def resume(self, workload_id: str) -> Workload:
        """Let a workload that is suspended, or on its way there, wait for its devices again.

        Raises:
            Conflict: it has ended, or was told to.
        """
        workload = self._unended(workload_id)
        if workload.state == "suspended":
            return await self._book.decide(workload_id, lambda known: replace_workload(known, state="pending"))
        if workload.state == "suspending":
            return await self._book.decide(workload_id, lambda known: replace(known, then="pending"))
        return workload

    async def evict(self, workload_id: str, reason: str) -> None:
        """Take a workload off its devices for others; it waits again."""
        if workload_id in self._book:
            workload = self._book.get(workload_id).workload
            if workload.state in ("initializing", "running") and not workload.is_leaving:
                await self._tell_to_go(workload_id, lambda known: _suspending(known, "pending", reason))

    def _unended(self, workload_id: str) -> Workload:
        workload = self._book.get(workload_id).workload
        if workload.has_ended or workload.stop_requested is not None:
            what = f"is {workload.state}" if workload.has_ended else "was told to stop"
            raise Conflict(f"{workload.name} {what}.", "Submit it anew.")
        return workload

    async def _tell_to_go(self, workload_id: str, change: Change) -> Workload:
        was_running = self._book.get(workload_id).workload.state == "running"
        workload = await self._book.decide(workload_id, change)
        # One that is still starting is told as soon as it runs.
        if was_running:
            self.spawn(self._terminate(workload_id))
        return workload

    def adopt(self) -> None:
        """Take up the runs that an earlier daemon left: follow those that live, record those that ended."""
        for record in self._book.live():
            if record.workload.state in ("initializing", "running", "suspending"):
                self.spawn(self._adopt(record))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside everything else, keep it from being collected, and log it when it fails."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("A task of the engine failed", exc_info=task.exception())

    def _claims(self, engine: str) -> list[Claim]:
        """What this engine's workloads hold, and what is being booked for some."""
        return [
            claim
            for record in self._book.live()
            if (allocation := record.workload.allocation or self._booking.get(record.workload.id)) is not None
            for claim in _claims_of(record, allocation, record.supervisor or self._this, engine)
        ]

    async def _launch(self, workload_id: str, allocation: Allocation, memory_mib: dict[str, int]) -> None:
        record = self._book.get(workload_id)
        folder = self.run_folder(workload_id)
        environment = without_secrets(record.spec.env)
        environment |= allocation_environment(allocation, memory_mib, self._simulated, environment)
        environment |= folder.variables() | {
            "RUNAI_WORKLOAD_ID": workload_id,
            "RUNAI_WORKLOAD_NAME": record.workload.name,
        }
        if not folder.path.is_dir():
            await self._finish(workload_id, Exit(1, "its folder is gone", time.time()))
            return
        folder.write_launch(record.spec.command, record.spec.cwd, environment)
        changes = {
            "state": "initializing",
            "allocation": allocation,
            "started": time.time(),
            "verdict": None,
            "reason": "",
            "restarts": record.run,
        }
        await self._book.decide(workload_id, lambda known: replace_workload(known, **changes))
        try:
            launch = Launch(folder)
        except OSError as error:
            if error.errno in _TRY_LATER:
                await self._book.observe(workload_id, waiting_again)
                raise
            await self._finish(workload_id, Exit(1, str(error), time.time()))
            return
        self._keep(workload_id)
        self.spawn(self._follow_launch(workload_id, launch))

    async def _follow_launch(self, workload_id: str, launch: Launch) -> None:
        failure = await launch.announced()
        supervisor = self.run_folder(workload_id).supervisor()
        if supervisor is not None and supervisor.pid != launch.process.pid:
            # One that an earlier daemon started was first; ours has left without doing anything.
            launch.reap()
            await self._oversee(workload_id, supervisor)
            return
        if not failure and self.run_folder(workload_id).has_started():
            await self._running(workload_id, launch.process)
        await ended(launch.process)
        launch.reap()
        await self._record_end(workload_id, launch.process)

    async def _adopt(self, record: Record) -> None:
        workload_id = record.workload.id
        supervisor = self.run_folder(workload_id).supervisor()
        if supervisor is not None:
            await self._oversee(workload_id, supervisor)
        elif record.workload.stop_requested is not None:
            await self._finish(workload_id, Exit(1, "", time.time()))
        else:
            # The daemon died before any supervisor took the run: it waits again, its place in the order unchanged.
            await self._book.observe(workload_id, waiting_again)
            await self._free(record.workload.allocation)

    async def _oversee(self, workload_id: str, supervisor: Process) -> None:
        """Follow a run that somebody else started, if it has not ended yet."""
        folder = self.run_folder(workload_id)
        if folder.exit() is None and supervisor.is_alive():
            deadline = time.monotonic() + _STARTING_S
            while not folder.has_started() and supervisor.is_alive() and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
            await self._running(workload_id, supervisor)
            await ended(supervisor)
        await self._record_end(workload_id, supervisor)

    async def _running(self, workload_id: str, supervisor: Process) -> None:
        if self._book.get(workload_id).workload.is_leaving:
            # It was told to go before it ran, when there was nothing to signal yet.
            self.spawn(self._terminate(workload_id))
        await self._book.observe(workload_id, lambda known: _seen_running(known, supervisor))
        self.spawn(self._limit_time(workload_id, supervisor))
        # From now on the claims live as long as the supervisor, not as long as this daemon.
        await self._refresh(self._book.get(workload_id).workload.allocation)

    async def _terminate(self, workload_id: str) -> None:
        record = self._book.get(workload_id)
        supervisor = record.supervisor
        if supervisor is None:
            return
        await asyncio.to_thread(signal_workload, workload_id, supervisor, signal.SIGTERM)
        try:
            async with asyncio.timeout(record.spec.grace_s):
                await ended(supervisor)
        except TimeoutError:
            await asyncio.to_thread(signal_workload, workload_id, supervisor, signal.SIGKILL)

    async def _limit_time(self, workload_id: str, supervisor: Process) -> None:
        """Stop a workload when its time is up, unless this run ends before."""
        record = self._book.get(workload_id)
        limit = record.spec.max_run_s
        if limit is None:
            return
        left = limit - record.ran_s - (time.time() - (record.workload.started or time.time()))
        try:
            async with asyncio.timeout(max(0.0, left)):
                await ended(supervisor)
        except TimeoutError:
            await self.stop(workload_id, f"reached its maximum run time of {limit:g} s")

    async def _record_end(self, workload_id: str, supervisor: Process) -> None:
        outcome = self.run_folder(workload_id).exit()
        if outcome is None:
            # Nobody is left to end what the workload started, and its devices must be free before they are given on.
            deadline = time.monotonic() + _LEFT_OVER_S
            while time.monotonic() < deadline and await asyncio.to_thread(
                signal_workload, workload_id, supervisor, signal.SIGKILL
            ):
                await asyncio.sleep(0.05)
            outcome = Exit(-signal.SIGKILL, "its supervisor was killed", time.time())
        await self._finish(workload_id, outcome)

    async def _finish(self, workload_id: str, outcome: Exit) -> None:
        record = self._book.get(workload_id)
        report = self.run_folder(workload_id).report()
        await self._book.observe(workload_id, lambda known: after_run(known, outcome, report))
        self._keep(workload_id)
        await self._free(record.workload.allocation)

    def _keep(self, workload_id: str) -> None:
        """Keep a copy of the record beside its files; the store has it, so a failure is no more than noted."""
        try:
            if workload_id in self._book:
                self.run_folder(workload_id).keep(self._book.get(workload_id))
        except OSError:
            _log.exception("The copy of a record is behind")

    async def _free(self, allocation: Allocation | None) -> None:
        try:
            await self._refresh(allocation)
        finally:
            self._freed()

    async def _refresh(self, allocation: Allocation | None) -> None:
        """Bring the ledger up to date on these devices; what fails is made good by the next reading."""
        if allocation is None:
            return
        try:
            await asyncio.to_thread(self._ledger.refresh, [device.id for device in allocation.devices])
        except (RunaiError, OSError):
            _log.exception("The host's ledger is behind")


def _claims_of(record: Record, allocation: Allocation, holder: Process, engine: str) -> list[Claim]:
    """The claims of one workload, one a device, held by the process `holder`."""
    request = record.spec.request
    return [
        Claim(
            engine=engine,
            workload=record.workload.id,
            name=record.workload.name,
            owner=record.workload.owner,
            device=device.id,
            milli=0 if request.gpu_memory_mib else device.portion_milli,
            memory_mib=request.gpu_memory_mib,
            holder=holder,
        )
        for device in allocation.devices
    ]


def _suspending(record: Record, then: Literal["suspended", "pending"], reason: str) -> Record:
    return replace(replace_workload(record, state="suspending", reason=reason), then=then)


def _seen_running(record: Record, supervisor: Process) -> Record:
    state: State = "suspending" if record.workload.state == "suspending" else "running"
    return replace(replace_workload(record, state=state), supervisor=supervisor)
