"""Between what people submit and what the planner sees: a workload on its way in, a plan on its way out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from scheduler_core.model import Group, Plan, PlannedWorkload, Task
from scheduler_core.planning.remedies import Change
from scheduler_core.workload import SpecChange, WorkloadSpec


def pending_workload(workload_id: str, spec: WorkloadSpec, created: float) -> PlannedWorkload:
    """A workload that waits, as the planner sees it."""
    tasks = (Task(id=f"{workload_id}-{index}", request=spec.request) for index in range(spec.tasks))
    return planned_workload(workload_id, spec, created, None, tuple(tasks), spec.fewest_tasks)


def planned_workload(
    workload_id: str,
    spec: WorkloadSpec,
    created: float,
    started: float | None,
    tasks: tuple[Task, ...],
    fewest: int,
) -> PlannedWorkload:
    """A workload of these tasks, of which `fewest` start together or not at all."""
    return PlannedWorkload(
        id=workload_id,
        queue=spec.queue,
        created=created,
        priority=spec.effective_priority,
        preemptible=spec.effective_preemptible,
        started=started,
        groups=(Group(name="default", min_members=fewest),),
        tasks=tasks,
    )


def forecast(made: Plan, workload: PlannedWorkload, names: Mapping[str, str]) -> dict[str, Any]:
    """Facts for its verdict: `place`, by node the ids of devices, and `takes_from`, by workload the tasks taken.

    `names` are the workloads' names by id.
    """
    tasks = {task.id for task in workload.tasks}
    devices: dict[str, set[str]] = {}
    for bind in (*made.binds, *made.nominations):
        if bind.task in tasks:
            devices.setdefault(bind.node, set()).update(bind.gpu_ids)
    taken = Counter(
        (eviction.workload, eviction.action) for eviction in made.evictions if eviction.beneficiary == workload.id
    )
    return {
        "place": [{"node": node, "devices": sorted(ids)} for node, ids in sorted(devices.items())],
        "takes_from": [
            {"workload": names.get(victim, victim), "action": action, "tasks": count}
            for (victim, action), count in sorted(taken.items())
        ],
    }


def spec_change(spec: WorkloadSpec, asked: PlannedWorkload, change: Change) -> SpecChange:
    """A remedy of the planner in the words of submissions; `asked` is the workload as it was planned."""
    after = change.workload
    requests = [new.request for new, old in zip(after.tasks, asked.tasks, strict=True) if new.request != old.request]
    fewer = _fewest(asked) - _fewest(after)
    return SpecChange(
        change=change.remedy.change,
        effect=change.remedy.effect,
        request=requests[0] if requests else None,
        min_tasks=spec.fewest_tasks - fewer if fewer else None,
        priority=after.priority if after.priority != asked.priority else None,
    )


def _fewest(workload: PlannedWorkload) -> int:
    return sum(group.min_members for group in workload.groups or ())
