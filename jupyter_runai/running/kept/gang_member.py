"""What another task's keeper has of task 0: from there cells are handed on, and there it is told how they end."""

from __future__ import annotations

import asyncio
import json

from .door import say, take
from .gang_links import Loss

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .fresh_cell import Ended, FreshCell
    from .gang_links import Meeting
    from .stored_pieces import Store


class Membership:
    """The connection to task 0, which may have the `cell` that runs here end."""

    def __init__(self, meeting: Meeting, cell: FreshCell, store: Store | None, own: str) -> None:
        self._orders: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.was_ended = False
        """Whether the cell that ran last was told to end, since another task's had failed."""
        self.left = asyncio.Event()
        self.loss = Loss()
        self._meeting, self._cell, self._store, self._own = meeting, cell, store, own
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Future[None] | None = None

    async def join(self) -> bool:
        """True once it has come to task 0. Raises TaskLost where that is not reached in time."""
        reader, self._writer = await self._meeting.join()
        self._listening = asyncio.ensure_future(self._listen(reader, self._writer))
        return True

    async def next_order(self) -> dict[str, Any] | None:
        """The next cell that is handed on; null where none will be. Raises TaskLost: task 0 has gone."""
        leaving = asyncio.ensure_future(self.left.wait())
        order = asyncio.ensure_future(self._orders.get())
        try:
            await self.loss.unless(asyncio.wait((order, leaving), return_when=asyncio.FIRST_COMPLETED))
            return order.result() if order.done() else None
        finally:
            order.cancel()
            leaving.cancel()

    def tell(self, ended: Ended) -> None:
        """Say how a cell has ended here."""
        if self._writer is not None:
            say(self._writer, {"ended": ended})

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                told = json.loads(line)
                if "run" in told:
                    self.was_ended = False
                    self._cell.expect()
                    self._orders.put_nowait(await self._taken(told["run"], reader, writer))
                elif "end" in told:
                    self.was_ended = True
                    self._cell.end()
                else:
                    self.left.set()
        except (OSError, ValueError, KeyError, TypeError, asyncio.IncompleteReadError):
            # As good as gone.
            pass
        if not self.left.is_set():
            self.loss.tell("Task 0 is gone: the connection to it has ended.")

    async def _taken(
        self, run: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> dict[str, Any]:
        if self._store is None:
            return run
        return {**run, "folder": await take(self._store, self._own, run["inputs"], reader, writer)}
