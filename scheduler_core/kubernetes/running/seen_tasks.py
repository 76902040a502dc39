"""What has become of each task, from what was known of it and the pod that it is in now."""

from __future__ import annotations

import signal
from collections.abc import Mapping

from msgspec.structs import replace

from scheduler_core.kubernetes.api.objects import GpuWorkloadSpec, PodTask
from scheduler_core.kubernetes.running.job_kinds import JOB_KINDS
from scheduler_core.kubernetes.running.runs import DELETED, RunPod
from scheduler_core.workload import State

ALIVE = ("initializing", "running")
_SIGNALLED = 128
_SAYS_SO_WITHIN_S = 5.0
"""An operator says first that all has ended, and then lets the pods go; we may hear of it the other way round."""
_STARTS_WITHIN_S = 600.0
"""So long an image may be out of reach before a task that holds devices is given up."""


def seen_tasks(
    spec: GpuWorkloadSpec,
    known: tuple[PodTask, ...],
    pods: Mapping[int, RunPod],
    taken: Mapping[str, str],
    count: int,
    then: str | None,
    now: float,
) -> tuple[PodTask, ...]:
    """`count` tasks as they are now, and those beyond that still run. `then` is what they become once they are told.

    `taken` says of pods that have gone why they were taken, by their uids.
    Where their operator speaks for all of them a pod that is gone may be a sign of their end: that is waited for.
    """
    before = {task.index: task for task in known}
    indices = [*range(count), *(task.index for task in known if task.index >= count and is_alive(task))]
    waits = then is None and JOB_KINDS[spec.job_kind].speaks_for_all

    def seen(index: int) -> PodTask:
        task, pod = before.get(index, PodTask(index=index, state="pending")), pods.get(index)
        if waits and is_alive(task) and (pod is None or pod.uid != task.pod):
            missed = replace(task, gone=task.gone or now)
            if now < _told_by(missed):
                return missed
        why = taken.get(task.pod or "", DELETED)
        return _seen(spec, replace(task, gone=None), pod, why, then, now)

    return tuple(map(seen, indices))


def told_by(tasks: tuple[PodTask, ...]) -> float | None:
    """When it is too late for an operator to say that all has ended: what is gone was lost then."""
    return min((_told_by(task) for task in tasks if task.gone is not None), default=None)


def with_its_job(tasks: tuple[PodTask, ...], failure: str, now: float) -> tuple[PodTask, ...]:
    """Of a kind that speaks for all, when it says that it is over: well, or for a reason."""
    return tuple(
        task if has_ended(task) else replace(stopped(task, now) if failure else _completed(task, now), gone=None)
        for task in tasks
    )


def is_alive(task: PodTask) -> bool:
    """Whether its pod is on a node and has not ended."""
    return task.state in ALIVE


def has_ended(task: PodTask) -> bool:
    """Whether it starts no more in this run."""
    return task.state in ("completed", "failed", "stopped")


def again(task: PodTask, reason: str = "", ended: float | None = None) -> PodTask:
    """It waits for its next start; how long it has run by now is kept."""
    ran_s = 0.0 if task.started is None or ended is None else max(0.0, ended - task.started)
    return PodTask(
        index=task.index,
        state="pending",
        reason=reason,
        restarts=task.restarts + 1,
        pod=task.pod,
        ran_s=task.ran_s + ran_s,
    )


def stopped(task: PodTask, ended: float) -> PodTask:
    """It was told to end, or never started."""
    return replace(task, state="stopped", ended=ended, allocation=None)


def _told_by(task: PodTask) -> float:
    return (task.gone or 0.0) + _SAYS_SO_WITHIN_S


def _completed(task: PodTask, now: float) -> PodTask:
    return replace(task, state="completed", ended=now, reason="", allocation=None)


def _seen(
    spec: GpuWorkloadSpec, task: PodTask, pod: RunPod | None, taken: str, then: str | None, now: float
) -> PodTask:
    """`taken` is why its pod has gone, if it has."""
    if is_alive(task) and (pod is None or pod.uid != task.pod):
        task = _taken(task, taken, then, now)
    if pod is None or (pod.uid == task.pod and not is_alive(task)) or has_ended(task):
        return task
    if not pod.node and not pod.is_over:
        return task
    state: State = "running" if pod.phase == "Running" else "initializing"
    task = replace(
        task,
        state=state,
        pod=pod.uid,
        allocation=pod.allocation,
        started=pod.started or task.started or now,
        reason=pod.obstacle,
    )
    if pod.is_over:
        return _over(spec, task, pod, then, pod.ended or now)
    if state == "initializing" and pod.obstacle and (pod.hopeless or now - pod.created > _STARTS_WITHIN_S):
        return replace(task, state="failed", ended=now, reason=f"could not start: {pod.obstacle}")
    return task


def _over(spec: GpuWorkloadSpec, task: PodTask, pod: RunPod, then: str | None, ended: float) -> PodTask:
    well = pod.phase == "Succeeded"
    is_done = well and pod.report is not None and pod.report.error is None
    if (pod.leaves and not is_done) or (pod.taken and not well):
        return _taken(task, pod.taken, then, ended)
    code = _exit_code(pod)
    task = replace(task, ended=ended, exit_code=code, report=pod.report)
    if well:
        return replace(task, state="completed", reason="")
    if then is not None:
        return _taken(task, "", then, ended)
    reason = _reason(pod, code)
    if not spec.gang and pod.failures < spec.retries:
        return again(task, f"{reason}: tried again, {pod.failures + 1} of {spec.retries}", ended)
    return replace(task, state="failed", reason=reason)


def _taken(task: PodTask, reason: str, then: str | None, ended: float) -> PodTask:
    return stopped(task, ended) if then in ("stopped", "failed") else again(task, reason, ended)


def _exit_code(pod: RunPod) -> int | None:
    code = pod.exit_code
    return code if code is None or code <= _SIGNALLED else _SIGNALLED - code


def _reason(pod: RunPod, code: int | None) -> str:
    if pod.out_of_memory:
        return "it needed more memory than its container or its node has"
    if code is None:
        return pod.obstacle or "its pod failed"
    try:
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
    except ValueError:
        return f"exit status {_SIGNALLED - code}"
