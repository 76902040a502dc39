"""Whether waiting for a workload can come to an end."""

from __future__ import annotations

from scheduler_core.workload import Workload

_HOPELESS = frozenset({"never_fits", "queue_not_found"})


def never_starts(workload: Workload) -> bool:
    """Whether a workload has not started, and cannot on the devices and projects that there are."""
    return workload.started is None and workload.verdict is not None and workload.verdict.code in _HOPELESS
