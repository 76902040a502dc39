"""What a workload used of its devices in the last minute."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from jupyter_runai.widgets import strings
from jupyter_runai.widgets.drawing import curve
from jupyter_runai.words import panel as words
from scheduler_core.engine import Engine
from scheduler_core.model import MILLI
from scheduler_core.workload import Measurement, Workload

_SECONDS = 60


class UseView(Struct, frozen=True, kw_only=True):
    """The figures of the last second, and a curve of values from 0 to 1, null where nothing was measured."""

    label: str
    points: tuple[float | None, ...]

    def text(self) -> str:
        return f"{self.label} {curve(self.points)}".rstrip()


class Use:
    """The measurements of a workload, the newest last."""

    def __init__(self) -> None:
        self._seconds: deque[Measurement] = deque(maxlen=_SECONDS)

    async def update(self, engine: Engine, workload_id: str) -> None:
        """Fetch what was measured since."""
        last = self._seconds[-1].at if self._seconds else 0.0
        for measured in await engine.measurements(workload_id, "second", last):
            if measured.at > last:
                self._seconds.append(measured)

    def view(self, workload: Workload) -> UseView | None:
        """What is shown of it; nothing for work that holds no device, or before the first second."""
        devices = workload.allocation.devices if workload.allocation is not None else ()
        if not devices or not self._seconds:
            return None
        held = sum(device.portion_milli for device in devices) / MILLI
        used = [measured.gpu_utilization for measured in self._seconds]
        most = max([held, *(one for one in used if one is not None)])
        points = tuple(None if one is None else round(one / most, 3) for one in used)
        return UseView(label=self._label(held, workload.simulated), points=points)

    def _label(self, held: float, simulated: bool) -> str:
        last = self._seconds[-1]
        if last.gpu_utilization is None:
            return strings.NOT_MEASURED
        parts = [strings.GPU_USED.format(f"{last.gpu_utilization:.2f}", words.devices_number(held))]
        if last.gpu_memory_mib is not None:
            peak = max(one.gpu_memory_peak_mib or 0.0 for one in self._seconds)
            parts.append(strings.GPU_MEMORY.format(words.memory(last.gpu_memory_mib), words.memory(peak)))
        if simulated:
            parts.append(strings.MADE_UP)
        return " · ".join(parts)
