"""Why a workload waits, in words, and whether waiting is of any use."""

from __future__ import annotations

from jupyter_runai.words import ordinal
from scheduler_core.workload import Workload

_HOPELESS = frozenset({"never_fits", "queue_not_found"})


def is_hopeless(workload: Workload) -> bool:
    """Whether a workload asks for what there never is."""
    return workload.started is None and workload.verdict is not None and workload.verdict.code in _HOPELESS


def waiting_words(workload: Workload) -> list[str]:
    """Its position, why it was taken off its devices if it was, and its verdict, as far as they are known."""
    verdict = workload.verdict
    if verdict is None:
        return [workload.reason] if workload.reason else []
    position = verdict.queue_position
    place = "" if position is None else f"{ordinal(position)} in project {workload.queue}"
    return [*filter(None, (place, workload.reason, verdict.message))]
