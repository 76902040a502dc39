"""A GpuQueue as the Kubernetes API keeps it: `spec` is its quotas, `status` what the controller has worked out."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from scheduler_core.kubernetes.api.objects import Metadata
from scheduler_core.model import GpuQuota, HostQuota, PoolQuota, Queue, Seconds
from scheduler_core.policies.templates import Environment


class GpuQueueSpec(Struct, frozen=True, kw_only=True):
    """A node of the quota tree; only leaves run workloads, of the `namespaces` that it lists, else of any.

    `image` is what those run in that name none, `environments` are those that they can name.
    """

    parent: str | None = None
    priority: int = 100
    namespaces: tuple[str, ...] | None = None
    image: str | None = None
    environments: tuple[Environment, ...] = ()
    gpu: GpuQuota = GpuQuota()
    cpu_milli: HostQuota = HostQuota()
    memory_mib: HostQuota = HostQuota()
    pools: Mapping[str, PoolQuota] = {}
    preempt_min_runtime_s: Seconds | None = None
    reclaim_min_runtime_s: Seconds | None = None


class GpuQueueStatus(Struct, frozen=True, kw_only=True):
    """Devices granted, held and asked for."""

    fair_share: float | None = None
    allocated: float = 0.0
    requested: float = 0.0


class GpuQueue(Struct, frozen=True, kw_only=True):
    """A GpuQueue as it was read."""

    metadata: Metadata
    spec: GpuQueueSpec
    status: GpuQueueStatus = GpuQueueStatus()

    def queue(self) -> Queue:
        """As the planner sees it."""
        ours = ("namespaces", "image", "environments")
        fields = {name: getattr(self.spec, name) for name in GpuQueueSpec.__struct_fields__ if name not in ours}
        return Queue(name=self.metadata.name, created=self.metadata.creation_timestamp.timestamp(), **fields)

    def admits(self, namespace: str) -> bool:
        """Whether workloads of this namespace may be in it."""
        return self.spec.namespaces is None or namespace in self.spec.namespaces


read_queue = msgspec.json.Decoder(GpuQueue).decode
"""A GpuQueue from JSON. Raises msgspec.MsgspecError where it is none that we understand."""
