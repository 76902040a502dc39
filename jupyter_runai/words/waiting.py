"""Why a workload waits, in words."""

from __future__ import annotations

from jupyter_runai.words.figures import ordinal
from scheduler_core.workload import Workload


def waiting_words(workload: Workload) -> list[str]:
    """Its position, why it was taken off its devices if it was, and its verdict, as far as they are known."""
    verdict = workload.verdict
    if verdict is None:
        return [workload.reason] if workload.reason else []
    position = verdict.queue_position
    place = "" if position is None else f"{ordinal(position)} in project {workload.queue}"
    return [*filter(None, (place, workload.reason, verdict.message))]
