"""The definitions of our kinds, as the API server takes them."""

from __future__ import annotations

from scheduler_core.kubernetes.api.connection import Json
from scheduler_core.kubernetes.api.objects import NOT_IN_OBJECT, GpuWorkloadSpec, GpuWorkloadStatus
from scheduler_core.kubernetes.api.queue_objects import GpuQueueSpec, GpuQueueStatus
from scheduler_core.kubernetes.api.resources import GROUP, QUEUES, VERSION, WORKLOADS, Kind
from scheduler_core.kubernetes.api.schema import structural_schema

_FIXED = ("command", "cwd", "kind", "gang")
"""What a workload is does not change after it was submitted."""
_ELASTIC = {
    "rule": "!has(self.min_tasks) || (self.gang && self.min_tasks <= self.tasks)",
    "message": "min_tasks is at most tasks, and goes with a gang",
}


def definitions() -> tuple[Json, ...]:
    """One CustomResourceDefinition for each of our kinds."""
    return _workloads(), _queues()


def _workloads() -> Json:
    spec = structural_schema(GpuWorkloadSpec, NOT_IN_OBJECT)
    spec["x-kubernetes-validations"] = [_ELASTIC]
    for name in _FIXED:
        message = f"{name} is fixed once it is submitted"
        spec["properties"][name]["x-kubernetes-validations"] = [{"rule": "self == oldSelf", "message": message}]
    columns = (
        _column("State", ".status.state"),
        _column("Queue", ".spec.queue"),
        _column("GPU", ".spec.request.gpu"),
        _column("Tasks", ".spec.tasks", "integer"),
        _column("Owner", rf".metadata.annotations.{GROUP.replace('.', chr(92) + '.')}/owner"),
        _column("Age", ".metadata.creationTimestamp", "date"),
        _column("Why", ".status.verdict.message", wide=True),
    )
    return _definition(WORKLOADS, "gpuw", spec, structural_schema(GpuWorkloadStatus), columns)


def _queues() -> Json:
    columns = (
        _column("Parent", ".spec.parent"),
        _column("Quota", ".spec.gpu.quota"),
        _column("Limit", ".spec.gpu.limit"),
        _column("Used", ".status.allocated", "number"),
        _column("Asked", ".status.requested", "number"),
        _column("Age", ".metadata.creationTimestamp", "date"),
    )
    return _definition(QUEUES, "gpuq", structural_schema(GpuQueueSpec), structural_schema(GpuQueueStatus), columns)


def _definition(kind: Kind, short: str, spec: Json, status: Json, columns: tuple[Json, ...]) -> Json:
    status["default"] = {}
    schema = {"type": "object", "required": ["spec"], "properties": {"spec": spec, "status": status}}
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": list(columns),
    }
    names = {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.kind.lower(),
        "shortNames": [short],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": names,
            "versions": [version],
        },
    }


def _column(name: str, path: str, kind: str = "string", wide: bool = False) -> Json:
    return {"name": name, "jsonPath": path, "type": kind, "priority": 1 if wide else 0}
