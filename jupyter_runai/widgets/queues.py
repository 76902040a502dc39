"""Every project's quota, fair share and use as one bar."""

from __future__ import annotations

from msgspec import Struct

from jupyter_runai.widgets import strings
from jupyter_runai.widgets.drawing import bar, indented
from jupyter_runai.widgets.live import LiveWidget, Note, static
from jupyter_runai.words import panel as words
from scheduler_core.workload import QueueStatus


class QueueRow(Struct, frozen=True, kw_only=True):
    """One project; places on its bar are percent of its width, null where there is no such bound."""

    name: str
    used: str
    marks: str
    sentence: str
    used_percent: float
    quota_percent: float | None
    fair_share_percent: float | None

    def text(self) -> str:
        return f"{self.name}  {bar(self.used_percent / 100)}  {self.used} · {self.marks}"


class QueuesView(Struct, frozen=True, kw_only=True):
    """All projects and departments of an engine."""

    title: str
    empty: str
    queues: tuple[QueueRow, ...]
    note: Note

    def text(self) -> str:
        rows = indented([queue.text() for queue in self.queues])
        return "\n".join(filter(None, [self.title, self.empty, rows, self.note.text]))


class Queues(LiveWidget):
    """The projects of this machine: what each may have, and has."""

    _esm = static("elements.js", "queues.js")

    def _view(self) -> QueuesView:
        return queues_view(self._watch.queues, len(self._watch.devices), self._note())


def queues_view(queues: tuple[QueueStatus, ...], devices: int, note: Note) -> QueuesView:
    """What the widget shows; a bar that nothing else bounds is as wide as so many devices."""
    departments = {queue.parent for queue in queues}
    return QueuesView(
        title=strings.QUEUES,
        empty="" if queues else strings.NO_QUEUES,
        queues=tuple(_row(queue, queue.name in departments, devices) for queue in queues),
        note=note,
    )


def _row(queue: QueueStatus, is_department: bool, devices: int) -> QueueRow:
    bounds = (queue.limit, queue.quota) if queue.limit is not None or queue.quota is not None else (devices,)
    whole = max(queue.fair_share or 0, queue.allocated, *(bound or 0 for bound in bounds))

    def percent(devices: float | None) -> float | None:
        return None if devices is None else 100 * devices / whole if whole else 0.0

    used, marks = words.devices_number(queue.allocated), words.queue_marks(queue)
    return QueueRow(
        name=strings.DEPARTMENT.format(queue.name) if is_department else queue.name,
        used=strings.USED.format(used),
        marks=marks,
        sentence=strings.QUEUE_SENTENCE.format(queue.name, used, marks),
        used_percent=percent(queue.allocated) or 0.0,
        quota_percent=percent(queue.quota),
        fair_share_percent=percent(queue.fair_share),
    )
