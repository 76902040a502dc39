"""Answers with tables, as a notebook shows them: what they tell of the engine keeps up until the next cell runs."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Callable
from concurrent.futures import Future

from IPython.display import DisplayHandle, display

from jupyter_runai.client import Client
from jupyter_runai.client.pace import Pace
from jupyter_runai.client.runtime import runtime
from jupyter_runai.client.watch import shared_watch
from jupyter_runai.verbs.answer import Answer
from jupyter_runai.verbs.line import answered
from scheduler_core.errors import RunaiError

_LIVE = frozenset({"list", "devices", "queues", "project list"})


class LiveTables:
    """Shows answers. Those of a cell change with the engine until `rest`: from then on they are its record."""

    def __init__(self) -> None:
        self._live: list[tuple[_LiveTable, Future[None]]] = []

    def show(self, client: Client, verb: str, options: Namespace, answer: Answer) -> None:
        """Display an answer with tables."""
        handle = display(_bundle(answer), raw=True, display_id=True)
        if verb in _LIVE and handle is not None:
            table = _LiveTable(lambda: answered(client, verb, options), handle, answer)
            self._live.append((table, runtime().spawn(table.follow())))

    def rest(self, *_: object) -> None:
        """Let all of them be as they are."""
        for table, following in self._live:
            following.cancel()
            runtime().run(table.rest())
        self._live.clear()


class _LiveTable:
    """One answer; all but drawing it belongs to the runtime's event loop."""

    def __init__(self, ask: Callable[[], Answer], handle: DisplayHandle, shown: Answer) -> None:
        self._ask = ask
        self._handle = handle
        self._shown = shown
        self._watch = shared_watch()
        self._pace = Pace(self._redraw)
        self._drawing: asyncio.Task[None] | None = None

    async def follow(self) -> None:
        await self._watch.join(self._pace.ask)

    async def rest(self) -> None:
        self._pace.stop()
        await self._watch.leave(self._pace.ask)
        if self._drawing is not None:
            await self._drawing

    def _redraw(self) -> None:
        if self._drawing is None or self._drawing.done():
            self._drawing = asyncio.ensure_future(asyncio.to_thread(self._draw))
        else:
            self._pace.ask()

    def _draw(self) -> None:
        try:
            answer = self._ask()
        except RunaiError:
            # An engine that is away tells of itself when it is back.
            return
        if answer.parts != self._shown.parts:
            self._shown = answer
            self._handle.update(_bundle(answer), raw=True)


def _bundle(answer: Answer) -> dict[str, str]:
    plain = {"text/plain": answer.text}
    return {**plain, "text/html": f'<div class="runai-answer">{answer.html}</div>'} if answer.html else plain
