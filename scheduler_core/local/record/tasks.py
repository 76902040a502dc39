"""What becomes of a workload when something happens to one of its tasks: pure steps from record to record.

A gang lives and fails as one; the tasks of an array do so each by itself. A workload of one task is a gang of one.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from msgspec.structs import replace

from scheduler_core.local.machine.identity import Process
from scheduler_core.local.record.records import ALIVE, Ending, Record, TaskRecord
from scheduler_core.local.record.runs import Exit
from scheduler_core.model import TaskRequest
from scheduler_core.workload import Allocation, Enforcement, HeldDevice, Report, Scale, State, TaskStatus, WorkloadSpec

_MOST_NAMED = 10


def replace_workload(record: Record, **changes: object) -> Record:
    """A record whose workload has these fields."""
    return replace(record, workload=replace(record.workload, **changes))


def task_statuses(record: Record) -> tuple[TaskStatus, ...]:
    """Each task as people see it."""
    return tuple(
        TaskStatus(
            index=index,
            state=task.state,
            allocation=task.allocation,
            started=task.started,
            ended=task.ended,
            exit_code=task.exit_code,
            reason=task.reason,
            report=task.report,
            restarts=task.run,
        )
        for index, task in enumerate(record.tasks)
    )


def launched(record: Record, allocations: Mapping[int, Allocation], now: float, port: int | None) -> Record:
    """These tasks are being started on what they were given."""
    record = replace(replace_workload(record, reason="", verdict=None, notice=None), port=port)
    starting = {"state": "initializing", "started": now}
    return _shown(
        _with_tasks(
            record,
            allocations,
            lambda index, task: replace(_waiting(task, task.run), allocation=allocations[index], **starting),
        )
    )


def seen_running(record: Record, index: int, supervisor: Process) -> Record:
    """A task's process was seen under this supervisor."""
    return _shown(_with_tasks(record, [index], lambda _, task: replace(task, state="running", supervisor=supervisor)))


def held_otherwise(record: Record, index: int, enforcement: Enforcement) -> Record:
    """What holds a task's share is not what it was."""
    allocation = record.tasks[index].allocation
    weaker = None if allocation is None else replace(allocation, enforcement=enforcement)
    return _shown(_with_tasks(record, [index], lambda _, task: replace(task, allocation=weaker)))


def asking_for(record: Record, request: TaskRequest) -> Record:
    """A workload asks for this from now on, or from its next start on while it holds what it asked for before."""
    if any(record.alive()) and request != record.spec.request:
        return replace_workload(record, next_request=request)
    record = replace(record, spec=replace(record.spec, request=request))
    return replace_workload(record, request=request, next_request=None)


def submission(record: Record) -> WorkloadSpec:
    """What was submitted, as it was changed since; without its key, by which a copy would be the same one."""
    spec, workload = record.spec, record.workload
    spec = replace(spec, key=None, request=workload.next_request or spec.request)
    if workload.next_scale is None:
        return spec
    return replace(spec, tasks=workload.next_scale.tasks, min_tasks=_fewest(record, workload.next_scale))


def scaled(record: Record, scale: Scale, now: float) -> Record:
    """A workload is of so many tasks from now on, or from its next start on where what runs was told otherwise."""
    if scaling_obstacle(record, scale):
        return replace_workload(record, next_scale=scale)
    return settled(_of_size(record, scale), now)


def _of_size(record: Record, scale: Scale) -> Record:
    """A workload of so many tasks: some are added, or those beyond are told to go, and start no more."""
    spec, count = replace(record.spec, tasks=scale.tasks, min_tasks=_fewest(record, scale)), len(record.tasks)
    added = (TaskRecord(run=record.first_run),) * (scale.tasks - count)
    record = replace(record, spec=spec, tasks=record.tasks + added)
    waiting = [index for index in range(scale.tasks, count) if record.tasks[index].state == "pending"]
    leaving = [index for index in range(scale.tasks, count) if record.tasks[index].is_alive]
    record = _with_tasks(record, waiting, lambda _, task: replace(task, state="stopped"))
    record = some_told_to_go(record, leaving, "stopped", "the workload is of fewer tasks now")
    # What was on its way out by an earlier scaling, and is wanted again, comes back when it has gone.
    wanted = [index for index in range(min(scale.tasks, count)) if record.tasks[index].then == "stopped"]
    record = some_told_to_go(record, wanted, "pending", "")
    return replace_workload(record, tasks=scale.tasks, min_tasks=spec.fewest_tasks, next_scale=None)


def scaling_obstacle(record: Record, scale: Scale) -> str:
    """Why a workload cannot be of so many tasks before its next start; empty where it can."""
    spec, fewest = record.spec, _fewest(record, scale)
    if not spec.gang or not any(record.alive()) or (scale.tasks, fewest) == (spec.tasks, spec.min_tasks):
        return ""
    if spec.min_tasks is not None and fewest == spec.min_tasks and scale.tasks <= spec.tasks:
        return ""
    return "its tasks were told at their start how many they are"


def _fewest(record: Record, scale: Scale) -> int | None:
    if scale.min_tasks is not None or record.spec.min_tasks is None:
        return scale.min_tasks
    return min(record.spec.min_tasks, scale.tasks)


def resized(record: Record, request: TaskRequest, allocation: Allocation) -> Record:
    """The one task of a workload holds more or less than before."""
    record = _with_tasks(record, [0], lambda _, task: replace(task, allocation=allocation))
    record = replace(record, spec=replace(record.spec, request=request))
    return _shown(replace_workload(record, request=request, next_request=None))


def released(record: Record, reason: str) -> Record:
    """What runs of a workload goes on without its devices; it asks for them again from its next start on."""
    before = record.spec.request
    without = TaskRequest(cpu_milli=before.cpu_milli, memory_mib=before.memory_mib)
    alive = [task.index for task, _ in record.alive()]
    record = _with_tasks(record, alive, lambda _, task: replace(task, allocation=_without_devices(task.allocation)))
    record = replace(record, spec=replace(record.spec, request=without))
    again = record.workload.next_request or before
    return _shown(replace_workload(record, request=without, next_request=again, reason=reason))


def _without_devices(allocation: Allocation | None) -> Allocation | None:
    return None if allocation is None else Allocation(node=allocation.node)


def told_to_go(record: Record, then: Ending, reason: str, now: float) -> Record:
    """All processes of a workload are told to go, and it becomes `then` when they have."""
    stops = then == "stopped"
    changes = {"stop_requested": now} if stops else {"state": "suspending"}
    return replace(replace_workload(record, reason=reason, **changes), then=then)


def some_told_to_go(record: Record, indices: Collection[int], then: State, reason: str) -> Record:
    """These tasks of a workload are told to go, and become `then` when they have; the others go on."""
    return _with_tasks(record, indices, lambda _, task: replace(task, then=then, reason=reason))


def stopped_where_it_waits(record: Record, now: float, reason: str) -> Record:
    """A workload that holds nothing is stopped."""
    return settled(replace(replace_workload(record, reason=reason), then="stopped"), now)


def waiting_again(record: Record, index: int, now: float) -> Record:
    """A task's run never began: nothing of it counts."""
    return settled(_with_tasks(record, [index], lambda _, task: _waiting(task, task.run)), now)


def after_run(record: Record, index: int, outcome: Exit, report: Report | None) -> Record:
    """A task's run has ended so, and the task itself has said this of it."""
    task = record.tasks[index]
    reason = _reason(task, outcome)
    well = outcome.code == 0 and not outcome.failure
    # One that reports its results was done before it could be told to go; others may end well to say they have saved.
    done = well and report is not None and report.error is None
    if record.then == "stopped":
        state: State = "stopped"
    elif record.then is not None and not done:
        state = "stopped" if record.then == "failed" else "pending"
    elif task.then is not None and not done:
        state, reason = task.then, task.reason
    elif well:
        state = "completed"
    else:
        record, state = _failed(record, index, reason)
    ran_s = record.tasks[index].ran_s + max(0.0, outcome.ended - (task.started or outcome.ended))
    change = _again if state == "pending" else _over(state, outcome, reason, report)
    return settled(_with_tasks(record, [index], lambda _, known: change(replace(known, ran_s=ran_s))), outcome.ended)


def _failed(record: Record, index: int, reason: str) -> tuple[Record, State]:
    """A run has failed by itself: the failure counted, and whether its task is to be tried again."""
    retries = record.spec.retries
    where = f"task {index}: " if len(record.tasks) > 1 else ""
    if record.spec.gang:
        failures = record.failures + 1
        record = replace(record, failures=failures, then="pending" if failures <= retries else "failed")
    else:
        failures = record.tasks[index].failures + 1
        record = _with_tasks(record, [index], lambda _, task: replace(task, failures=failures))
    again = failures <= retries
    told = f"{where}{reason}: tried again, {failures} of {retries}" if again else f"{where}{reason}"
    return replace_workload(record, reason=told), "pending" if again else "failed"


def settled(record: Record, now: float) -> Record:
    """The workload as its tasks make it; with the last of its processes it becomes what it was to become."""
    record = _without_surplus(record)
    if any(record.alive()):
        return _shown(record)
    then, record = record.then, replace(record, then=None)
    if then in ("stopped", "failed"):
        return _ended(_none_waits(record, now), then, now)
    if _is_done(record, then):
        failed = [index for index, task in enumerate(record.tasks) if task.state == "failed"]
        reason = _failures(failed, len(record.tasks)) if failed else ""
        return _ended(
            replace_workload(_none_waits(record, now), reason=reason), "failed" if failed else "completed", now
        )
    if then is None:
        return _shown(record)
    if record.spec.gang:
        over = [index for index, task in enumerate(record.tasks) if task.has_ended]
        record = _with_tasks(record, over, lambda _, task: _again(task))
    return _shown(replace_workload(record, state=then))


def _without_surplus(record: Record) -> Record:
    """A workload that was scaled down, less what has gone of it; a task is known by its index, so from the end on."""
    kept = len(record.tasks)
    while kept > record.spec.tasks and not record.tasks[kept - 1].is_alive:
        kept -= 1
    runs = [task.run + 1 for task in record.tasks[kept:]]
    return replace(record, tasks=record.tasks[:kept], first_run=max([record.first_run, *runs]))


def _is_done(record: Record, then: Ending | None) -> bool:
    """Whether nothing is left to do; an elastic gang that was left alone is done with its fewest."""
    if all(task.has_ended for task in record.tasks):
        return True
    completed = sum(task.state == "completed" for task in record.tasks)
    return record.spec.gang and then is None and completed >= record.spec.fewest_tasks


def _none_waits(record: Record, now: float) -> Record:
    """What has not run by the end of its workload never will."""
    waiting = [index for index, task in enumerate(record.tasks) if not task.has_ended]
    return _with_tasks(record, waiting, lambda _, task: replace(task, state="stopped", ended=now))


def _ended(record: Record, state: State, now: float) -> Record:
    """The workload at its end. What it was given of its user's environment is not needed any more, and not kept."""
    tasks = record.tasks
    telling = next((task for task in tasks if task.state == "failed"), tasks[0])
    return replace_workload(
        replace(record, spec=replace(record.spec, env={})),
        state=state,
        ended=now,
        exit_code=telling.exit_code,
        report=telling.report,
        restarts=_restarts(record),
        task_states=_counted(tasks),
    )


def _shown(record: Record) -> Record:
    """A workload that has not ended, as its tasks show it."""
    workload = record.workload
    alive = [task for task in record.tasks if task.state in ALIVE]
    if not alive:
        if workload.next_request is not None:
            record = asking_for(record, workload.next_request)
        if workload.next_scale is not None:
            record = _without_surplus(_of_size(record, workload.next_scale))
        state = "suspended" if workload.state == "suspended" else "pending"
        counted = _counted(record.tasks)
        return replace_workload(record, state=state, allocation=None, started=None, task_states=counted)
    return replace_workload(
        record,
        state=_state(record, alive),
        allocation=_together([task.allocation for task in alive if task.allocation is not None]),
        started=workload.started or min(task.started or 0.0 for task in alive),
        restarts=_restarts(record),
        task_states=_counted(record.tasks),
    )


def _state(record: Record, alive: Iterable[TaskRecord]) -> State:
    """The state of a workload whose processes are there."""
    state = record.workload.state
    if state == "suspending":
        return state
    if record.then in ("pending", "failed") or "failed" in {task.state for task in record.tasks}:
        return "degraded"
    if state in ("running", "degraded") or any(task.state == "running" for task in alive):
        return "running"
    return "initializing"


def _again(task: TaskRecord) -> TaskRecord:
    return _waiting(task, task.run + 1)


def _waiting(task: TaskRecord, run: int) -> TaskRecord:
    return TaskRecord(run=run, ran_s=task.ran_s, failures=task.failures)


def _over(state: State, outcome: Exit, reason: str, report: Report | None) -> Callable[[TaskRecord], TaskRecord]:
    ending = {
        "state": state,
        "supervisor": None,
        "then": None,
        "ended": outcome.ended,
        "exit_code": None if outcome.failure else outcome.code,
        "reason": "" if state == "completed" else reason,
        "report": report,
    }
    return lambda task: replace(task, **ending)


def _restarts(record: Record) -> int:
    runs = [task.run for task in record.tasks]
    return max(runs) if record.spec.gang else sum(runs)


def _counted(tasks: Collection[TaskRecord]) -> dict[State, int]:
    return dict(sorted(Counter([task.state for task in tasks]).items())) if len(tasks) > 1 else {}


def _together(allocations: list[Allocation]) -> Allocation:
    """All that several tasks hold, each device once."""
    if len(allocations) == 1:
        return allocations[0]
    by_id: dict[str, HeldDevice] = {}
    for held in (held for allocation in allocations for held in allocation.devices):
        known = by_id.get(held.id)
        by_id[held.id] = (
            held
            if known is None
            else replace(
                held,
                portion_milli=held.portion_milli + known.portion_milli,
                memory_mib=held.memory_mib + known.memory_mib,
                limit_milli=None,
                limit_mib=None,
            )
        )
    return replace(allocations[0], devices=tuple(sorted(by_id.values(), key=lambda held: held.index)))


def _with_tasks(record: Record, indices: Iterable[int], change: Callable[[int, TaskRecord], TaskRecord]) -> Record:
    tasks = list(record.tasks)
    for index in indices:
        tasks[index] = change(index, tasks[index])
    return replace(record, tasks=tuple(tasks))


def _failures(failed: list[int], count: int) -> str:
    named = ", ".join(map(str, failed[:_MOST_NAMED]))
    more = " ..." if len(failed) > _MOST_NAMED else ""
    return f"{len(failed)} of {count} tasks failed: {named}{more}"


def _reason(task: TaskRecord, outcome: Exit) -> str:
    if outcome.failure:
        return f"could not start: {outcome.failure}" if task.state == "initializing" else outcome.failure
    if outcome.code < 0:
        return f"killed by {signal.Signals(-outcome.code).name}"
    return f"exit status {outcome.code}" if outcome.code else ""
