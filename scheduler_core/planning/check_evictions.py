"""Evictions: who may be a victim, of which action, for whom."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from scheduler_core.model import Eviction, PlannedWorkload, Queue, Task
from scheduler_core.planning.check_gangs import Gang
from scheduler_core.planning.check_state import HOLDING, State, Violation

_PLACING = frozenset({"allocate", "consolidate", "reclaim", "preempt"})


def check_evictions(state: State) -> Iterator[Violation]:
    """Each eviction names a running task that its action may take, for work that the plan nominates."""
    yield from _references(state)
    yield from _actions(state)
    for eviction in state.evictions.values():
        task, workload = state.tasks[eviction.task]
        yield from _moves(state, eviction, workload)
        if eviction.action == "stale_gang":
            continue
        if not workload.is_preemptible:
            message = f"Workload {workload.id} of task {task.id} is non-preemptible (priority {workload.priority})."
            yield Violation("evict_non_preemptible", task.id, message)
        yield from _beneficiary(state, eviction, workload)
    yield from _stale(state)
    yield from _protected(state)
    yield from _victim_counts(state)
    yield from _bound_beneficiaries(state)


def _references(state: State) -> Iterator[Violation]:
    """The task runs on devices that exist, belongs to the workload named, and is evicted once."""
    for task_id, count in Counter(eviction.task for eviction in state.plan.evictions).items():
        if count > 1:
            yield Violation("evict_twice", task_id, f"Task {task_id} is evicted {count} times.")
    for eviction in state.plan.evictions:
        known = state.tasks.get(eviction.task)
        if known is None:
            yield Violation("evict_unknown", eviction.task, f"Task {eviction.task} is not in the snapshot.")
            continue
        task, workload = known
        if workload.id != eviction.workload:
            message = f"Task {task.id} belongs to workload {workload.id}, not {eviction.workload}."
            yield Violation("evict_workload", task.id, message)
        if task.state != "running":
            yield Violation("evict_state", task.id, f"Task {task.id} is {task.state}; only running tasks are victims.")
        elif task.id not in state.homes:
            message = f"Task {task.id} occupies nothing: node {task.node} or one of its devices is gone."
            yield Violation("evict_state", task.id, message)


def _actions(state: State) -> Iterator[Violation]:
    """Nothing is done by an action that is switched off."""
    allowed = state.snapshot.config.actions
    for eviction in state.evictions.values():
        if eviction.action not in allowed:
            yield Violation("action_off", eviction.task, f"Action {eviction.action} is not in {list(allowed)}.")
    if state.bound and "allocate" not in allowed:
        task_id = next(iter(state.bound))
        yield Violation("action_off", task_id, f"{len(state.bound)} tasks are bound without the action allocate.")
    if state.nominated and _PLACING.isdisjoint(allowed):
        task_id = next(iter(state.nominated))
        yield Violation(
            "action_off", task_id, f"{len(state.nominated)} tasks are nominated without an action to do so."
        )


def _moves(state: State, eviction: Eviction, workload: PlannedWorkload) -> Iterator[Violation]:
    """A re-placed victim ends somewhere else; consolidation re-places all it takes, reclaim only where it may."""
    again = state.nominated.get(eviction.task)
    if again is None:
        if eviction.action == "consolidate":
            yield Violation("consolidation", eviction.task, f"Task {eviction.task} is moved away and placed nowhere.")
        return
    home, spot = state.homes.get(eviction.task), state.spot(again)
    if home is not None and spot is not None and home.place == spot.place:
        message = f"Task {eviction.task} is evicted and re-placed where it was, on node {spot.node.name}."
        yield Violation("evict_in_place", eviction.task, message)
    if eviction.action == "reclaim" and not state.snapshot.config.allow_consolidating_reclaim:
        message = f"Task {eviction.task} is reclaimed and re-placed, which allow_consolidating_reclaim forbids."
        yield Violation("consolidation", eviction.task, message)


def _beneficiary(state: State, eviction: Eviction, victim: PlannedWorkload) -> Iterator[Violation]:
    """The work an eviction is for exists, is nominated, and may take this victim by this action."""
    gainer = state.workloads.get(eviction.beneficiary or "")
    pending = [] if gainer is None else [task for task in gainer.tasks if task.state == "pending"]
    if gainer is None or not any(task.id in state.nominated for task in pending):
        message = f"Task {eviction.task} is evicted for {eviction.beneficiary}, of which no pending task is nominated."
        yield Violation("evict_beneficiary", eviction.task, message)
        return
    same_queue = victim.queue == gainer.queue
    if eviction.action == "consolidate" and not gainer.is_preemptible:
        message = f"Workload {gainer.id} is non-preemptible; consolidation is for preemptible work."
        yield Violation("evict_scope", eviction.task, message)
    if eviction.action == "reclaim" and same_queue:
        message = f"Task {eviction.task} is reclaimed inside queue {victim.queue}; reclaim takes from other queues."
        yield Violation("evict_scope", eviction.task, message)
    if eviction.action == "preempt" and not (same_queue and victim.priority < gainer.priority):
        message = (
            f"Task {eviction.task} (queue {victim.queue}, priority {victim.priority}) is preempted for "
            f"{gainer.id} (queue {gainer.queue}, priority {gainer.priority})."
        )
        yield Violation("evict_scope", eviction.task, message)


def _stale(state: State) -> Iterator[Violation]:
    """stale_gang takes workloads that are below a minimum, with no task done, for at least the grace."""
    taken = {state.tasks[e.task][1].id for e in state.evictions.values() if e.action == "stale_gang"}
    snapshot = state.snapshot
    grace = snapshot.config.stale_gang_grace_s
    for workload_id in sorted(taken):
        workload = state.workloads[workload_id]
        since = snapshot.time if workload.stale_since is None else workload.stale_since
        below = Gang(workload, (task for task in workload.tasks if task.state in HOLDING)).missing_at_top()
        if any(task.state == "done" for task in workload.tasks):
            yield Violation("evict_stale", workload_id, f"Workload {workload_id} has a done task and is never stale.")
        elif below is None:
            yield Violation("evict_stale", workload_id, f"Workload {workload_id} is at its minimum.")
        elif grace < 0 or snapshot.time - since < grace:
            message = (
                f"Workload {workload_id} is below its minimum for {snapshot.time - since:g} s of {grace:g} s grace."
            )
            yield Violation("evict_stale", workload_id, message)


def _protected(state: State) -> Iterator[Violation]:
    """Within its minimum runtime a workload loses surplus only: a group, or one above it, stays at its minimum."""
    now = state.snapshot.time
    for eviction in state.evictions.values():
        task, workload = state.tasks[eviction.task]
        runtime = _minimum_runtime(state, eviction, workload)
        if workload.started is None or runtime is None or now >= workload.started + runtime:
            continue
        if not _is_surplus(state, task, workload):
            message = (
                f"Workload {workload.id} of task {task.id} runs for {now - workload.started:g} s of {runtime:g} s that "
                f"are protected, and would fall below its minimum."
            )
            yield Violation("evict_protected", task.id, message)


def _is_surplus(state: State, task: Task, workload: PlannedWorkload) -> bool:
    gang = Gang(workload, state.staying(workload))
    return any(gang.missing(group) is None for group in gang.line(task.group))


def _minimum_runtime(state: State, eviction: Eviction, victim: PlannedWorkload) -> float | None:
    path = state.path(victim.queue)
    if eviction.action == "stale_gang" or path is None:
        return None
    if eviction.action == "preempt":
        return next((q.preempt_min_runtime_s for q in path if q.preempt_min_runtime_s is not None), None)
    gainer = state.workloads.get(eviction.beneficiary or "")
    above = _above_the_fork(path, (state.path(gainer.queue) or ()) if gainer is not None else ())
    return next((q.reclaim_min_runtime_s for q in above if q.reclaim_min_runtime_s is not None), None)


def _above_the_fork(path: tuple[Queue, ...], other: tuple[Queue, ...]) -> tuple[Queue, ...]:
    """The victim's path from the queue just below the lowest common ancestor upwards; all of it inside one leaf."""
    own = sum(queue not in other for queue in path)
    return path[max(0, own - 1) :]


def _victim_counts(state: State) -> Iterator[Violation]:
    """Consolidation moves at most so many workloads for each beneficiary."""
    cap = state.snapshot.config.max_consolidation_victims
    victims: dict[str, set[str]] = defaultdict(set)
    for eviction in state.evictions.values():
        if eviction.action == "consolidate" and eviction.beneficiary is not None:
            victims[eviction.beneficiary].add(state.tasks[eviction.task][1].id)
    for beneficiary, moved in victims.items():
        if 0 <= cap < len(moved):
            message = f"Consolidation for {beneficiary} moves {len(moved)} workloads and may move {cap}."
            yield Violation("consolidation", beneficiary, message)


def _bound_beneficiaries(state: State) -> Iterator[Violation]:
    for task_id in state.bound:
        workload = state.tasks[task_id][1]
        if workload.id in state.beneficiaries:
            message = f"Task {task_id} is bound although workload {workload.id} needs an eviction in this plan."
            yield Violation("bound_beneficiary", task_id, message)
