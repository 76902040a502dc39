"""The scheduling core: a pure planner, its independent check, and the vocabulary they share."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scheduler_core.model import (
    Bind,
    Config,
    Eviction,
    Gpu,
    GpuQuota,
    Group,
    HostQuota,
    MigProfile,
    MigSlice,
    Node,
    Nomination,
    Plan,
    PlannedWorkload,
    PoolQuota,
    Queue,
    QueueShare,
    Remedy,
    Snapshot,
    Taint,
    Task,
    TaskRequest,
    Toleration,
    Topology,
    TypicalTask,
    Usage,
    Verdict,
)

if TYPE_CHECKING:
    from scheduler_core.planning.check import Violation, check
    from scheduler_core.planning.errors import BadSnapshot
    from scheduler_core.planning.plan import plan
    from scheduler_core.planning.remedies import remedies
    from scheduler_core.planning.snapshot_json import plan_to_json, snapshot_from_json

__all__ = [
    "BadSnapshot",
    "Bind",
    "Config",
    "Eviction",
    "Gpu",
    "GpuQuota",
    "Group",
    "HostQuota",
    "MigProfile",
    "MigSlice",
    "Node",
    "Nomination",
    "Plan",
    "PlannedWorkload",
    "PoolQuota",
    "Queue",
    "QueueShare",
    "Remedy",
    "Snapshot",
    "Taint",
    "Task",
    "TaskRequest",
    "Toleration",
    "Topology",
    "TypicalTask",
    "Usage",
    "Verdict",
    "Violation",
    "check",
    "plan",
    "plan_to_json",
    "remedies",
    "snapshot_from_json",
]

_IN_PLANNING = {
    "BadSnapshot": "errors",
    "Violation": "check",
    "check": "check",
    "plan": "plan",
    "plan_to_json": "snapshot_json",
    "remedies": "remedies",
    "snapshot_from_json": "snapshot_json",
}


def __getattr__(name: str) -> Any:
    """The planner is imported when it is first asked for: notebooks and servers only need the vocabulary."""
    if name not in _IN_PLANNING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"scheduler_core.planning.{_IN_PLANNING[name]}"), name)
