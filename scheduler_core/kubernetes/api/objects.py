"""A GpuWorkload as the Kubernetes API keeps it: `spec` is what a user wants, `status` what the controller has seen."""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import suppress
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from scheduler_core.kubernetes.api.blobs import Blob
from scheduler_core.kubernetes.api.connection import Json
from scheduler_core.kubernetes.api.resources import (
    ACTIVITY_ANNOTATION,
    API_VERSION,
    DELETED_AT_ANNOTATION,
    DELETED_LABEL,
    KEY_LABEL,
    OWNER_ANNOTATION,
    RESTORED_AT_ANNOTATION,
    WORKLOADS,
)
from scheduler_core.model import TaskRequest, Verdict
from scheduler_core.workload import (
    ENDED,
    Activity,
    Allocation,
    HeldDevice,
    Scale,
    State,
    TaskStatus,
    Workload,
    WorkloadSpec,
)

NOT_IN_OBJECT = ("env", "key")
"""Fields of a submission that are not in the object: its environment is in a Secret, its key in a label."""


class GpuWorkloadSpec(WorkloadSpec, frozen=True, kw_only=True):
    """A workload as it was submitted, and what is wanted of it now.

    `wanted` is `running`, `suspended` or `stopped`, since `wanted_since` in seconds since the epoch. Its environment is
    in the Secret of its name; its `inputs`, paths in a folder, are in another one, and of its `blobs` the controller
    keeps the content, for who shows a token of which `blobs_key` is the SHA-256.
    """

    inputs: tuple[str, ...] = ()
    blobs: tuple[Blob, ...] = ()
    blobs_key: str = ""
    wanted: Literal["running", "suspended", "stopped"] = "running"
    wanted_since: float | None = None


class PodTask(TaskStatus, frozen=True, kw_only=True):
    """A task as the controller has seen it: in which `pod`, by its uid, and how long it ran in those before.

    `gone` is when that pod was missed, in seconds since the epoch, where its end may yet turn out to be that of all.
    """

    pod: str | None = None
    ran_s: float = 0.0
    gone: float | None = None

    def status(self) -> TaskStatus:
        """As people see it."""
        return TaskStatus(**{name: getattr(self, name) for name in TaskStatus.__struct_fields__})


class Started(Struct, frozen=True, kw_only=True):
    """What a workload was when what runs of it started."""

    request: TaskRequest
    tasks: int
    min_tasks: int | None = None


class GpuWorkloadStatus(Struct, frozen=True, kw_only=True):
    """What has come of a workload. Times are seconds since the epoch.

    `run` numbers the Jobs that were made for it, from 0; `failures` counts how often it failed by itself, as a whole.
    `then` is what it becomes when nothing of it runs any more, where that was not asked for. `as_started` is null while
    nothing of it runs. Of `verdict` all is written but positions, which change with every
    other workload and are worked out when read.
    """

    state: State = "pending"
    run: int | None = None
    failures: int = 0
    then: Literal["pending", "failed", "stopped"] | None = None
    as_started: Started | None = None
    started: float | None = None
    ended: float | None = None
    stop_requested: float | None = None
    exit_code: int | None = None
    reason: str = ""
    restarts: int = 0
    verdict: Verdict | None = None
    tasks: tuple[PodTask, ...] = ()


class Metadata(Struct, frozen=True, kw_only=True, rename="camel"):
    """What we read of an object's metadata."""

    name: str
    namespace: str = ""
    uid: str = ""
    creation_timestamp: datetime
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}

    def time(self, annotation: str) -> float | None:
        """The seconds since the epoch that an annotation says."""
        said = self.annotations.get(annotation)
        try:
            return None if said is None else float(said)
        except ValueError:
            return None


class GpuWorkload(Struct, frozen=True, kw_only=True):
    """A GpuWorkload as it was read."""

    metadata: Metadata
    spec: GpuWorkloadSpec
    status: GpuWorkloadStatus = GpuWorkloadStatus()

    @property
    def is_deleted(self) -> bool:
        """Whether it is out of sight, and can be had back."""
        return DELETED_LABEL in self.metadata.labels

    def submission(self) -> WorkloadSpec:
        """What was submitted, without its environment."""
        fields = asdict(self.spec)
        return WorkloadSpec(**{name: fields[name] for name in WorkloadSpec.__struct_fields__})

    def workload(self) -> Workload:
        """As people see it; its id is the object's name."""
        spec, status, meta, started = self.spec, self.status, self.metadata, self.status.as_started
        later = scaling_obstacle(spec, started)
        shown = spec if started is None else replace(spec, request=started.request)
        if started is not None and later:
            shown = replace(shown, tasks=started.tasks, min_tasks=started.min_tasks)
        return Workload(
            id=meta.name,
            name=spec.name or meta.name,
            owner=meta.annotations.get(OWNER_ANNOTATION, ""),
            kind=spec.kind,
            queue=spec.queue,
            priority=spec.effective_priority,
            preemptible=spec.effective_preemptible,
            state=status.state,
            request=shown.request,
            created=meta.creation_timestamp.timestamp(),
            simulated=False,
            started=status.started,
            ended=status.ended,
            stop_requested=status.stop_requested,
            allocation=_together(status.tasks),
            verdict=status.verdict,
            exit_code=status.exit_code,
            reason=status.reason,
            report=self._telling().report if status.state in ENDED and status.tasks else None,
            restarts=status.restarts,
            tasks=shown.tasks,
            min_tasks=shown.fewest_tasks,
            gang=spec.gang,
            task_states=_counted(self.task_statuses()) if shown.tasks > 1 else {},
            next_request=spec.request if shown.request != spec.request else None,
            next_scale=Scale(tasks=spec.tasks, min_tasks=spec.min_tasks) if later else None,
            deleted=meta.time(DELETED_AT_ANNOTATION) if self.is_deleted else None,
            restored=meta.time(RESTORED_AT_ANNOTATION),
            delete_after_s=spec.delete_after_s,
            activity=self._activity() if status.state == "running" else None,
        )

    def _activity(self) -> Activity | None:
        """What who talks to it says that it does; null where nobody does."""
        said = self.metadata.annotations.get(ACTIVITY_ANNOTATION)
        with suppress(msgspec.MsgspecError):
            return None if said is None else msgspec.json.decode(said, type=Activity)
        return None

    def task_statuses(self) -> tuple[TaskStatus, ...]:
        """Each task, in order; those that the controller has not seen yet wait."""
        seen = {task.index: task for task in self.status.tasks}
        state: State = self.status.state if self.status.state in ENDED else "pending"
        count = tasks_now(self.spec, self.status.as_started)
        return tuple(
            seen[index].status() if index in seen else TaskStatus(index=index, state=state) for index in range(count)
        )

    def _telling(self) -> PodTask:
        """The task whose end is that of the whole."""
        return next((task for task in self.status.tasks if task.state == "failed"), self.status.tasks[0])


read_workload = msgspec.json.Decoder(GpuWorkload).decode
"""A GpuWorkload from JSON. Raises msgspec.MsgspecError where it is none that we understand."""


def new_object(
    spec: WorkloadSpec,
    name: str,
    namespace: str,
    owner: str,
    inputs: tuple[str, ...],
    blobs: tuple[Blob, ...] = (),
    blobs_key: str = "",
) -> Json:
    """The object of a submission, for the API to create; with blobs it does not start before it is wanted to."""
    fields = {field: value for field, value in asdict(spec).items() if field not in NOT_IN_OBJECT}
    metadata: Json = {"name": name, "namespace": namespace, "annotations": {OWNER_ANNOTATION: owner}}
    if spec.key is not None:
        metadata["labels"] = {KEY_LABEL: key_digest(spec.key)}
    content = msgspec.to_builtins({name: value for name, value in fields.items() if value is not None})
    content["request"] = written_request(spec.request)
    if inputs:
        content["inputs"] = list(inputs)
    if blobs:
        content |= {"blobs": msgspec.to_builtins(blobs), "blobs_key": blobs_key, "wanted": "suspended"}
    return {"apiVersion": API_VERSION, "kind": WORKLOADS.kind, "metadata": metadata, "spec": content}


def written_request(request: TaskRequest) -> Json:
    """A request as the API takes it: a share is a text, as quantities are."""
    written: Json = msgspec.to_builtins(request)
    for field in ("gpu", "gpu_limit"):
        if isinstance(written.get(field), float):
            written[field] = str(written[field])
    return written


def written_status(status: GpuWorkloadStatus) -> Json:
    """A status as the API takes it; where there is nothing, null takes away what was there."""
    written: Json = msgspec.to_builtins(status)
    written["tasks"] = [{name: value for name, value in task.items() if value is not None} for task in written["tasks"]]
    if status.as_started is not None:
        written["as_started"]["request"] = written_request(status.as_started.request)
    return written


def scaling_obstacle(spec: WorkloadSpec, started: Started | None) -> str:
    """Why what runs cannot be of as many tasks as is wanted now; empty where it can."""
    if started is None or not spec.gang or (spec.tasks, spec.min_tasks) == (started.tasks, started.min_tasks):
        return ""
    if started.min_tasks is not None and spec.min_tasks == started.min_tasks and spec.tasks <= started.tasks:
        return ""
    return "its tasks were told at their start how many they are"


def tasks_now(spec: WorkloadSpec, started: Started | None) -> int:
    """How many tasks a workload is of, until its next start."""
    return started.tasks if started is not None and scaling_obstacle(spec, started) else spec.tasks


def key_digest(key: str) -> str:
    """A key of any characters as a label."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def _counted(tasks: tuple[TaskStatus, ...]) -> dict[State, int]:
    return dict(sorted(Counter(task.state for task in tasks).items()))


def _together(tasks: tuple[TaskStatus, ...]) -> Allocation | None:
    """All that tasks hold; the node is the first one's."""
    held = [task.allocation for task in tasks if task.allocation is not None]
    if not held:
        return None
    shares: dict[str, HeldDevice] = {}
    for device in (device for allocation in held for device in allocation.devices):
        before = shares.get(device.id)
        shares[device.id] = device if before is None else _sum(before, device)
    return replace(held[0], devices=tuple(shares.values()))


def _sum(one: HeldDevice, other: HeldDevice) -> HeldDevice:
    return replace(
        one, portion_milli=one.portion_milli + other.portion_milli, memory_mib=one.memory_mib + other.memory_mib
    )
