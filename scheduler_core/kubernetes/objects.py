"""A GpuWorkload as the Kubernetes API keeps it: `spec` is what a user wants, `status` what the controller has seen."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from scheduler_core.kubernetes.connection import Json
from scheduler_core.kubernetes.resources import (
    API_VERSION,
    DELETED_AT_ANNOTATION,
    DELETED_LABEL,
    KEY_LABEL,
    OWNER_ANNOTATION,
    RESTORED_AT_ANNOTATION,
    WORKLOADS,
)
from scheduler_core.model import TaskRequest, Verdict
from scheduler_core.workload import Allocation, HeldDevice, State, TaskStatus, Workload, WorkloadSpec

NOT_IN_OBJECT = ("env", "key")
"""Fields of a submission that are not in the object: its environment is in a Secret, its key in a label."""


class GpuWorkloadSpec(WorkloadSpec, frozen=True, kw_only=True):
    """A workload as it was submitted, and what is wanted of it now.

    `image` is what its tasks run in, where that is not what the cluster is set up with. `wanted` is `running`,
    `suspended` or `stopped`, since `wanted_since` in seconds since the epoch. Its environment is in the Secret of its
    name.
    """

    image: str | None = None
    wanted: Literal["running", "suspended", "stopped"] = "running"
    wanted_since: float | None = None


class GpuWorkloadStatus(Struct, frozen=True, kw_only=True):
    """What has come of a workload. Times are seconds since the epoch.

    Of `verdict` all is written but positions, which change with every other workload and are worked out when read.
    """

    state: State = "pending"
    started: float | None = None
    ended: float | None = None
    stop_requested: float | None = None
    exit_code: int | None = None
    reason: str = ""
    restarts: int = 0
    verdict: Verdict | None = None
    tasks: tuple[TaskStatus, ...] = ()


class Metadata(Struct, frozen=True, kw_only=True, rename="camel"):
    """What we read of an object's metadata."""

    name: str
    creation_timestamp: datetime
    namespace: str = ""
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
        spec, status, meta = self.spec, self.status, self.metadata
        return Workload(
            id=meta.name,
            name=spec.name or meta.name,
            owner=meta.annotations.get(OWNER_ANNOTATION, ""),
            kind=spec.kind,
            queue=spec.queue,
            priority=spec.effective_priority,
            preemptible=spec.effective_preemptible,
            state=status.state,
            request=spec.request,
            created=meta.creation_timestamp.timestamp(),
            simulated=False,
            started=status.started,
            ended=status.ended,
            stop_requested=status.stop_requested,
            allocation=_together(status.tasks),
            verdict=status.verdict,
            exit_code=status.exit_code,
            reason=status.reason,
            restarts=status.restarts,
            tasks=spec.tasks,
            min_tasks=spec.fewest_tasks,
            gang=spec.gang,
            task_states=Counter(task.state for task in status.tasks) if spec.tasks > 1 else {},
            deleted=meta.time(DELETED_AT_ANNOTATION) if self.is_deleted else None,
            restored=meta.time(RESTORED_AT_ANNOTATION),
            delete_after_s=spec.delete_after_s,
        )

    def task_statuses(self) -> tuple[TaskStatus, ...]:
        """Each task, in order; those that the controller has not seen yet wait."""
        seen = {task.index: task for task in self.status.tasks}
        state: State = self.status.state if self.workload().has_ended else "pending"
        return tuple(seen.get(index, TaskStatus(index=index, state=state)) for index in range(self.spec.tasks))


read_workload = msgspec.json.Decoder(GpuWorkload).decode
"""A GpuWorkload from JSON. Raises msgspec.MsgspecError where it is none that we understand."""


def new_object(spec: WorkloadSpec, image: str | None, name: str, namespace: str, owner: str) -> Json:
    """The object of a submission, for the API to create."""
    fields = {field: value for field, value in asdict(spec).items() if field not in NOT_IN_OBJECT}
    metadata: Json = {"name": name, "namespace": namespace, "annotations": {OWNER_ANNOTATION: owner}}
    if spec.key is not None:
        metadata["labels"] = {KEY_LABEL: key_digest(spec.key)}
    content = msgspec.to_builtins({name: value for name, value in fields.items() if value is not None})
    content["request"] = written_request(spec.request)
    if image is not None:
        content["image"] = image
    return {"apiVersion": API_VERSION, "kind": WORKLOADS.kind, "metadata": metadata, "spec": content}


def written_request(request: TaskRequest) -> Json:
    """A request as the API takes it: a share is a text, as quantities are."""
    written: Json = msgspec.to_builtins(request)
    for field in ("gpu", "gpu_limit"):
        if isinstance(written.get(field), float):
            written[field] = str(written[field])
    return written


def key_digest(key: str) -> str:
    """A key of any characters as a label."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def _together(tasks: tuple[TaskStatus, ...]) -> Allocation | None:
    """All that tasks hold; the node is the first one's."""
    held = [task.allocation for task in tasks if task.allocation is not None]
    if not held:
        return None
    shares: dict[str, HeldDevice] = {}
    for device in (device for allocation in held for device in allocation.devices):
        before = shares.get(device.id)
        shares[device.id] = device if before is None else _sum(before, device)
    return msgspec.structs.replace(held[0], devices=tuple(shares.values()))


def _sum(one: HeldDevice, other: HeldDevice) -> HeldDevice:
    return msgspec.structs.replace(
        one, portion_milli=one.portion_milli + other.portion_milli, memory_mib=one.memory_mib + other.memory_mib
    )
