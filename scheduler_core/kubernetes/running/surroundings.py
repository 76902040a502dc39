"""In which image a workload runs that names none, and with which volumes."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from scheduler_core.errors import InvalidRequest, NotAllowed, NotFound
from scheduler_core.kubernetes.api.connection import Connection, Json
from scheduler_core.kubernetes.api.queue_objects import GpuQueue
from scheduler_core.workload import Mount, WorkloadSpec

_IN_A_POD = "KUBERNETES_SERVICE_HOST"
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_NOTEBOOK = "notebook"
"""The container of a notebook where JupyterHub has made its pod."""
_CLAIM = "persistentVolumeClaim"
_SHARED = {"ReadWriteMany", "ReadOnlyMany"}
"""How a claim can be mounted that pods on several nodes may have."""


async def surrounded(connection: Connection, spec: WorkloadSpec, queues: Mapping[str, GpuQueue]) -> WorkloadSpec:
    """The workload with an image, and with volumes.

    What it does not name are those of the pod in which this process runs, the image else what its queue or the nearest
    one above it names.

    Raises:
        InvalidRequest: nobody names an image; the hint says who can.
    """
    if spec.image is not None and spec.mounts:
        return spec
    own = await _own_pod(connection) if _IN_A_POD in os.environ else None
    container = {} if own is None else _notebook(own)
    image = spec.image or container.get("image") or _of_queues(spec.queue, queues)
    mounts = spec.mounts or (() if own is None else await _mounts(connection, own, container))
    return replace(spec, image=image, mounts=mounts)


def _of_queues(queue: str, queues: Mapping[str, GpuQueue]) -> str:
    name: str | None = queue
    while name is not None and name in queues:
        spec = queues[name].spec
        if spec.image is not None:
            return spec.image
        name = spec.parent
    raise InvalidRequest(
        "In which image is it to run? Nobody has said.",
        "Name one that has Python: --image IMAGE. Whoever runs the cluster can name one in a GpuQueue: spec.image.",
    )


async def _own_pod(connection: Connection) -> Json | None:
    """Null where this pod is not to be seen, or is in another namespace."""
    try:
        pod: Json = await connection.get(f"/api/v1/namespaces/{connection.namespace}/pods/{socket.gethostname()}")
    except (NotFound, NotAllowed):
        return None
    return pod


def _notebook(pod: Json) -> Json:
    containers: Sequence[Json] = pod["spec"]["containers"]
    chosen = pod["metadata"].get("annotations", {}).get(_DEFAULT_CONTAINER, _NOTEBOOK)
    return next((one for one in containers if one["name"] == chosen), containers[0])


async def _mounts(connection: Connection, pod: Json, container: Json) -> tuple[Mount, ...]:
    """The claims that the notebook's container sees, of those that pods on other nodes may see too."""
    volumes = {one["name"]: one[_CLAIM] for one in pod["spec"].get("volumes", ()) if _CLAIM in one}
    shared = {name: await _is_shared(connection, claim["claimName"]) for name, claim in volumes.items()}
    return tuple(
        Mount(
            claim=volumes[one["name"]]["claimName"],
            path=one["mountPath"],
            sub_path=one.get("subPath", ""),
            read_only=one.get("readOnly", False) or volumes[one["name"]].get("readOnly", False),
        )
        for one in container.get("volumeMounts", ())
        if shared.get(one["name"], False)
    )


async def _is_shared(connection: Connection, claim: str) -> bool:
    try:
        found = await connection.get(f"/api/v1/namespaces/{connection.namespace}/persistentvolumeclaims/{claim}")
    except (NotFound, NotAllowed):
        return False
    return not _SHARED.isdisjoint(found["spec"].get("accessModes", ()))
