"""The independent judge of a plan: it shares no code with the planner, only the structs of the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from scheduler_core.model import Plan, PlannedWorkload, Snapshot, VerdictState
from scheduler_core.planning.check_capacity import check_capacity
from scheduler_core.planning.check_evictions import check_evictions
from scheduler_core.planning.check_gangs import check_gangs
from scheduler_core.planning.check_placements import check_placements
from scheduler_core.planning.check_queues import check_queues
from scheduler_core.planning.check_state import State, Violation

__all__ = ["Violation", "check"]


def check(snapshot: Snapshot, plan: Plan) -> list[Violation]:
    """Every way in which the plan breaks the contract's "A plan is valid only if"; empty for a valid plan.

    The snapshot is taken to be valid. Checked are the entries of the plan (tasks, nodes, devices and slices that exist
    and serve the request), capacity, limits and quotas at every level and pool, gang minimums, pools, topology,
    evictions and verdict states.

    Left out: that allocate alone, planned again without the victims, places the beneficiary (it would need the
    planner); fair shares and with them the share tests of reclaim; the codes, facts, positions and shares reported.
    """
    state = State(snapshot, plan)
    return [
        *check_placements(state),
        *check_capacity(state),
        *check_queues(state),
        *check_gangs(state),
        *check_evictions(state),
        *_check_verdicts(state),
    ]


def _check_verdicts(state: State) -> Iterator[Violation]:
    """One verdict for each workload with a pending task, saying what the plan does with it."""
    counts = Counter(verdict.workload for verdict in state.plan.verdicts)
    for workload_id, count in counts.items():
        if count > 1:
            yield Violation("verdict_twice", workload_id, f"Workload {workload_id} has {count} verdicts.")
    for workload in state.snapshot.workloads:
        if _waits(workload, "pending") and workload.id not in counts:
            message = f"Workload {workload.id} has a pending task and no verdict."
            yield Violation("verdict_missing", workload.id, message)
    for verdict in state.plan.verdicts:
        subject = state.workloads.get(verdict.workload)
        # Work that is gated as a whole may be explained too: the contract has a code for it.
        if subject is None or not _waits(subject, "pending", "gated"):
            message = f"There is a verdict on {verdict.workload}, which has no pending task."
            yield Violation("verdict_extra", verdict.workload, message)
        elif verdict.state != (expected := _expected_state(state, subject)):
            message = f"The verdict on {subject.id} is {verdict.state}, its binds and nominations say {expected}."
            yield Violation("verdict_state", subject.id, message)


def _waits(workload: PlannedWorkload, *states: str) -> bool:
    return any(task.state in states for task in workload.tasks)


def _expected_state(state: State, workload: PlannedWorkload) -> VerdictState:
    pending = [task.id for task in workload.tasks if task.state == "pending"]
    bound = sum(task_id in state.bound for task_id in pending)
    if bound:
        return "placed" if bound == len(pending) else "partly_placed"
    return "nominated" if any(task_id in state.nominated for task_id in pending) else "pending"
