"""The runs of tasks: started, told to go, followed to their recorded end, and found again after a daemon that died."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from scheduler_core.errors import RunaiError
from scheduler_core.local.access.acts import Act
from scheduler_core.local.machine.accounts import Account
from scheduler_core.local.machine.identity import Process, processes_of, signal_task
from scheduler_core.local.machine.ladder import Ladder
from scheduler_core.local.machine.ledger import Ledger
from scheduler_core.local.record.records import Record, TaskId, TaskRecord
from scheduler_core.local.record.runs import Exit, Launch, RunFolder, ended, remove_tree
from scheduler_core.local.record.tasks import after_run, seen_running, some_told_to_go, told_to_go, waiting_again
from scheduler_core.local.work.book import Book, Change
from scheduler_core.local.work.copies import Copies
from scheduler_core.workload import Allocation, Workload

_log = logging.getLogger(__name__)
_STARTING_S = 30.0
_LEFT_OVER_S = 10.0
_TRY_AGAIN_S = 2.0
_TRY_LATER = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class Runs:
    """Follows every run of one engine's tasks; `freed` is called whenever a device came free."""

    def __init__(self, book: Book, folder: Path, ladder: Ladder, freed: Callable[[], None]) -> None:
        self._book = book
        self._ladder = ladder
        self._folder = folder
        self._freed = freed
        self.copies = Copies(book, folder)
        self._spawned: set[asyncio.Task[None]] = set()
        self._leaving: dict[TaskId, asyncio.Task[None]] = {}

    def keep_in(self, ledger: Ledger) -> None:
        """The host's ledger, in which what comes free is written down."""
        self._ledger = ledger

    def folder(self, task: TaskId) -> RunFolder:
        """The files of a task and of its present run, or its next."""
        path = self._folder / task.workload
        if task.workload not in self._book:
            return RunFolder(path)
        record, known = self._book.get(task.workload), self._known(task)
        return RunFolder(path, task.index, known.run if known else 0, record.spec.gang, record.account)

    def _known(self, task: TaskId) -> TaskRecord | None:
        """What is known of a task; nothing when its workload was deleted, or has fewer tasks now."""
        if task.workload not in self._book:
            return None
        tasks = self._book.get(task.workload).tasks
        return tasks[task.index] if task.index < len(tasks) else None

    def kept_of(self, workload: Workload, index: int) -> RunFolder:
        """What a task keeps through all its runs, its log and its results: cheap also for one of thousands."""
        return RunFolder(self._folder / workload.id, index, gang=workload.gang)

    def new_folder(self, workload_id: str, account: Account | None) -> RunFolder:
        """The files of a workload that is not in the book yet."""
        return RunFolder(self._folder / workload_id, account=account)

    def signal(self, task: TaskId, supervisor: Process, number: signal.Signals) -> bool:
        """Send a signal to all processes of a task but its supervisor; whether there was any. Blocks."""
        return signal_task(str(task), supervisor, number, self._book.workload(task.workload).owner_uid)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside everything else, keep it from being collected, and log it when it fails."""
        task = asyncio.get_running_loop().create_task(work)
        self._spawned.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._spawned.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("A task of the engine failed", exc_info=task.exception())

    async def launch(self, tasks: list[TaskId]) -> None:
        """Start the supervisors of tasks that are written down as starting.

        Raises:
            OSError: this machine has no room for a process now; those that are left wait again.
        """
        for number, task in enumerate(tasks):
            try:
                launch = Launch(self.folder(task))
            except OSError as error:
                if error.errno in _TRY_LATER:
                    for left in tasks[number:]:
                        await self._wait_again(left)
                    raise
                await self.finish(task, Exit(1, str(error), time.time()))
            else:
                self.spawn(self._follow(task, launch))

    def adopt(self) -> None:
        """Take up the runs that an earlier daemon left: follow those that live, record those that ended."""
        for record in self._book.live():
            for task, known in record.alive():
                if known.allocation is not None:
                    self._ladder.adopt(str(task), known.allocation)
                self.spawn(self._adopt(task, known))

    async def _terminate(self, task: TaskId) -> None:
        record = self._book.get(task.workload)
        supervisor = record.tasks[task.index].supervisor
        try:
            if supervisor is not None:
                await self._end(task, supervisor, record.spec.grace_s)
        finally:
            self._leaving.pop(task, None)

    async def _end(self, task: TaskId, supervisor: Process, grace_s: float) -> None:
        await asyncio.to_thread(self.signal, task, supervisor, signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                await ended(supervisor)
        except TimeoutError:
            await asyncio.to_thread(self._kill, task, supervisor)

    def _kill(self, task: TaskId, supervisor: Process) -> None:
        owner = self._book.workload(task.workload).owner_uid
        self._ladder.cut_off(str(task), processes_of(str(task), supervisor, owner))
        self.signal(task, supervisor, signal.SIGKILL)

    async def finish(self, task: TaskId, outcome: Exit) -> None:
        """Record that a run has ended so; the rest of a gang goes with one that failed."""
        # What is still on its way to the processes of this run must not reach those of the next.
        while task in self._leaving:
            await asyncio.wait([self._leaving[task]])
        record = self._book.get(task.workload)
        report = self.folder(task).report()
        await self._book.observe(
            task.workload, lambda known: after_run(known, task.index, outcome, report), outcome.ended
        )
        if task.workload in self._book:
            now = self._book.get(task.workload)
            self._tell(now)
            self.copies.keep_in_time(now, [task.index])
            self._let_go_of_inputs(now)
        await self.free(task, record.tasks[task.index].allocation)

    async def observe(self, task: TaskId, change: Change) -> None:
        """Note a fact about a task that has not ended yet."""
        known = self._known(task)
        if known is not None and known.is_alive:
            await self._book.observe(task.workload, change)

    def say(self, task: TaskId, text: str) -> None:
        """Tell the task's owner something, in its log."""
        try:
            with self.folder(task).log.open("a") as log:
                log.write(f"runai: {text}\n")
        except OSError:
            _log.exception("%s was to be told: %s", task, text)

    async def tell_to_go(self, workload_id: str, change: Change, *acts: Act) -> Workload:
        """Write down that a workload, or some of its tasks, are to go, and tell their processes."""
        try:
            return await self._book.decide(workload_id, change, *acts)
        finally:
            # Also where it could not be written down and yet stands, since a fact was noted on top of it meanwhile.
            if workload_id in self._book:
                record = self._book.get(workload_id)
                self._tell(record)
                self._let_go_of_inputs(record)

    def _let_go_of_inputs(self, record: Record) -> None:
        """Delete what travelled to a workload that has ended: nothing will read it any more."""
        if record.workload.has_ended:
            self.spawn(asyncio.to_thread(remove_tree, self.kept_of(record.workload, 0).inputs))

    def _tell(self, record: Record) -> None:
        """SIGTERM, once, for what runs and is to go; what still starts is told as soon as it runs."""
        for task, known in record.alive():
            to_go = record.then is not None or known.then is not None
            if to_go and known.state == "running" and task not in self._leaving:
                self._leaving[task] = self.spawn(self._terminate(task))

    async def refresh(self, allocation: Allocation | None) -> None:
        """Bring the ledger up to date on these devices; what fails is made good by the next reading."""
        if allocation is None:
            return
        try:
            await asyncio.to_thread(self._ledger.refresh, [device.id for device in allocation.devices])
        except Exception:
            # A run must be followed to its end, whatever happens to the books of the host.
            _log.exception("The host's ledger is behind")

    async def _follow(self, task: TaskId, launch: Launch) -> None:
        failure = await launch.announced()
        supervisor = self.folder(task).supervisor()
        if supervisor is not None and supervisor.pid != launch.process.pid:
            # One that an earlier daemon started was first; ours has left without doing anything.
            launch.reap()
            await self._oversee(task, supervisor)
            return
        if not failure and self.folder(task).has_started():
            await self._running(task, launch.process)
        await ended(launch.process)
        launch.reap()
        await self._record_end(task, launch.process)

    async def _adopt(self, task: TaskId, known: TaskRecord) -> None:
        supervisor = self.folder(task).supervisor()
        if supervisor is not None:
            await self._oversee(task, supervisor)
            return
        # The daemon died before any supervisor took the run: it waits again, its place in the order unchanged.
        await self._wait_again(task)
        await self.free(task, known.allocation)

    async def _wait_again(self, task: TaskId) -> None:
        await self._book.observe(task.workload, lambda known: waiting_again(known, task.index, time.time()))

    async def _oversee(self, task: TaskId, supervisor: Process) -> None:
        """Follow a run that somebody else started, if it has not ended yet."""
        folder = self.folder(task)
        if folder.exit() is None and supervisor.is_alive():
            deadline = time.monotonic() + _STARTING_S
            while not folder.has_started() and supervisor.is_alive() and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
            await self._running(task, supervisor)
            await ended(supervisor)
        await self._record_end(task, supervisor)

    async def _running(self, task: TaskId, supervisor: Process) -> None:
        await self._book.observe(task.workload, lambda known: seen_running(known, task.index, supervisor))
        record = self._book.get(task.workload)
        self._tell(record)
        if record.spec.max_run_s is not None:
            self.spawn(self._limit_time(task, record, supervisor))
        # From now on the claims live as long as the supervisor, not as long as this daemon.
        await self.refresh(record.tasks[task.index].allocation)

    async def _limit_time(self, task: TaskId, record: Record, supervisor: Process) -> None:
        """End a task when its time is up, unless this run ends before."""
        limit, known = record.spec.max_run_s or 0.0, record.tasks[task.index]
        left = limit - known.ran_s - (time.time() - (known.started or time.time()))
        try:
            async with asyncio.timeout(max(0.0, left)):
                await ended(supervisor)
        except TimeoutError:
            while supervisor.is_alive() and not await self._gave_up(task, limit):
                await asyncio.sleep(_TRY_AGAIN_S)

    async def _gave_up(self, task: TaskId, limit: float) -> bool:
        try:
            await self.give_up(task, f"reached its maximum run time of {limit:g} s")
        except RunaiError:
            _log.exception("%s cannot be told that its time is up yet", task)
            return False
        return True

    async def give_up(self, task: TaskId, reason: str) -> None:
        """Stop a task that may not go on, and its workload where it is a gang."""
        known = self._known(task)
        if known is None or known.then is not None:
            return
        record = self._book.get(task.workload)
        if record.then is not None:
            return
        act = Act(action="stop", detail=reason)
        if record.spec.gang:
            await self.tell_to_go(task.workload, lambda known: told_to_go(known, "stopped", reason, time.time()), act)
        else:
            only = [task.index]
            await self.tell_to_go(task.workload, lambda known: some_told_to_go(known, only, "failed", reason), act)

    async def _record_end(self, task: TaskId, supervisor: Process) -> None:
        outcome = self.folder(task).exit()
        if outcome is None:
            # Nobody is left to end what the task started, and its devices must be free before they are given on.
            deadline = time.monotonic() + _LEFT_OVER_S
            while time.monotonic() < deadline and await asyncio.to_thread(
                self.signal, task, supervisor, signal.SIGKILL
            ):
                await asyncio.sleep(0.05)
            outcome = Exit(-signal.SIGKILL, "its supervisor was killed", time.time())
        await self.finish(task, outcome)

    async def free(self, task: TaskId, allocation: Allocation | None) -> None:
        """Nothing of a task is on these devices any more."""
        try:
            if allocation is None or not self._ladder.is_by_itself(allocation):
                await self.let_go(task)
            await self.refresh(allocation)
        finally:
            self._freed()

    async def let_go(self, task: TaskId) -> None:
        """Nothing needs to hold what a task was given any more."""
        await asyncio.to_thread(self._ladder.let_go, str(task))
