"""From a bind to a running process to its recorded end, and back from a daemon that died in between."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from scheduler_core.local.book import Book, replace_workload
from scheduler_core.local.identity import Process, signal_session
from scheduler_core.local.ledger import Claim, Ledger
from scheduler_core.local.runs import Exit, Launch, RunFolder, ended
from scheduler_core.local.sharing import allocation_environment, without_secrets
from scheduler_core.local.store import Record
from scheduler_core.workload import Allocation, State, Workload

_CLAIM_SETTLES_S = 5.0


class Lifecycle:
    """Starts, follows and ends the runs of one engine; `freed` is called whenever a device came free."""

    def __init__(self, book: Book, ledger: Ledger, folder: Path, simulated: bool, freed: Callable[[], None]) -> None:
        self._book = book
        self._ledger = ledger
        self._folder = folder
        self._simulated = simulated
        self._freed = freed
        self._tasks: set[asyncio.Task[None]] = set()

    def run_folder(self, workload_id: str) -> RunFolder:
        return RunFolder(self._folder / workload_id)

    def own_sessions(self) -> frozenset[int]:
        """The sessions whose processes belong to workloads of this engine."""
        return frozenset(record.supervisor.pid for record in self._book.live() if record.supervisor)

    async def start(self, workload_id: str, allocation: Allocation, memory_mib: dict[str, int]) -> None:
        """Start a workload on what it was given, unless it was stopped or started meanwhile.

        Raises:
            StorageFull: it could not be written down that it starts; it waits as before.
        """
        if self._book.get(workload_id).workload.state != "pending":
            return
        record = self._book.get(workload_id)
        folder = self.run_folder(workload_id)
        environment = without_secrets(record.spec.env)
        environment |= allocation_environment(allocation, memory_mib, self._simulated, environment)
        environment |= folder.variables() | {
            "RUNAI_WORKLOAD_ID": workload_id,
            "RUNAI_WORKLOAD_NAME": record.workload.name,
        }
        folder.write_launch(record.spec.command, record.spec.cwd, environment)
        await self._book.decide(
            workload_id, state="initializing", allocation=allocation, started=time.time(), verdict=None
        )
        try:
            launch = Launch(folder)
        except OSError as error:
            await self._finish(workload_id, Exit(1, str(error), time.time()))
            return
        await self._hold_claims(workload_id, launch.process)
        self.spawn(self._follow_launch(workload_id, launch))

    async def stop(self, workload_id: str) -> Workload:
        """End a workload: at once while it waits, else by SIGTERM, its grace period and SIGKILL."""
        workload = self._book.get(workload_id).workload
        if workload.has_ended or workload.stop_requested is not None:
            return workload
        if workload.state == "pending":
            return await self._book.decide(
                workload_id, state="stopped", ended=time.time(), reason="stopped while waiting"
            )
        if workload.state == "running":
            self.spawn(self._terminate(workload_id))
        return await self._book.decide(workload_id, stop_requested=time.time())

    def adopt(self) -> None:
        """Take up the runs that an earlier daemon left: follow those that live, record those that ended."""
        for record in self._book.live():
            if record.workload.state in ("initializing", "running"):
                self.spawn(self._adopt(record))

    def claims(self) -> list[Claim]:
        """What this engine's workloads hold, as the ledger should have it."""
        return [
            claim
            for record in self._book.live()
            if record.workload.allocation and record.supervisor
            for claim in claims_of(record, record.workload.allocation, record.supervisor, self._ledger.engine)
        ]

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside everything else, and keep it from being collected."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow_launch(self, workload_id: str, launch: Launch) -> None:
        failure = await launch.announced()
        if not failure:
            await self._running(workload_id, launch.process)
        await ended(launch.process)
        launch.reap()
        await self._record_end(workload_id)

    async def _running(self, workload_id: str, supervisor: Process) -> None:
        if self._book.get(workload_id).workload.stop_requested is not None:
            # It was stopped before it ran, when there was nothing to signal yet.
            self.spawn(self._terminate(workload_id))
        await self._book.observe(
            workload_id, lambda known: replace(replace_workload(known, state="running"), supervisor=supervisor)
        )

    async def _hold_claims(self, workload_id: str, supervisor: Process) -> None:
        """From now on the claims live as long as the supervisor, not as long as this daemon."""
        record = self._book.get(workload_id)
        if record.workload.allocation:
            claims = claims_of(record, record.workload.allocation, supervisor, self._ledger.engine)
            await asyncio.to_thread(self._ledger.renew, claims)

    async def _adopt(self, record: Record) -> None:
        workload_id = record.workload.id
        folder = self.run_folder(workload_id)
        supervisor = await self._settled(folder, record.supervisor)
        if supervisor is not None:
            await self._hold_claims(workload_id, supervisor)
            await self._running(workload_id, supervisor)
            await ended(supervisor)
        elif not folder.is_claimed() and record.workload.stop_requested is None:
            # The daemon died before any supervisor took the run: it waits again, its place in the order unchanged.
            await self._book.observe(workload_id, _waiting_again)
            await self._release(workload_id, record.workload.allocation)
            return
        await self._record_end(workload_id)

    async def _settled(self, folder: RunFolder, known: Process | None) -> Process | None:
        """The live supervisor of a run; one that has just taken it is given time to say so."""
        deadline = time.monotonic() + _CLAIM_SETTLES_S
        while True:
            if known is not None and known.is_alive():
                return known
            supervisor = folder.supervisor()
            unsaid = folder.is_claimed() and not folder.has_said()
            if supervisor is not None or not unsaid or time.monotonic() > deadline:
                return supervisor
            await asyncio.sleep(0.02)

    async def _terminate(self, workload_id: str) -> None:
        record = self._book.get(workload_id)
        supervisor = record.supervisor
        if supervisor is None:
            return
        await asyncio.to_thread(signal_session, supervisor, signal.SIGTERM)
        try:
            async with asyncio.timeout(record.spec.grace_s):
                await ended(supervisor)
        except TimeoutError:
            await asyncio.to_thread(signal_session, supervisor, signal.SIGKILL)

    async def _record_end(self, workload_id: str) -> None:
        outcome = self.run_folder(workload_id).exit()
        await self._finish(workload_id, outcome or Exit(-signal.SIGKILL, "its supervisor was killed", time.time()))

    async def _finish(self, workload_id: str, outcome: Exit) -> None:
        record = self._book.get(workload_id)
        report = self.run_folder(workload_id).report()
        changes = {
            "state": _end_state(record.workload, outcome),
            "ended": outcome.ended,
            "exit_code": None if outcome.failure else outcome.code,
            "reason": _reason(record.workload, outcome),
            "report": report,
        }
        await self._book.observe(
            workload_id, lambda known: replace(replace_workload(known, **changes), supervisor=None)
        )
        await self._release(workload_id, record.workload.allocation)

    async def _release(self, workload_id: str, allocation: Allocation | None) -> None:
        if allocation is not None:
            devices = [device.id for device in allocation.devices]
            await asyncio.to_thread(self._ledger.release, workload_id, devices)
        self._freed()


def claims_of(record: Record, allocation: Allocation, holder: Process, engine: str) -> list[Claim]:
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


def _waiting_again(record: Record) -> Record:
    return replace(
        replace_workload(record, state="pending", allocation=None, started=None, stop_requested=None), supervisor=None
    )


def _end_state(workload: Workload, outcome: Exit) -> State:
    if workload.stop_requested is not None:
        return "stopped"
    return "completed" if outcome.code == 0 and not outcome.failure else "failed"


def _reason(workload: Workload, outcome: Exit) -> str:
    if outcome.failure:
        return f"could not start: {outcome.failure}" if workload.state == "initializing" else outcome.failure
    if workload.stop_requested is not None:
        return ""
    if outcome.code < 0:
        return f"killed by {signal.Signals(-outcome.code).name}"
    return f"exit status {outcome.code}" if outcome.code else ""
