"""How far the tasks of an array are: a bar in a notebook, lines of text elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from html import escape
from typing import Any

from jupyter_runai.pickling.shell import ipython_shell
from jupyter_runai.words.figures import elapsed, state_word
from scheduler_core.workload import State, Workload

_REDRAWN_S = 0.2
_TENTHS = 10
_GLYPHS = {"completed": "✓", "failed": "✗", "stopped": "■"}
_LINE = (
    "display:flex;gap:1em;align-items:center;font-family:var(--jp-ui-font-family);"
    "font-size:var(--jp-ui-font-size1);color:var(--jp-ui-font-color1)"
)
_BAR = "flex:0 0 12em;height:0.8em;display:flex;background:var(--jp-layout-color3);border-radius:2px;overflow:hidden"


class Progress:
    """Shows how far an array is; call `show` at each change and tick."""

    def __init__(self) -> None:
        self._bar = _Bar() if _in_notebook() else None
        self._drawn = 0.0
        self._said = ""

    def show(self, workload: Workload) -> None:
        """Draw it, unless that was done a moment ago and more is to come."""
        now = time.monotonic()
        if self._bar is None:
            self._say(workload)
        elif workload.has_ended or now - self._drawn >= _REDRAWN_S:
            self._drawn = now
            self._bar.draw(workload)

    def _say(self, workload: Workload) -> None:
        """A line for each state and tenth: a terminal or a log keeps them all."""
        finished = sum(_finished(workload))
        step = f"{state_word(workload)} {finished * _TENTHS // workload.tasks}"
        if step != self._said:
            self._said = step
            sys.stderr.write(f"{_text(workload)}  {_clock(workload)}\n")


class _Bar:
    def __init__(self) -> None:
        from IPython.display import display  # noqa: PLC0415 (only notebooks have it)

        self._display: Any = display
        self._handle: Any = None

    def draw(self, workload: Workload) -> None:
        text, clock = _text(workload), _clock(workload)
        bundle = {"text/plain": f"{text}  {clock}", "text/html": _html(workload, text, clock)}
        if self._handle is None:
            self._handle = self._display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def _in_notebook() -> bool:
    return hasattr(ipython_shell(), "kernel")


def _counts(workload: Workload) -> Mapping[State, int]:
    """The tasks by state; the engine counts them where there are several."""
    return workload.task_states or {workload.state: workload.tasks}


def _finished(workload: Workload) -> tuple[int, int]:
    """Tasks that ended well, and that failed."""
    counts = _counts(workload)
    return counts.get("completed", 0), counts.get("failed", 0)


def _text(workload: Workload) -> str:
    well, failed = _finished(workload)
    words = [workload.name, state_word(workload), f"{well + failed:,} of {workload.tasks:,} tasks done"]
    if failed:
        words.append(f"{failed:,} failed")
    running = _counts(workload).get("running", 0)
    if running and not workload.has_ended:
        words.append(f"{running:,} running")
    if workload.state == "pending" and workload.verdict is not None:
        words.append(workload.verdict.message)
    return f"{_GLYPHS.get(workload.state, '▸')} {' · '.join(words)}"


def _clock(workload: Workload) -> str:
    """How long it has taken all in all: between two of its tasks an array has not started."""
    return elapsed((workload.ended or time.time()) - workload.created)


def _html(workload: Workload, text: str, clock: str) -> str:
    well, failed = _finished(workload)
    parts = ((well, "var(--jp-brand-color1)"), (failed, "var(--jp-error-color1)"))
    widths = ((100 * count / workload.tasks, colour) for count, colour in parts)
    filled = "".join(f'<span style="width:{width:.1f}%;background:{colour}"></span>' for width, colour in widths)
    return (
        f'<div class="runai-progress" data-workload="{escape(workload.id)}" style="{_LINE}">'
        f'<div role="progressbar" aria-label="{escape(workload.name)}" aria-valuetext="{escape(text)}" style="{_BAR}"'
        f' aria-valuemin="0" aria-valuemax="{workload.tasks}" aria-valuenow="{well + failed}">{filled}</div>'
        f'<span>{escape(text)}</span><span style="font-variant-numeric:tabular-nums">{escape(clock)}</span></div>'
    )
