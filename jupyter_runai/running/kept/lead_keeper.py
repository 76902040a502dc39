"""Keeps task 0, which may be the only one: notebooks talk to it, and it leads the others.

It hands a cell on to them, has their cells end where one fails, and all of them wait for the next one together. Where
a cell ends without a word, its task goes as it would without a keeper, and with it the others, by what the engine does
then.
"""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import suppress
from typing import NamedTuple

from .activity import say_busy, say_kept
from .door import Door
from .fresh_cell import Ended
from .gang_lead import Lead
from .kept_task import TERMINATED, Keeper, Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from typing import Any

MARK = ".kept"


class Outcome(NamedTuple):
    """Of one cell: the status that its task may end with, and what is told of it; null where nothing can follow it."""

    status: int
    told: dict[str, Any] | None


class LeadKeeper(Keeper):
    """Task 0's, which may be the only one."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._door = Door(task.results, task.store, task.own)
        self._gang = Lead(task.meeting, task.tasks, task.store)

    async def _keep(self) -> int:
        await self._door.open()
        if await self._first(self._gang.gather()) is None:
            return TERMINATED
        order = self._task.first
        while True:
            outcome = await self._run_everywhere(order)
            if order is not self._task.first:
                shutil.rmtree(order["folder"], ignore_errors=True)
            if outcome.told is None or order["keep"] is None or self._goes.is_set():
                self._gang.leave_all()
                return outcome.status
            following = await self._next_order(outcome.told, order["keep"])
            if following is None:
                if self._goes.is_set():
                    return self._done()
                self._gang.leave_all()
                return outcome.status
            if self._goes.is_set():
                return TERMINATED
            order = following

    async def _run_everywhere(self, order: dict[str, Any]) -> Outcome:
        """Let all tasks run a cell, to its end in each."""
        self._is_idle = False
        self._task.cell.expect()
        if self._gang.count > 1:
            order = {**order, "port": _free_port(int(os.environ.get("MASTER_PORT", "0")))}
            await self._gang.hand_on(order)
        running = self._start(order)
        running.add_done_callback(self._note_own_end)
        ends: dict[int, Ended] = {}
        failed = None
        while len(ends) < self._gang.count:
            index, ended = await self._gang.next_end()
            ends[index] = ended
            if failed is None and ended.said is None:
                self._gang.leave_all()
                return Outcome((await running).status, None)
            if failed is None and ended.failed:
                failed = index
                self._gang.end_all()
                if 0 not in ends:
                    self._task.cell.end()
        telling = 0 if failed is None else failed
        told = {
            "id": order["id"],
            "report": ends[telling].said,
            "ends": [ends[index].end for index in range(self._gang.count)],
            "failed": telling if failed is not None and self._gang.count > 1 else None,
        }
        return Outcome(ends[0].status if telling == 0 else 0, told)

    def _note_own_end(self, running: asyncio.Future[Ended]) -> None:
        if not running.cancelled():
            self._gang.ends.put_nowait((0, running.result()))

    async def _next_order(self, told: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """What somebody hands over in the time there is; null where nobody does, or the task is to go."""
        self._is_idle = True
        if self._task.store is None:
            # Started anew, it would run a cell that others came after.
            os.close(os.open(f"{self._task.results}/{MARK}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            say_kept(seconds)
        self._door.tell_all(told, seconds)
        following: dict[str, Any] | None = await self._first(
            self._gang.loss.unless(self._door.orders.get()), within_s=seconds
        )
        self._door.close()
        if self._task.store is None:
            say_busy()
        return following


def _free_port(usual: int) -> int:
    """The usual port, another where that is taken: what the last cell had there may linger for a minute."""
    for port in (usual, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            found: int = probe.getsockname()[1]
            return found
    return usual
