"""Which workload a pod belongs to, as the pod itself says it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from scheduler_core.kubernetes.state.pods import Pod
from scheduler_core.workload import PRIORITIES


class Membership(Struct, frozen=True, gc=False):
    """The workload of a pod and, where no GpuWorkload says so, how it is planned.

    `minimum` of its pods start together, or none. `preemptible` is null where that is as its priority says.
    """

    workload: str
    minimum: int = 1
    priority: int = PRIORITIES["low"]
    preemptible: bool | None = None


Grouping: TypeAlias = Callable[[Pod], Membership | None]
"""Null for a pod of which nobody knows yet."""


def membership(pod: Pod) -> Membership:
    """Pods of one GpuWorkload, or of one controlling object, are one workload; any other is one of its own."""
    priority = PRIORITIES["low"] if pod.priority is None else pod.priority
    return Membership(workload_of(pod), pod.gang_minimum or 1, priority, pod.preemptible)


def workload_of(pod: Pod) -> str:
    """What the workload is called: `NAMESPACE/NAME` of a GpuWorkload, else `NAMESPACE/KIND/NAME`."""
    if pod.workload is not None:
        return f"{pod.namespace}/{pod.workload}"
    if pod.owner is not None:
        return f"{pod.namespace}/{pod.owner.kind.lower()}/{pod.owner.name}"
    return f"{pod.namespace}/pod/{pod.name}"
