"""What is to be done next about a workload, from what is wanted, what is known and what is there: pure.

What is known is in its status; what is there, Jobs and pods, may have changed in any way since. Every step can be
taken twice, and by a controller that has just been started.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.kubernetes.api.objects import GpuWorkload, GpuWorkloadStatus, PodTask, Started, tasks_now
from scheduler_core.kubernetes.api.resources import DELETED_AT_ANNOTATION, RESTORED_AT_ANNOTATION
from scheduler_core.kubernetes.running.job_kinds import JOB_KINDS
from scheduler_core.kubernetes.running.runs import DELETED, RunJob, RunPod, newest
from scheduler_core.kubernetes.running.seen_tasks import (
    again,
    has_ended,
    is_alive,
    seen_tasks,
    stopped,
    told_by,
    with_its_job,
)
from scheduler_core.workload import ENDED, KEPT_DELETED_S, State

Then: TypeAlias = Literal["pending", "failed", "stopped", "suspended"]
_MOST_NAMED = 10


class Step(Struct, frozen=True, kw_only=True):
    """The status as it is now, and what to do: `make` the Job of its run, or change it, and `remove` other Jobs.

    `discard` puts what has ended out of sight, `purge` deletes it for good.

    At `again_at`, in seconds since the epoch, it has to be looked at again whether or not anything happens.
    """

    status: GpuWorkloadStatus
    make: bool = False
    suspend: bool | None = None
    tasks: int | None = None
    remove: tuple[str, ...] = ()
    discard: bool = False
    purge: bool = False
    again_at: float | None = None


def next_step(
    workload: GpuWorkload,
    known: GpuWorkloadStatus,
    jobs: Mapping[int, RunJob],
    pods: tuple[RunPod, ...],
    taken: Mapping[str, str],
    now: float,
) -> Step:
    """Look at all of it once; `jobs` are by their run; `taken` is why pods that have gone were, by their uids."""
    if known.state in ENDED:
        return _cleared(workload, known, _orders(workload, known, jobs), now)
    status = known if known.run is not None else replace(known, run=0)
    there = newest(pods, status.run or 0)
    then = _wanted(workload) or status.then
    count = tasks_now(workload.spec, status.as_started)
    tasks = seen_tasks(workload.spec, status.tasks, there, taken, count, then, now)
    job = jobs.get(status.run or 0)
    if then is None and job is not None and job.is_over and JOB_KINDS[workload.spec.job_kind].speaks_for_all:
        tasks = with_its_job(tasks, job.failure, now)
    status = replace(status, tasks=tasks, as_started=_as_started(workload, status, job, tasks))
    if then is None:
        status = _judged(workload, known, status, there, job)
        status = _timed(workload, status, now)
    status = _settled(workload, status, job, now)
    due = [at for at in (_deadline(workload, status), told_by(status.tasks)) if at is not None]
    return replace(_orders(workload, status, jobs), again_at=min(due, default=None))


def _cleared(workload: GpuWorkload, status: GpuWorkloadStatus, step: Step, now: float) -> Step:
    """What has ended goes when its time is over."""
    meta, after = workload.metadata, workload.spec.delete_after_s
    if workload.is_deleted:
        due = (meta.time(DELETED_AT_ANNOTATION) or now) + KEPT_DELETED_S
        return replace(step, purge=now >= due, again_at=due if now < due else None)
    if after is None:
        return step
    due = max(status.ended or now, meta.time(RESTORED_AT_ANNOTATION) or 0.0) + after
    return replace(step, discard=now >= due, again_at=due if now < due else None)


def _wanted(workload: GpuWorkload) -> Then | None:
    wanted = workload.spec.wanted
    return None if wanted == "running" else wanted


def _as_started(
    workload: GpuWorkload, status: GpuWorkloadStatus, job: RunJob | None, tasks: tuple[PodTask, ...]
) -> Started | None:
    if not any(map(is_alive, tasks)) or job is None or job.asked is None:
        return status.as_started
    if workload.spec.gang and status.as_started is not None:
        return replace(status.as_started, tasks=tasks_now(workload.spec, status.as_started))
    return replace(job.asked, tasks=workload.spec.tasks) if not workload.spec.gang else job.asked


def _judged(
    workload: GpuWorkload,
    known: GpuWorkloadStatus,
    status: GpuWorkloadStatus,
    pods: Mapping[int, RunPod],
    job: RunJob | None,
) -> GpuWorkloadStatus:
    """Whether a gang that was left alone can go on; the tasks of an array come and go each by itself."""
    spec = workload.spec
    if not spec.gang:
        return status
    failed = [task for task in status.tasks if task.state == "failed"]
    before = {task.index: task for task in known.tasks}
    lost = [task for task in status.tasks if task.index in before and task.restarts > before[task.index].restarts]
    leaving = [task for task in status.tasks if is_alive(task) and task.index in pods and pods[task.index].leaves]
    if JOB_KINDS[spec.job_kind].speaks_for_all:
        # Its pods are told to go when all has ended, too.
        leaving = [task for task in leaving if pods[task.index].disrupted]
    staying = [task for task in status.tasks if (is_alive(task) and task not in leaving) or task.state == "completed"]
    if failed or (job is not None and job.failure and not lost and not leaving and len(staying) < len(status.tasks)):
        return _failed(workload, status, failed, job)
    if (lost or leaving) and (spec.fewest_tasks == spec.tasks or len(staying) < spec.fewest_tasks):
        reasons = [task.reason for task in lost] + [pods[task.index].taken for task in leaving]
        # When one is taken its Job may delete the others before anybody looks.
        reason = next((one for one in reasons if one != DELETED), reasons[0])
        return replace(status, then="pending", reason=reason)
    if status.state == "suspending":
        # It was wanted to be suspended, and is wanted to run again before all of it has gone.
        return replace(status, then="pending")
    return status


def _failed(
    workload: GpuWorkload, status: GpuWorkloadStatus, failed: list[PodTask], job: RunJob | None
) -> GpuWorkloadStatus:
    retries, failures = workload.spec.retries, status.failures + 1
    reason = failed[0].reason if failed else job.failure if job is not None else ""
    if failed and len(status.tasks) > 1:
        reason = f"task {failed[0].index}: {reason}"
    if failures <= retries:
        told = f"{reason}: tried again, {failures} of {retries}"
        return replace(status, failures=failures, then="pending", reason=told)
    return replace(status, failures=failures, then="failed", reason=reason)


def _timed(workload: GpuWorkload, status: GpuWorkloadStatus, now: float) -> GpuWorkloadStatus:
    """A gang is stopped when the time of one of its tasks is up; of an array kubelets end each task by itself."""
    deadline = _deadline(workload, status)
    if deadline is None or now < deadline:
        return status
    return replace(status, then="stopped", reason=f"reached its maximum run time of {workload.spec.max_run_s:g} s")


def _deadline(workload: GpuWorkload, status: GpuWorkloadStatus) -> float | None:
    limit = workload.spec.max_run_s
    if limit is None or not workload.spec.gang or status.then is not None or status.state in ENDED:
        return None
    ends = [task.started + limit - task.ran_s for task in status.tasks if is_alive(task) and task.started is not None]
    return min(ends, default=None)


def _settled(workload: GpuWorkload, status: GpuWorkloadStatus, job: RunJob | None, now: float) -> GpuWorkloadStatus:
    """The workload as its tasks make it; with the last of them it becomes what it was to become."""
    spec, then = workload.spec, _wanted(workload) or status.then
    if any(map(is_alive, status.tasks)):
        return _shown(workload, status, then)
    if then in ("stopped", "failed"):
        return _ended(workload, _none_waits(status, now), then, now)
    completed = sum(task.state == "completed" for task in status.tasks)
    # What was done by the time it was taken off its devices is not done again.
    is_tried_again = spec.gang and then == "pending" and completed < spec.fewest_tasks
    is_through = all(map(has_ended, status.tasks)) and not is_tried_again
    if is_through or (spec.gang and then is None and completed >= spec.fewest_tasks):
        return _done(workload, _none_waits(status, now), now)
    if spec.gang and then is None and completed:
        return _half_begun(workload, status, now)
    was = status.state
    status = replace(status, then=None, as_started=None, started=None, state="suspended" if then else "pending")
    if then == "pending":
        status = replace(status, state="pending")
    if spec.gang:
        waiting = tuple(again(task) if has_ended(task) else task for task in status.tasks)
        status = replace(status, tasks=waiting)
    if _needs_another_run(workload, status, job, then, was):
        return _next_run(status)
    return replace(status, restarts=_restarts(workload, status))


def _half_begun(workload: GpuWorkload, status: GpuWorkloadStatus, now: float) -> GpuWorkloadStatus:
    """A gang of which some have ended well before the others are on their nodes: it runs on, none of them anew."""
    began = min(task.started or now for task in status.tasks if task.state == "completed")
    return replace(
        status,
        state="running",
        started=status.started or began,
        restarts=_restarts(workload, status),
        verdict=None,
    )


def _needs_another_run(
    workload: GpuWorkload, status: GpuWorkloadStatus, job: RunJob | None, then: Then | None, was: State
) -> bool:
    """Whether the Job of this run is of no use to what waits."""
    if status.state == "suspended":
        return False
    if then == "pending" or (job is not None and job.leaves):
        return True
    if workload.spec.gang and job is not None and job.suspended:
        return True
    return was in ("pending", "suspended") and job is not None and _asks_for_else(workload, status, job)


def _asks_for_else(workload: GpuWorkload, status: GpuWorkloadStatus, job: RunJob) -> bool:
    spec, asked = workload.spec, job.asked
    if asked is None or any(map(has_ended, status.tasks)):
        return False
    counts = spec.gang and (asked.tasks, asked.min_tasks) != (spec.tasks, spec.min_tasks)
    return counts or asked.request != spec.request


def _next_run(status: GpuWorkloadStatus) -> GpuWorkloadStatus:
    tasks = tuple(replace(task, pod=None) for task in status.tasks)
    return replace(
        status, run=(status.run or 0) + 1, tasks=tasks, restarts=max((task.restarts for task in tasks), default=0)
    )


def _shown(workload: GpuWorkload, status: GpuWorkloadStatus, then: Then | None) -> GpuWorkloadStatus:
    """A workload of which something runs."""
    alive = [task for task in status.tasks if is_alive(task)]
    obstacle = next((task.reason for task in alive if task.reason), "")
    stop = workload.spec.wanted_since if then == "stopped" and workload.spec.wanted == "stopped" else None
    return replace(
        status,
        state=_state(status, then, alive),
        started=status.started or min(task.started or 0.0 for task in alive),
        restarts=_restarts(workload, status),
        stop_requested=status.stop_requested or stop,
        reason=status.reason if then is not None else obstacle,
        verdict=None,
    )


def _state(status: GpuWorkloadStatus, then: Then | None, alive: list[PodTask]) -> State:
    failed = any(task.state == "failed" for task in status.tasks)
    if then == "suspended" or (then == "pending" and not failed):
        return "suspending"
    if failed:
        return "degraded"
    if status.state in ("running", "degraded") or any(task.state == "running" for task in alive):
        return "running"
    return "initializing"


def _none_waits(status: GpuWorkloadStatus, now: float) -> GpuWorkloadStatus:
    """What has not run by the end of its workload never will."""
    return replace(status, tasks=tuple(task if has_ended(task) else stopped(task, now) for task in status.tasks))


def _done(workload: GpuWorkload, status: GpuWorkloadStatus, now: float) -> GpuWorkloadStatus:
    failed = [task.index for task in status.tasks if task.state == "failed"]
    if not failed:
        return _ended(workload, replace(status, reason=""), "completed", now)
    named = ", ".join(map(str, failed[:_MOST_NAMED])) + (" ..." if len(failed) > _MOST_NAMED else "")
    reason = f"{len(failed)} of {len(status.tasks)} tasks failed: {named}"
    return _ended(workload, replace(status, reason=reason), "failed", now)


def _ended(workload: GpuWorkload, status: GpuWorkloadStatus, state: State, now: float) -> GpuWorkloadStatus:
    telling = next((task for task in status.tasks if task.state == "failed"), status.tasks[0])
    return replace(
        status,
        state=state,
        then=None,
        ended=now,
        exit_code=telling.exit_code,
        restarts=_restarts(workload, status),
        tasks=tuple(replace(task, allocation=None) for task in status.tasks),
    )


def _restarts(workload: GpuWorkload, status: GpuWorkloadStatus) -> int:
    runs = [task.restarts for task in status.tasks]
    return max(runs, default=0) if workload.spec.gang else sum(runs)


def _orders(workload: GpuWorkload, status: GpuWorkloadStatus, jobs: Mapping[int, RunJob]) -> Step:
    """What the Job of this run has to be like."""
    run = status.run or 0
    remove = tuple(job.name for job in jobs.values() if job.run != run and not job.leaves)
    job = jobs.get(run)
    goes = status.state in ENDED or status.then is not None or workload.spec.wanted != "running"
    if job is None:
        return Step(status=status, remove=remove, make=not goes)
    if job.is_over or job.leaves:
        return Step(status=status, remove=remove)
    count = tasks_now(workload.spec, status.as_started)
    return Step(
        status=status,
        remove=remove,
        suspend=goes if job.suspended != goes else None,
        tasks=count if job.tasks != count and not goes else None,
    )
