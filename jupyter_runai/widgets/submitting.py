"""What the forms share: they show what a submission would bring, make it, and follow what they made."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod

from jupyter_runai.client.watch import shared_watch
from jupyter_runai.widgets import strings
from jupyter_runai.widgets.forecast import Row, forecast
from jupyter_runai.widgets.live import LiveWidget
from jupyter_runai.widgets.preview import Preview
from jupyter_runai.words import panel as words
from jupyter_runai.words.figures import duration, elapsed, state_words
from scheduler_core.workload import Workload, WorkloadSpec

_TICK_S = 1.0
_LONGEST_WAIT_S = 3.0


class SubmittingWidget(LiveWidget):
    """A form: `_spec` says what it stands for now, `_submit` submits that. Both are called on threads of their own."""

    def __init__(self) -> None:
        self._preview = Preview(shared_watch().client, self._answered)
        self._made: Workload | None = None
        self._planned_for: object = None
        super().__init__()

    @abstractmethod
    def _spec(self) -> WorkloadSpec:
        """What would be submitted.

        Raises:
            RunaiError: what is filled in makes none.
        """

    @abstractmethod
    def _submit(self) -> Workload:
        """Submit it."""

    def _outcome(self) -> str:
        """What the last submission brings back, or has brought."""
        return ""

    def _rows(self) -> tuple[Row, ...]:
        """What the planner says, then what became of the last submission."""
        preview = self._preview
        if preview.verdict is not None and preview.spec is not None:
            rows = forecast(preview.verdict, preview.spec, self._watch.devices)
        else:
            rows = (Row(strings.STARTS, strings.ASKING if preview.problem is None else str(preview.problem)),)
        if self._made is None:
            return rows
        made = self._made if self._made.has_ended else self._watch.workloads.get(self._made.id, self._made)
        parts = [state_words(made), words.detail(made), elapsed(duration(made, time.time())), self._outcome()]
        return (*rows, Row(made.name, " · ".join(filter(None, parts))))

    def _ask(self) -> None:
        """Another question to the planner."""
        self._preview.ask(self._spec)

    def _answered(self) -> None:
        self._pace.ask()

    def _changed(self) -> None:
        super()._changed()
        watch = self._watch
        holders = tuple((device.id, device.ready, device.holders) for device in watch.devices)
        situation = holders, watch.queues, tuple((known.id, known.state) for known in watch.workloads.values())
        if situation != self._planned_for:
            self._planned_for = situation
            self._ask()

    async def _be_told(self) -> None:
        await self._preview.current(_LONGEST_WAIT_S)

    async def _keep_up(self) -> None:
        self._ask()
        try:
            while True:
                await asyncio.sleep(_TICK_S)
                if self._made is not None:
                    self._pace.ask()
        finally:
            self._preview.stop()

    async def _press(self, button: str) -> str:
        if button != "submit":
            return ""
        self._made = await asyncio.to_thread(self._submit)
        return strings.SUBMITTED.format(self._made.name, self._made.name)
