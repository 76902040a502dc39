"""Sliders for how much a job may have, and what the planner says to it."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct
from msgspec.structs import replace

from jupyter_runai.widgets import strings
from jupyter_runai.widgets.drawing import indented
from jupyter_runai.widgets.forecast import Row
from jupyter_runai.widgets.jobs import Amount, MakeSpec, job_of
from jupyter_runai.widgets.live import Note, in_one_sentence, static
from jupyter_runai.widgets.returns import Returns
from jupyter_runai.widgets.submitting import SubmittingWidget
from jupyter_runai.words.figures import share
from scheduler_core.errors import RunaiError
from scheduler_core.model import MILLI
from scheduler_core.workload import MOST_TASKS, Workload, WorkloadSpec

_STEP_MILLI = 50
_WORKERS = 8


class Slider(Struct, frozen=True, kw_only=True):
    """One number to choose."""

    name: str
    label: str
    least: float
    most: float
    step: float
    value: str


class ScaleOutView(Struct, frozen=True, kw_only=True):
    """The sliders, and in rows what would become of it; `is_current` when they are about what the sliders say."""

    title: str
    sliders: tuple[Slider, ...]
    hint: str
    rows: tuple[Row, ...]
    is_current: bool
    button: str
    note: Note

    def text(self) -> str:
        chosen = "  ".join(f"{slider.label} {slider.value}" for slider in self.sliders)
        width = max(len(row.label) for row in self.rows)
        rows = [f"{row.label.ljust(width)}  {row.text}" for row in self.rows]
        return "\n".join(filter(None, [f"{self.title}: {chosen}", indented([*rows, self.note.text])]))


class ScaleOut(SubmittingWidget):
    """Choose the share, the devices and the workers of a job; see what would become of it; submit it.

    The job is a WorkloadSpec, a function of (share, devices, workers) that makes one, or a cell's source such as `_i3`.

    Raises:
        InvalidRequest: it is none of these.
    """

    _esm = static("elements.js", "forms.js", "scale_out.js")

    def __init__(
        self,
        job: str | WorkloadSpec | MakeSpec,
        *,
        gpu: float | None = None,
        devices: int | None = None,
        workers: int | None = None,
    ) -> None:
        try:
            self._job = job_of(job)
        except RunaiError as error:
            raise in_one_sentence(error) from None
        initial = self._job.initial
        self._returns: Returns | None = None
        self._amount = Amount(
            milli=initial.milli if gpu is None else _milli(gpu),
            devices=devices or initial.devices,
            workers=workers or initial.workers,
        )
        super().__init__()

    def _view(self) -> ScaleOutView:
        line = self._job.line(self._amount)
        return ScaleOutView(
            title=strings.SCALE_OUT,
            sliders=self._sliders(),
            hint="" if self._job.takes_shares_of_several else strings.SHARE_ON_ONE,
            rows=(*([Row(strings.LINE, line)] if line else []), *self._rows()),
            is_current=self._preview.is_current,
            button=strings.SUBMIT,
            note=self._note(),
        )

    def _sliders(self) -> tuple[Slider, ...]:
        amount = self._amount
        on_node = Counter(device.node for device in self._watch.devices)
        devices = max([1, amount.devices, *on_node.values()])
        workers = min(MOST_TASKS, max(_WORKERS, amount.workers, 2 * on_node.total()))
        step = _STEP_MILLI / MILLI if amount.milli % _STEP_MILLI == 0 else 1 / MILLI
        return (
            Slider(name="fraction", label=strings.FRACTION, least=step, most=1, step=step, value=share(amount.milli)),
            Slider(
                name="devices", label=strings.DEVICES_EACH, least=1, most=devices, step=1, value=str(amount.devices)
            ),
            Slider(name="workers", label=strings.WORKERS, least=1, most=workers, step=1, value=str(amount.workers)),
        )

    async def _fill(self, field: str, value: str | bool) -> None:
        try:
            number = float(value)
        except ValueError:
            return
        if field == "fraction":
            self._amount = replace(self._amount, milli=_milli(number))
            if self._amount.milli < MILLI and not self._job.takes_shares_of_several:
                self._amount = replace(self._amount, devices=1)
        elif field == "devices":
            self._amount = replace(self._amount, devices=max(1, int(number)))
            if self._amount.devices > 1 and not self._job.takes_shares_of_several:
                self._amount = replace(self._amount, milli=MILLI)
        elif field == "workers":
            self._amount = replace(self._amount, workers=min(MOST_TASKS, max(1, int(number))))
        self._ask()

    def _spec(self) -> WorkloadSpec:
        return self._job.spec(self._amount)

    def _submit(self) -> Workload:
        return self._job.submit(self._amount)

    def _outcome(self) -> str:
        return self._returns.said if self._returns is not None else ""

    async def _press(self, button: str) -> str:
        said = await super()._press(button)
        if button == "submit" and self._made is not None and self._job.outputs:
            self._returns = Returns(self._watch.client, self._job, self._made, self._returned)
        return said

    def _returned(self, workload: Workload) -> None:
        if self._made is not None and self._made.id == workload.id:
            self._made = workload
        if not self._is_closed:
            self._pace.ask()


def _milli(gpu: float) -> int:
    return min(MILLI, max(1, round(gpu * MILLI)))
