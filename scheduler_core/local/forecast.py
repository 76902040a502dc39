"""What a plan would do for one workload: where it is placed, and whose work goes for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from scheduler_core.local.records import by_workload
from scheduler_core.model import Plan


def forecast(made: Plan, workload_id: str, names: Mapping[str, str]) -> dict[str, Any]:
    """Facts for its verdict: `place`, by node the ids of devices, and `takes_from`, by workload the tasks taken.

    `names` are the workloads' names by id.
    """
    placed = by_workload((*made.binds, *made.nominations)).get(workload_id, {})
    devices: dict[str, set[str]] = {}
    for bind in placed.values():
        devices.setdefault(bind.node, set()).update(bind.gpu_ids)
    taken = Counter(
        (eviction.workload, eviction.action) for eviction in made.evictions if eviction.beneficiary == workload_id
    )
    return {
        "place": [{"node": node, "devices": sorted(ids)} for node, ids in sorted(devices.items())],
        "takes_from": [
            {"workload": names.get(workload, workload), "action": action, "tasks": count}
            for (workload, action), count in sorted(taken.items())
        ],
    }
