"""What pods on fake nodes say: KWOK answers for their logs from files that tests write."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from kubernetes import client

from tests.cluster.control_plane import ControlPlane

_GROUP, _VERSION = "kwok.x-k8s.io", "v1alpha1"


def say(cluster: ControlPlane, namespace: str, pod: str, lines: Sequence[str], container: str = "device") -> None:
    """Let a pod of this name, there or yet to come, have said so. Its namespace has to be there."""
    name = hashlib.sha256(f"{namespace}/{pod}".encode()).hexdigest()[:16]
    file = cluster.folder / f"pod-{name}.log"
    now = datetime.now(UTC).isoformat().replace("+00:00", "000Z")
    file.write_text("".join(f"{now} stdout F {line}\n" for line in lines))
    logs = {"containers": [container], "logsFile": str(file), "follow": True}
    body = {
        "apiVersion": f"{_GROUP}/{_VERSION}",
        "kind": "Logs",
        "metadata": {"name": pod},
        "spec": {"logs": [logs]},
    }
    api = client.CustomObjectsApi(cluster.api())
    try:
        api.create_namespaced_custom_object(_GROUP, _VERSION, namespace, "logs", body)
    except client.ApiException as error:
        # It has said something before.
        if error.status != 409:
            raise
