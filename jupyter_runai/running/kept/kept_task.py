"""What the keepers of all tasks have in common: a task that runs cells as long as it is not to go."""

from __future__ import annotations

import asyncio
import signal
from abc import ABC, abstractmethod
from typing import NamedTuple

from ..reports import FAILED, report
from .gang_links import Meeting, TaskLost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from .fresh_cell import Ended, FreshCell
    from .stored_pieces import Store

TERMINATED = 128 + signal.SIGTERM
_TOLD_TO_GO_WITHIN_S = 10.0
"""Where a task is lost because the gang is to go, this one is told so too."""


class Task(NamedTuple):
    """The task of this `rank` among so many `tasks`, its `first` order, and its folders.

    `store` is null where the notebook and all tasks share their files; else `own` is a folder for those of cells.
    """

    rank: int
    tasks: int
    first: dict[str, Any]
    results: str
    own: str
    store: Store | None
    cell: FreshCell

    @property
    def meeting(self) -> Meeting:
        return Meeting(self.results, self.first.get("token", ""), self.rank)


class Keeper(ABC):
    """What the keepers of all tasks do."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._goes = asyncio.Event()
        self._running: asyncio.Future[Ended] | None = None
        self._is_idle = False
        """Whether a cell has ended here, and the next one is waited for."""

    async def run(self) -> int:
        """Go on until nobody hands over a cell in time, or the task is to go; the status of the last cell."""
        loop = asyncio.get_running_loop()
        # Not by the loop, which lets the next one kill as soon as it closes.
        signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(self._go))
        try:
            return await self._keep()
        except TaskLost as lost:
            return await self._alone(str(lost))
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    @abstractmethod
    async def _keep(self) -> int:
        """Run cells until none follows; the status of the last."""

    def _start(self, order: dict[str, Any]) -> asyncio.Future[Ended]:
        meets_at = ("MASTER_PORT", "PET_MASTER_PORT") if "port" in order else ()
        variables = {name: str(order["port"]) for name in meets_at}
        self._running = asyncio.ensure_future(self._task.cell.run(order["folder"], variables))
        return self._running

    def _go(self) -> None:
        """The task is to go: at once where no cell runs."""
        self._goes.set()
        self._task.cell.end()

    def _done(self) -> int:
        """Nothing is lost: its cells have ended, and told how."""
        report()
        return 0

    async def _first(self, *waits: Coroutine[Any, Any, Any], within_s: float | None = None) -> Any:
        """What the first of these gives; null where the time is up or this task is to go before."""
        tasks = [asyncio.ensure_future(wait) for wait in (*waits, self._goes.wait())]
        try:
            await asyncio.wait(tasks, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
            return next((task.result() for task in tasks[:-1] if task.done()), None)
        finally:
            for task in tasks:
                task.cancel()

    async def _alone(self, lost: str) -> int:
        """The gang is no more: between cells nothing is lost, else it has failed, unless all of it is to go."""
        if self._is_idle:
            return self._done()
        await self._first(within_s=_TOLD_TO_GO_WITHIN_S)
        self._task.cell.end()
        ended = None if self._running is None else await self._running
        if self._goes.is_set():
            return TERMINATED if ended is None else ended.status
        return failed("TaskLost", lost)


def failed(kind: str, message: str) -> int:
    """Report an error of ours; the status that goes with it."""
    report(error={"type": kind, "message": message, "traceback": message})
    return FAILED
