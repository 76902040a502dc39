"""What is shown of one workload."""

from __future__ import annotations

from msgspec import Struct

from jupyter_runai.widgets import strings
from jupyter_runai.widgets.drawing import bar, indented
from jupyter_runai.widgets.live import Note
from jupyter_runai.widgets.log_tail import LogTail
from jupyter_runai.widgets.use import Use, UseView
from jupyter_runai.words import panel as words
from jupyter_runai.words.figures import duration, elapsed, state_words
from scheduler_core.workload import State, Workload

_SUSPENDABLE = frozenset[State]({"pending", "initializing", "running", "degraded"})
_RESUMABLE = frozenset[State]({"suspending", "suspended"})


class Button(Struct, frozen=True, kw_only=True):
    """What can be done; `title` also says to what."""

    name: str
    label: str
    title: str
    is_enabled: bool = True


class Progress(Struct, frozen=True, kw_only=True):
    """How far the work is: `percent` from 0 to 100, and in words by whose account."""

    label: str
    percent: float


class ShareField(Struct, frozen=True, kw_only=True):
    """The share that resizing asks for."""

    name: str
    label: str
    title: str
    value: str
    hint: str


class WorkloadView(Struct, frozen=True, kw_only=True):
    """One workload; `sentence` is read out when it changes, `story` is the whole verdict of one that waits."""

    id: str
    state: State
    glyph: str
    name: str
    asked: str
    clock: str
    word: str
    detail: str
    story: str
    sentence: str
    progress: Progress | None
    use: UseView | None
    log_label: str
    log: tuple[str, ...]
    no_log: str
    buttons: tuple[Button, ...]
    share: ShareField | None
    note: Note

    def text(self) -> str:
        head = " · ".join(filter(None, [f"{self.glyph} {self.name}", self.word, self.detail, self.asked]))
        lines = [self.story]
        if self.progress is not None:
            lines.append(f"{bar(self.progress.percent / 100)} {self.progress.label}")
        if self.use is not None:
            lines.append(self.use.text())
        lines += [*(f"│ {line}" for line in self.log), self.note.text]
        return "\n".join(filter(None, [f"{head}  {self.clock}", indented(lines)]))


def workload_view(
    workload: Workload, now: float, log: LogTail, use: Use, share: str | None, note: Note
) -> WorkloadView:
    """What the widget shows; `share` is what was filled in to resize to, if anything."""
    waits = workload.state in ("creating", "pending")
    return WorkloadView(
        id=workload.id,
        state=workload.state,
        glyph=words.state_glyph(workload.state),
        name=workload.name,
        asked=words.requested_by_all(workload),
        clock=elapsed(duration(workload, now)),
        word=state_words(workload),
        detail=words.detail(workload),
        story=workload.verdict.message if waits and workload.verdict is not None else "",
        sentence=words.state_sentence(workload),
        progress=_progress(workload, log),
        use=use.view(workload),
        log_label=strings.LOG.format(workload.name),
        log=log.lines,
        no_log=strings.NO_OUTPUT,
        buttons=_buttons(workload),
        share=None if workload.has_ended else _share_field(workload, share),
        note=note,
    )


def _progress(workload: Workload, log: LogTail) -> Progress | None:
    """Of several tasks how many have completed, else what its own progress bar says."""
    if workload.tasks > 1:
        done = workload.tasks if workload.state == "completed" else workload.task_states.get("completed", 0)
        label = strings.TASKS_DONE.format(done, workload.tasks)
        return Progress(label=label, percent=100 * done / workload.tasks)
    if log.percent is None:
        return None
    return Progress(label=strings.SAYS.format(log.percent), percent=log.percent)


def _buttons(workload: Workload) -> tuple[Button, ...]:
    if workload.has_ended or workload.state == "deleting":
        return ()
    may_stop = workload.stop_requested is None
    labels = {"stop": (strings.STOP, may_stop)}
    if workload.state in _RESUMABLE:
        labels["resume"] = (strings.RESUME, may_stop)
    else:
        labels["suspend"] = (strings.SUSPEND, may_stop and workload.state in _SUSPENDABLE)
    labels["resize"] = (strings.RESIZE, may_stop)
    return tuple(
        Button(name=name, label=label, title=strings.OF_WORKLOAD.format(label, workload.name), is_enabled=may)
        for name, (label, may) in labels.items()
    )


def _share_field(workload: Workload, filled: str | None) -> ShareField:
    request = workload.next_request or workload.request
    return ShareField(
        name="share",
        label=strings.SHARE,
        title=strings.OF_WORKLOAD.format(strings.SHARE, workload.name),
        value=str(request.gpu) if filled is None else filled,
        hint=strings.SHARE_HINT,
    )
