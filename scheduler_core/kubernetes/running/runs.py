"""What is there of a workload's runs: the objects that make their pods, and the pods in which tasks run."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Struct

from scheduler_core.kubernetes.api.objects import Started
from scheduler_core.kubernetes.api.resources import ALLOCATION_ANNOTATION, RUN_LABEL, WORKLOAD_LABEL
from scheduler_core.kubernetes.running.job_kinds import FIRST_TASK_ANNOTATION, TASK_ANNOTATION, JobKind
from scheduler_core.kubernetes.running.jobs import (
    ASKED_ANNOTATION,
    COLLECTOR,
    COMPLETION_INDEX,
    CONTAINER_ANNOTATION,
    FETCHER,
    REPLICA_INDEX,
    TASK,
)
from scheduler_core.workload import Allocation, Report

T = TypeVar("T")

_FAILURES = "batch.kubernetes.io/job-index-failure-count"
DELETED = "its pod was deleted"
"""Why a pod was taken of which nobody says more."""
_OVER = ("Succeeded", "Failed")
_RAY_IS_OVER = ("Complete", "Failed", "ValidationFailed")
_NEVER_STARTS = ("InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError")
_LOST = ("NodeLost", "NodeShutdown", "Shutdown", "Evicted", "Terminated", "Preempting")
"""Why a pod ends that did not end by itself, as kubelets say it."""


_CAMEL = {"container_statuses": "containerStatuses", "init_container_statuses": "initContainerStatuses"}


class _Meta(Struct, frozen=True, rename="camel"):
    name: str
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


class _Waiting(Struct, frozen=True):
    reason: str = ""
    message: str = ""


class _Running(Struct, frozen=True, rename="camel"):
    started_at: datetime | None = None


class _Terminated(Struct, frozen=True, rename="camel"):
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None


class _State(Struct, frozen=True):
    waiting: _Waiting | None = None
    running: _Running | None = None
    terminated: _Terminated | None = None


class _Container(Struct, frozen=True):
    name: str
    state: _State = _State()


class _Condition(Struct, frozen=True):
    type: str
    status: str
    reason: str = ""
    message: str = ""


class _PodSpec(Struct, frozen=True, rename="camel"):
    node_name: str = ""


class _PodStatus(Struct, frozen=True, rename={"pod_ip": "podIP", **_CAMEL}):
    phase: str = "Pending"
    pod_ip: str = ""
    reason: str = ""
    message: str = ""
    conditions: list[_Condition] = []
    container_statuses: list[_Container] = []
    init_container_statuses: list[_Container] = []


class _Pod(Struct, frozen=True):
    metadata: _Meta
    spec: _PodSpec = _PodSpec()
    status: _PodStatus = _PodStatus()


class RunPod(Struct, frozen=True, kw_only=True, gc=False):
    """One pod of a task. Times are seconds since the epoch; `failures` is how often its task failed before.

    `leaves` is whether it was told to go; `taken` says why it was, or was lost, where it did not end by itself;
    `disrupted` is whether that was somebody's decision on it, or its node's end. The task is the `container`'s program.
    `obstacle` says what keeps it from starting, `hopeless` whether that stays so.
    """

    workload: str
    run: int
    name: str
    uid: str
    index: int
    created: float
    phase: str
    node: str
    ip: str
    leaves: bool
    failures: int = 0
    started: float | None = None
    ended: float | None = None
    exit_code: int | None = None
    taken: str = ""
    disrupted: bool = False
    container: str = TASK
    obstacle: str = ""
    hopeless: bool = False
    out_of_memory: bool = False
    allocation: Allocation | None = None
    report: Report | None = None

    @property
    def is_over(self) -> bool:
        return self.phase in _OVER

    @property
    def is_alive(self) -> bool:
        """Whether it is on a node and has not ended."""
        return bool(self.node) and not self.is_over


class RunJob(Struct, frozen=True, kw_only=True, gc=False):
    """The object that makes the pods of one run; `asked` is what was asked for when it was made."""

    workload: str
    run: int
    name: str
    asked: Started | None
    tasks: int
    suspended: bool
    leaves: bool
    failure: str = ""
    is_over: bool = False


class _RunPolicy(Struct, frozen=True):
    suspend: bool = False


class _JobSpec(Struct, frozen=True, rename="camel"):
    completions: int | None = None
    suspend: bool = False
    run_policy: _RunPolicy = _RunPolicy()


class _JobStatus(Struct, frozen=True, rename="camel"):
    """Ray's has no conditions, but says how its job and its cluster are."""

    conditions: list[_Condition] = []
    job_status: str = ""
    job_deployment_status: str = ""
    message: str = ""


class _Job(Struct, frozen=True):
    metadata: _Meta
    spec: _JobSpec = _JobSpec()
    status: _JobStatus = _JobStatus()


_pods = msgspec.json.Decoder(_Pod)
_jobs = msgspec.json.Decoder(_Job)


def read_pod(content: bytes) -> RunPod:
    """A pod of a run from JSON. Raises msgspec.ValidationError where it is none."""
    pod = _pods.decode(content)
    meta, status = pod.metadata, pod.status
    container = meta.annotations.get(CONTAINER_ANNOTATION, TASK)
    task = _state(status.container_statuses, container)
    done, waiting = task.terminated, task.waiting
    fetched = _state(status.init_container_statuses, FETCHER).terminated
    not_fetched = fetched.message.strip() if fetched is not None and fetched.exit_code else ""
    began = done.started_at if done else task.running.started_at if task.running else None
    return RunPod(
        workload=meta.labels[WORKLOAD_LABEL],
        run=_number(meta.labels, RUN_LABEL),
        name=meta.name,
        uid=meta.uid,
        index=_index(meta),
        created=_time(meta.creation_timestamp) or 0.0,
        phase=status.phase,
        node=pod.spec.node_name,
        ip=status.pod_ip,
        leaves=meta.deletion_timestamp is not None,
        failures=_number(meta.annotations, _FAILURES),
        started=_time(began),
        ended=_time(done.finished_at) if done else None,
        exit_code=done.exit_code if done else None,
        taken=_taken(pod),
        disrupted=_disruption(pod) is not None,
        container=container,
        obstacle=f"{waiting.reason}: {waiting.message}".strip(": ") if waiting and waiting.message else not_fetched,
        out_of_memory=done is not None and done.reason == "OOMKilled",
        hopeless=waiting is not None and waiting.reason in _NEVER_STARTS,
        allocation=_said(meta.annotations.get(ALLOCATION_ANNOTATION, ""), Allocation),
        report=_report(status.init_container_statuses),
    )


def read_job(content: bytes, kind: JobKind) -> RunJob:
    """The object of a run from JSON. Raises msgspec.ValidationError where it is none."""
    job = _jobs.decode(content)
    meta, asked = job.metadata, _said(job.metadata.annotations.get(ASKED_ANNOTATION, ""), Started)
    is_over, failure = _end(job.status, kind)
    count = 1 if asked is None else asked.tasks
    return RunJob(
        workload=meta.labels[WORKLOAD_LABEL],
        run=_number(meta.labels, RUN_LABEL),
        name=meta.name,
        asked=asked,
        tasks=count if job.spec.completions is None else job.spec.completions,
        suspended=job.spec.suspend or job.spec.run_policy.suspend,
        leaves=meta.deletion_timestamp is not None,
        failure=failure,
        is_over=is_over,
    )


def _end(status: _JobStatus, kind: JobKind) -> tuple[bool, str]:
    """Whether it is over, and why it failed where it did."""
    if status.job_deployment_status in _RAY_IS_OVER:
        well = status.job_status == "SUCCEEDED"
        return True, "" if well else status.message or f"Ray says {status.job_status or 'that it failed'}"
    true = [one for one in status.conditions if one.status == "True"]
    failed = [one.message or one.reason or "it failed" for one in true if one.type == "Failed"]
    return any(one.type in (kind.completed, "Failed") for one in true), failed[0] if failed else ""


def newest(pods: Iterable[RunPod], run: int) -> dict[int, RunPod]:
    """Of each task the pod that counts: the last that was made and was not told to go, else the last."""
    found: dict[int, RunPod] = {}
    for pod in sorted(pods, key=lambda pod: (not pod.leaves, pod.created, pod.uid)):
        if pod.run == run:
            found[pod.index] = pod
    return found


def _index(meta: _Meta) -> int:
    """Which task a pod is, as its operator numbers it or, where that does not, its template says."""
    if TASK_ANNOTATION in meta.annotations:
        return _number(meta.annotations, TASK_ANNOTATION)
    if COMPLETION_INDEX in meta.annotations:
        return _number(meta.annotations, COMPLETION_INDEX)
    return _number(meta.labels, REPLICA_INDEX) + _number(meta.annotations, FIRST_TASK_ANNOTATION)


def _disruption(pod: _Pod) -> _Condition | None:
    found = (one for one in pod.status.conditions if one.type == "DisruptionTarget" and one.status == "True")
    return next(found, None)


def _taken(pod: _Pod) -> str:
    disruption = _disruption(pod)
    if disruption is not None:
        return disruption.message or disruption.reason
    if pod.status.reason in _LOST:
        return pod.status.message or pod.status.reason
    return DELETED if pod.metadata.deletion_timestamp is not None else ""


def _report(containers: list[_Container]) -> Report | None:
    done = _state(containers, COLLECTOR).terminated
    return None if done is None else _said(done.message, Report)


def _said(text: str, kind: type[T]) -> T | None:
    with suppress(msgspec.MsgspecError):
        return msgspec.json.decode(text, type=kind) if text else None
    return None


def _state(containers: list[_Container], name: str) -> _State:
    return next((container.state for container in containers if container.name == name), _State())


def _number(words: dict[str, str], name: str) -> int:
    said = words.get(name, "0")
    return int(said) if said.isdecimal() else 0


def _time(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
