"""What pods on fake nodes say: KWOK answers for their logs from files that tests write."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from kubernetes import client

from scheduler_core.kubernetes.api.resources import RESERVATIONS
from scheduler_core.kubernetes.sharing.reservation_pods import Slot, reservation_name
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


def let_devices_speak(cluster: ControlPlane, nodes: int, devices: int) -> None:
    """Let each reservation of a device, yet to come, say which one it holds."""
    for slot in (Slot(f"node-{node}", index) for node in range(nodes) for index in range(devices)):
        say(cluster, RESERVATIONS, reservation_name(slot), [reading(slot)])


def reading(slot: Slot, **fields: object) -> str:
    """A line of a reservation."""
    seen = {"at": 1.0, "id": uuid(slot), "model": "A100", "memory_mib": 81920, "ready": True, "used_mib": 7}
    return json.dumps({**seen, **fields})


def uuid(slot: Slot) -> str:
    """Of the device that a slot turns out to be."""
    return f"GPU-{slot.node}-{slot.index}"
