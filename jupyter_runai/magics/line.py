"""The one line of ours above a cell's output: what its workload does, updated in place."""

from __future__ import annotations

import time
from html import escape

from IPython.display import DisplayHandle, display

from jupyter_runai.waiting import waiting_words
from jupyter_runai.words import duration, elapsed, held, size, state_words
from scheduler_core.workload import Workload

_GLYPHS = {"completed": "✓", "failed": "✗", "stopped": "■"}
_STYLE = (
    "display:flex;justify-content:space-between;gap:1em;font-family:var(--jp-ui-font-family);"
    "font-size:var(--jp-ui-font-size1);color:var(--jp-ui-font-color1)"
)


class ProgressLine:
    """Shows a workload's state; call `show` at each change and tick."""

    def __init__(self, in_place: bool) -> None:
        self._in_place = in_place
        self._handle: DisplayHandle | None = None
        self._shown = ""
        self._bundle: dict[str, str] = {}

    def show(self, workload: Workload, returned: tuple[tuple[str, str, int], ...] = (), note: str = "") -> None:
        """Draw the line; `returned` are the (name, type, bytes) of values that came back, `note` follows at the end."""
        text, clock = describe(workload, time.time(), returned)
        text += f" · {note}" if note else ""
        # Where output cannot be replaced (a terminal), a line a change is enough: no ticking clock.
        drawn = f"{text}  {clock}" if self._in_place else text
        if drawn == self._shown:
            return
        self._shown = drawn
        self._bundle = {"text/plain": f"{text}  {clock}", "text/html": _html(text, clock, workload)}
        if self._handle is None or not self._in_place:
            self._handle = display(self._bundle, raw=True, display_id=True)
        else:
            self._handle.update(self._bundle, raw=True)

    def show_again(self) -> None:
        """Draw the line anew, after the cell's outputs were cleared."""
        if self._handle is not None and self._in_place:
            self._handle.display(self._bundle, raw=True)


def describe(workload: Workload, now: float, returned: tuple[tuple[str, str, int], ...]) -> tuple[str, str]:
    """The line's text and its clock."""
    clock = elapsed(duration(workload, now))
    words = [workload.name]
    if workload.has_ended:
        words.append(_ending(workload, clock))
        words += [f"{name} ← {kind} ({size(count)})" for name, kind, count in returned]
        return f"{_GLYPHS[workload.state]} {' · '.join(words)}", ""
    words.append(state_words(workload))
    if workload.state == "pending" and workload.verdict is not None:
        words += waiting_words(workload)
    elif workload.allocation is not None:
        words.append(held(workload.allocation, workload.simulated))
    return f"▸ {' · '.join(words)}", clock


def _ending(workload: Workload, clock: str) -> str:
    if workload.started is None and workload.verdict is not None:
        return f"not started · {workload.verdict.message}"
    if workload.state == "completed":
        return f"completed in {clock}"
    if workload.report is not None and workload.report.error is not None:
        return f"failed after {clock}: {workload.report.error.type}"
    reason = f" ({workload.reason})" if workload.reason else ""
    return f"{workload.state} after {clock}{reason}"


def _html(text: str, clock: str, workload: Workload) -> str:
    return (
        f'<div class="runai-line" data-workload="{escape(workload.id)}" role="status" style="{_STYLE}">'
        f'<span>{escape(text)}</span><span style="font-variant-numeric:tabular-nums">{escape(clock)}</span></div>'
    )
