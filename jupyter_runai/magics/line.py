"""The one line of ours above a cell's output: what its workload does, updated in place."""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape

from IPython.display import DisplayHandle, display

from jupyter_runai.words.progress import progress
from scheduler_core.workload import Workload

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

    def show(self, workload: Workload, returned: Sequence[str] = (), note: str = "") -> None:
        """Draw the line; `returned` tells of each value that came back, `note` follows at the end."""
        text, clock = progress(workload, time.time(), returned)
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


def _html(text: str, clock: str, workload: Workload) -> str:
    return (
        f'<div class="runai-line" data-workload="{escape(workload.id)}" role="status" style="{_STYLE}">'
        f'<span>{escape(text)}</span><span style="font-variant-numeric:tabular-nums">{escape(clock)}</span></div>'
    )
