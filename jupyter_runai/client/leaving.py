"""What an interrupt means to whoever stays with a workload."""

from __future__ import annotations

import time
from collections.abc import Callable

from scheduler_core.workload import DEFAULT_GRACE_S, Workload

_AGAIN_S = 2.0


def wants_it_stopped(workload: Workload, say: Callable[[str], None]) -> bool:
    """Whether a second interrupt follows soon on the first; that alone leaves the workload to itself."""
    try:
        say(f"Detaches in {_AGAIN_S:.0f} s; interrupt again to stop {workload.name}.")
        time.sleep(_AGAIN_S)
    except KeyboardInterrupt:
        return True
    return False


def was_stopped(workload: Workload) -> str:
    """What became of a workload that was stopped so."""
    if workload.has_ended:
        return f"{workload.name} was {workload.state}."
    return f"{workload.name} was told to stop and has {DEFAULT_GRACE_S:.0f} s to end by itself."


def goes_on(workload: Workload, prefix: str) -> str:
    """Where a workload that was left is found again."""
    name = workload.name
    return f"Detached: {name} goes on. {prefix} logs {name} · {prefix} stop {name}"
