"""In which image a workload runs that names none."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence

from scheduler_core.errors import InvalidRequest, NotAllowed, NotFound
from scheduler_core.kubernetes.api.connection import Connection, Json
from scheduler_core.kubernetes.api.queue_objects import GpuQueue

_IN_A_POD = "KUBERNETES_SERVICE_HOST"
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_NOTEBOOK = "notebook"
"""The container of a notebook where JupyterHub has made its pod."""


async def image_for(connection: Connection, queue: str, queues: Mapping[str, GpuQueue]) -> str:
    """That of the pod in which this process runs, else what the queue or the nearest one above it names.

    Raises:
        InvalidRequest: nobody names one; the hint says who can.
    """
    own = await _own_image(connection) if _IN_A_POD in os.environ else None
    if own is not None:
        return own
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


async def _own_image(connection: Connection) -> str | None:
    """Null where this pod is not to be seen, or is in another namespace."""
    try:
        pod: Json = await connection.get(f"/api/v1/namespaces/{connection.namespace}/pods/{socket.gethostname()}")
    except (NotFound, NotAllowed):
        return None
    containers: Sequence[Json] = pod["spec"]["containers"]
    chosen = pod["metadata"].get("annotations", {}).get(_DEFAULT_CONTAINER, _NOTEBOOK)
    image: str = next((one for one in containers if one["name"] == chosen), containers[0])["image"]
    return image
