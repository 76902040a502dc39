"""What a workload does, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_runai.words.figures import duration, elapsed, held, state_words
from jupyter_runai.words.waiting import waiting_words
from scheduler_core.workload import Workload

_GLYPHS = {"completed": "✓", "failed": "✗", "stopped": "■"}


def progress(workload: Workload, now: float, returned: Sequence[str] = ()) -> tuple[str, str]:
    """The line and its clock; `returned` tells of each value that came back."""
    clock = elapsed(duration(workload, now))
    words = [workload.name]
    if workload.has_ended:
        words.append(_ending(workload, clock))
        return f"{_GLYPHS[workload.state]} {' · '.join([*words, *returned])}", ""
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
