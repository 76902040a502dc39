"""What task 0's keeper has of the other tasks of its gang: it hands cells on to them, and hears how those end.

Both sides speak JSON, one object a line. To another task: {run: {port, folder}} or {run: {port, inputs}}, the latter
answered by {missing: [digest, ...]}, upon which their bytes follow; {end: true}, its cell is to end; {leave: true},
nothing more is handed on. From it: {ended: [status, report, end]}.
"""

from __future__ import annotations

import asyncio
import json

from .door import say
from .fresh_cell import Ended
from .gang_links import WITHIN_S, Loss, Meeting, TaskLost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from .stored_pieces import Store


class Lead:
    """The others of a gang of `count` tasks; `store` is null where folders are handed on, since all can read them."""

    def __init__(self, meeting: Meeting, count: int, store: Store | None) -> None:
        self.count = count
        self.ends: asyncio.Queue[tuple[int, Ended]] = asyncio.Queue()
        self.loss = Loss()
        self._meeting = meeting
        self._store = store
        self._others: dict[int, _Other] = {}
        self._is_whole = asyncio.Event()
        self._left = False

    async def gather(self) -> bool:
        """True once all of them have come.

        Raises:
            TaskLost: one did not come in time, or has gone again.
        """
        if self.count == 1:
            return True
        await self._meeting.listen(self._come)
        try:
            await asyncio.wait_for(self.loss.unless(self._is_whole.wait()), WITHIN_S)
        except TimeoutError:
            missing = min(set(range(1, self.count)) - self._others.keys())
            raise TaskLost(f"Task {missing} did not come to task 0 within {WITHIN_S:.0f} s.") from None
        return True

    async def hand_on(self, order: dict[str, Any]) -> None:
        """Let all of them run a cell that is here, and send them what they lack of it.

        Raises:
            TaskLost: one of them has gone.
        """
        what = "folder" if self._store is None else "inputs"
        run = {"port": order["port"], what: order[what]}
        await self.loss.unless(asyncio.gather(*(one.hand_on(run, self._store) for one in self._others.values())))

    async def next_end(self) -> tuple[int, Ended]:
        """The next task whose cell has ended, this one among them.

        Raises:
            TaskLost: one of them has gone.
        """
        return await self.loss.unless(self.ends.get())

    def end_all(self) -> None:
        """Tell the cells of the others to end."""
        for other in self._others.values():
            other.say({"end": True})

    def leave_all(self) -> None:
        """Hand on nothing more: each goes when its cell has ended."""
        self._left = True
        for other in self._others.values():
            other.say({"leave": True})

    def _come(self, index: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not 0 < index < self.count or index in self._others:
            writer.close()
            return
        other = self._others[index] = _Other(reader, writer)
        other.listening = asyncio.ensure_future(self._listen(index, other))
        if len(self._others) == self.count - 1:
            self._is_whole.set()

    async def _listen(self, index: int, other: _Other) -> None:
        try:
            async for told in other.lines():
                if "missing" in told:
                    other.missing.put_nowait(told["missing"])
                else:
                    self.ends.put_nowait((index, Ended(*told["ended"])))
        except (OSError, ValueError, KeyError, TypeError):
            # As good as gone.
            pass
        if not self._left:
            self.loss.tell(f"Task {index} is gone: its connection to task 0 has ended.")


class _Other:
    """The connection to another task."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.missing: asyncio.Queue[list[str]] = asyncio.Queue()
        self.listening: asyncio.Future[None] | None = None
        self._reader, self._writer = reader, writer

    def say(self, words: dict[str, Any]) -> None:
        say(self._writer, words)

    async def hand_on(self, run: dict[str, Any], store: Store | None) -> None:
        self.say({"run": run})
        if store is not None:
            for digest in await self.missing.get():
                self._writer.write(store.content(digest))
                await self._writer.drain()

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        while line := await self._reader.readline():
            yield json.loads(line)
