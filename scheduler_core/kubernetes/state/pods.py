"""Pods as the scheduler sees them: of each the little that placing it takes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from scheduler_core.kubernetes.api.resources import (
    ALLOCATION_ANNOTATION,
    CAPS_VARIABLE,
    DEVICE_VARIABLE,
    GANG_MINIMUM_ANNOTATION,
    POOL_LABEL,
    PREEMPTIBILITY_LABEL,
    PREEMPTIBLE_ANNOTATION,
    PRIORITY_ANNOTATION,
    QUEUE_LABEL,
    RESERVATION_LABEL,
    RESERVATIONS,
    SCHEDULER,
    WORKLOAD_LABEL,
    variable_path,
)
from scheduler_core.kubernetes.state.affinity import NodeTerm
from scheduler_core.kubernetes.state.pod_requests import PodResources, is_share, request_of
from scheduler_core.model import TaskRequest, Toleration
from scheduler_core.workload import PRIORITIES, Allocation

Phase: TypeAlias = Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"]

_Part = TypeVar("_Part")

TAKEN_FOR_OTHERS = "PreemptionByScheduler"
"""The reason of a pod's disruption where a scheduler takes it for others."""
_INDEX_LABEL = "batch.kubernetes.io/job-completion-index"
_DEFAULT_GRACE_S = 30
_BLIND = (
    f"It would not see the device that it shares: no container takes {DEVICE_VARIABLE} from the annotation "
    f"{variable_path(DEVICE_VARIABLE)}."
)
_PREEMPTIBILITY: Mapping[str | None, bool] = {
    "preemptible": True,
    "non-preemptible": False,
    "true": True,
    "false": False,
}


class Owner(Struct, frozen=True, rename="camel", gc=False):
    """The object that made a pod and makes another one where it goes."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


class Pod(Struct, frozen=True, kw_only=True, gc=False):
    """A pod. Times are seconds since the epoch.

    `node` is null until it is bound (at `bound`), `allocation` where we did not bind it. `ended` is when its last
    container did, once all have, as far as its node has said so; it is `evicted` where a scheduler took it for others.
    `refused` says why what it asks for makes no sense, and is empty where it does. `deleted` is when it was told to go,
    `gone_by` when its grace is over.
    `priority`, `preemptible` and `gang_minimum` are null where the pod does not say; `workload` names its GpuWorkload;
    `reservation` is the index of the device that it holds for those who share it; it `takes_caps` where its frameworks
    keep to a share of a device's memory; `unscheduled` is the sentence that it
    was given for why it waits.
    """

    namespace: str
    name: str
    uid: str
    created: float
    scheduler: str
    phase: Phase
    request: TaskRequest
    refused: str
    labels: Mapping[str, str]
    node: str | None = None
    allocation: Allocation | None = None
    deleted: float | None = None
    gone_by: float | None = None
    started: float | None = None
    bound: float | None = None
    ended: float | None = None
    evicted: bool = False
    gated: bool = False
    priority: int | None = None
    preemptible: bool | None = None
    gang_minimum: int | None = None
    owner: Owner | None = None
    node_selector: Mapping[str, str] = {}
    node_terms: tuple[NodeTerm, ...] | None = None
    tolerations: tuple[Toleration, ...] = ()
    takes_caps: bool = False
    unscheduled: str = ""
    grace_s: int = _DEFAULT_GRACE_S

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def queue(self) -> str | None:
        return self.labels.get(QUEUE_LABEL)

    @property
    def workload(self) -> str | None:
        return self.labels.get(WORKLOAD_LABEL)

    @property
    def pool(self) -> str | None:
        return self.labels.get(POOL_LABEL)

    @property
    def index(self) -> int | None:
        """Its number in its Indexed Job."""
        return _number(self.labels.get(_INDEX_LABEL))

    @property
    def reservation(self) -> int | None:
        return _number(self.labels.get(RESERVATION_LABEL)) if self.namespace == RESERVATIONS else None

    @property
    def is_ours(self) -> bool:
        """Whether our controller places it."""
        return self.scheduler == SCHEDULER

    @property
    def has_ended(self) -> bool:
        return self.phase in ("Succeeded", "Failed")


class _Metadata(Struct, rename="camel"):
    name: str
    namespace: str
    uid: str
    creation_timestamp: datetime
    deletion_timestamp: datetime | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[Owner, ...] = ()


class _NodeSelector(Struct, rename="camel"):
    node_selector_terms: tuple[NodeTerm, ...] = ()


class _NodeAffinity(Struct):
    required: _NodeSelector | None = msgspec.field(default=None, name="requiredDuringSchedulingIgnoredDuringExecution")


class _Affinity(Struct, rename="camel"):
    node_affinity: _NodeAffinity | None = None


class _PodToleration(Toleration, frozen=True, forbid_unknown_fields=False):
    pass


class _Gate(Struct):
    name: str


class _Spec(PodResources, frozen=True, rename="camel"):
    scheduler_name: str = ""
    node_name: str | None = None
    node_selector: dict[str, str] = msgspec.field(default_factory=dict)
    affinity: _Affinity | None = None
    tolerations: tuple[_PodToleration, ...] = ()
    scheduling_gates: tuple[_Gate, ...] = ()
    priority_class_name: str = ""
    priority: int | None = None
    termination_grace_period_seconds: int = _DEFAULT_GRACE_S


class _Condition(Struct, rename="camel"):
    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None


class _Terminated(Struct, rename="camel"):
    finished_at: datetime | None = None


class _ContainerState(Struct):
    terminated: _Terminated | None = None


class _Container(Struct):
    state: _ContainerState = msgspec.field(default_factory=_ContainerState)


class _Status(Struct, rename="camel"):
    phase: Phase = "Pending"
    start_time: datetime | None = None
    conditions: tuple[_Condition, ...] = ()
    container_statuses: tuple[_Container, ...] = ()


class _Object(Struct):
    metadata: _Metadata
    spec: _Spec
    status: _Status = msgspec.field(default_factory=_Status)


_read = msgspec.json.Decoder(_Object).decode
_read_allocation = msgspec.json.Decoder(Allocation).decode


def read_pod(content: bytes) -> Pod:
    """A pod from the JSON of the API.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    found = _read(content)
    metadata, spec = found.metadata, found.spec
    said = metadata.annotations
    request, refused = request_of(spec, said)
    if is_share(request) and not spec.takes(DEVICE_VARIABLE):
        refused = _BLIND
    terms = spec.affinity and spec.affinity.node_affinity and spec.affinity.node_affinity.required
    gone_by = _seconds(metadata.deletion_timestamp)
    return Pod(
        namespace=intern(metadata.namespace),
        name=metadata.name,
        uid=metadata.uid,
        created=metadata.creation_timestamp.timestamp(),
        scheduler=intern(spec.scheduler_name),
        phase=found.status.phase,
        request=request,
        refused=refused,
        labels={intern(name): value for name, value in metadata.labels.items()},
        node=intern(spec.node_name) if spec.node_name else None,
        allocation=_allocation(said.get(ALLOCATION_ANNOTATION)),
        deleted=None if gone_by is None else gone_by - (metadata.deletion_grace_period_seconds or 0),
        gone_by=gone_by,
        started=_seconds(found.status.start_time),
        bound=_bound(found.status),
        ended=_ended(found.status),
        evicted=_evicted(found.status),
        gated=bool(spec.scheduling_gates),
        priority=_priority(said.get(PRIORITY_ANNOTATION), spec),
        preemptible=_PREEMPTIBILITY.get(
            said.get(PREEMPTIBLE_ANNOTATION) or metadata.labels.get(PREEMPTIBILITY_LABEL, "")
        ),
        gang_minimum=_number(said.get(GANG_MINIMUM_ANNOTATION)),
        owner=_once(next((owner for owner in metadata.owner_references if owner.controller), None)),
        node_selector=spec.node_selector,
        node_terms=_once(terms.node_selector_terms) if terms else None,
        tolerations=_once(spec.tolerations),
        takes_caps=spec.takes(CAPS_VARIABLE),
        unscheduled=_unscheduled(found.status),
        grace_s=spec.termination_grace_period_seconds,
    )


def _once(part: _Part) -> _Part:
    """Kept once for all pods that have it in common: most pods of a workload differ in nothing but their names."""
    shared: _Part = _shared(part)
    return shared


@lru_cache(maxsize=4096)
def _shared(part: Any) -> Any:
    return part


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _bound(status: _Status) -> float | None:
    """When it was given a node, as the API server noted it."""
    return next((_seconds(one.last_transition_time) for one in status.conditions if _is(one, "PodScheduled")), None)


def _ended(status: _Status) -> float | None:
    """When the last of its containers ended; null while any may go on, and where nobody has said."""
    if status.phase not in ("Succeeded", "Failed"):
        return None
    ends = (_seconds(done.finished_at) for one in status.container_statuses if (done := one.state.terminated))
    return max((at for at in ends if at is not None), default=None)


def _evicted(status: _Status) -> bool:
    return any(_is(one, "DisruptionTarget") and one.reason == TAKEN_FOR_OTHERS for one in status.conditions)


def _is(condition: _Condition, kind: str) -> bool:
    return (condition.type, condition.status) == (kind, "True")


def _priority(said: str | None, spec: _Spec) -> int | None:
    """As the pod says it; what Kubernetes gives every pod without a class is no priority of its own."""
    if said is not None and said in PRIORITIES:
        return PRIORITIES[said]
    number = _number(said)
    if number is not None:
        return number
    return spec.priority if spec.priority_class_name else None


def _number(said: str | None) -> int | None:
    return int(said) if said is not None and said.isdecimal() else None


def _allocation(said: str | None) -> Allocation | None:
    """What cannot be read was not written by us: the pod holds some devices of its node."""
    try:
        return _read_allocation(said) if said else None
    except msgspec.MsgspecError:
        return None


def _unscheduled(status: _Status) -> str:
    return next((one.message for one in status.conditions if one.type == "PodScheduled" and one.status == "False"), "")
