"""All that the scheduler knows: what the API has told, and what it has done itself that the API has not told yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.kubernetes.api.objects import GpuWorkload, read_workload
from scheduler_core.kubernetes.api.queue_objects import GpuQueue
from scheduler_core.kubernetes.api.resources import OWNER_ANNOTATION
from scheduler_core.kubernetes.state.nodes import Machine
from scheduler_core.kubernetes.state.pods import Pod
from scheduler_core.model import Verdict, VerdictCode
from scheduler_core.workload import Allocation

_Record = TypeVar("_Record")


class PlannedSpec(Struct, frozen=True, kw_only=True, gc=False):
    """The little of a GpuWorkload that the scheduler needs; `verdict` is what is written in it."""

    namespace: str
    name: str
    shown_name: str
    owner: str
    created: float
    queue: str
    priority: int
    preemptible: bool
    fewest_tasks: int
    verdict: Verdict | None

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


class Binding(Struct, frozen=True, kw_only=True, gc=False):
    """A pod that is being bound to a node, since `at` in seconds since the epoch, with what it is given there.

    `annotations` are written into it with that.
    """

    pod: Pod
    node: str
    allocation: Allocation
    at: float
    annotations: Mapping[str, str] = {}


class Cluster:
    """Records by their keys, and what is assumed of pods by their uids.

    `assumed` are bindings that were decided on and are not seen yet, `leaving` pods that were told to go and are not
    seen going, `held_back` until when a pod is not tried again, `stale_since` since when a workload is below its
    minimum. `unshareable` are devices that nobody can share now, and `no_shares` is the verdict on all who want
    to, where that is so.
    """

    def __init__(self) -> None:
        self.machines: dict[str, Machine] = {}
        self.pods: dict[str, Pod] = {}
        self.workloads: dict[str, PlannedSpec] = {}
        self.queues: dict[str, GpuQueue] = {}
        self.assumed: dict[str, Binding] = {}
        self.leaving: set[str] = set()
        self.held_back: dict[str, float] = {}
        self.stale_since: dict[str, float] = {}
        self.unshareable: Collection[str] = ()
        self.no_shares: tuple[VerdictCode, str] | None = None

    def machines_changed(self, changes: Mapping[str, Machine | None]) -> bool:
        _apply(self.machines, {key.removeprefix("/"): machine for key, machine in changes.items()})
        return True

    def workloads_changed(self, changes: Mapping[str, PlannedSpec | None]) -> bool:
        before = {key: self.workloads.get(key) for key in changes}
        _apply(self.workloads, changes)
        return any(_planned(before[key]) != _planned(found) for key, found in changes.items())

    def queues_changed(self, changes: Mapping[str, GpuQueue | None]) -> bool:
        before = {key: self.queues.get(key.removeprefix("/")) for key in changes}
        _apply(self.queues, {key.removeprefix("/"): queue for key, queue in changes.items()})
        return any(_quotas(before[key]) != _quotas(found) for key, found in changes.items())

    def pods_changed(self, changes: Mapping[str, Pod | None]) -> bool:
        """Whether another plan may come of it: not where what was assumed has been seen."""
        news = [self._pod_changed(key, pod) for key, pod in changes.items()]
        return any(news)

    def _pod_changed(self, key: str, pod: Pod | None) -> bool:
        before = self.pods.pop(key, None)
        if before is not None and (pod is None or pod.uid != before.uid):
            self._forget(before.uid)
        if pod is None:
            return True
        self.pods[key] = pod
        if pod.deleted is not None:
            self.leaving.discard(pod.uid)
        if pod.node is not None:
            self.held_back.pop(pod.uid, None)
            binding = self.assumed.pop(pod.uid, None)
            if binding is not None and binding.node == pod.node and pod.deleted is None and not pod.has_ended:
                return False
        return before is None or before.uid != pod.uid or _matters(before) != _matters(pod)

    def _forget(self, uid: str) -> None:
        self.assumed.pop(uid, None)
        self.leaving.discard(uid)
        self.held_back.pop(uid, None)


def read_planned(content: bytes) -> PlannedSpec:
    """A GpuWorkload from JSON, as the scheduler needs it.

    Raises:
        msgspec.MsgspecError: it is none that we understand.
    """
    found: GpuWorkload = read_workload(content)
    return PlannedSpec(
        namespace=found.metadata.namespace,
        name=found.metadata.name,
        shown_name=found.spec.name or found.metadata.name,
        owner=found.metadata.annotations.get(OWNER_ANNOTATION, ""),
        created=found.metadata.creation_timestamp.timestamp(),
        queue=found.spec.queue,
        priority=found.spec.effective_priority,
        preemptible=found.spec.effective_preemptible,
        fewest_tasks=found.spec.fewest_tasks,
        verdict=found.status.verdict,
    )


def _apply(records: dict[str, _Record], changes: Mapping[str, _Record | None]) -> None:
    for key, found in changes.items():
        if found is None:
            records.pop(key, None)
        else:
            records[key] = found


def _planned(found: PlannedSpec | None) -> PlannedSpec | None:
    """What of it plans depend on."""
    return found and replace(found, verdict=None)


def _quotas(found: GpuQueue | None) -> object:
    return found and (found.spec, found.metadata.creation_timestamp)


def _matters(pod: Pod) -> object:
    """What of it plans depend on: not what we say of it ourselves, and not that it has begun to run where it is."""
    phase = pod.phase if pod.has_ended else "Pending"
    return replace(pod, unscheduled="", started=None, bound=None, ended=None, evicted=False, phase=phase)
