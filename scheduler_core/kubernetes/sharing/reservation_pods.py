"""Pods that hold a whole device for those who share it: how they are made, and what is read of them."""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Struct

from scheduler_core.kubernetes.api.connection import Json
from scheduler_core.kubernetes.api.resources import DEVICES, GROUP, RESERVATION_LABEL

PRIORITY_CLASS = "jupyter-runai-reservation"
DEVICE_ANNOTATION = f"{GROUP}/device"
"""On a reservation, once it is known: the device that it holds, as JSON."""

_READER = "scheduler_core.kubernetes.sharing.device_reader"
_GRACE_S = 1
_UNREADY = "Unknown"


class Slot(Struct, frozen=True, order=True):
    """The place of one device on a node: the plan counts devices, and which of them it is the kubelet decides."""

    node: str
    index: int


class ReservedDevice(Struct, frozen=True, kw_only=True):
    """The device behind a slot: `id` is its UUID, `memory_mib` all its memory."""

    id: str
    model: str
    memory_mib: int


class Reservation(Struct, frozen=True, kw_only=True):
    """A reservation as it is now; `trouble` says what keeps it from running."""

    name: str
    slot: Slot
    phase: str
    is_leaving: bool
    device: ReservedDevice | None = None
    trouble: str = ""

    @property
    def has_failed(self) -> bool:
        return self.phase in ("Failed", "Succeeded")


def reservation_name(slot: Slot) -> str:
    """Of a slot always the same, so that there can be only one."""
    return f"device-{hashlib.sha256(slot.node.encode()).hexdigest()[:12]}-{slot.index}"


def reservation_pod(slot: Slot, image: str) -> Json:
    """The pod that holds the device: it goes to its node without any scheduler, and has no rights."""
    pod = reader_pod(image, {DEVICES: "1"})
    pod["metadata"] = {"name": reservation_name(slot), "labels": {RESERVATION_LABEL: str(slot.index)}}
    pod["spec"] |= {
        "nodeName": slot.node,
        "priorityClassName": PRIORITY_CLASS,
        "restartPolicy": "Always",
        # Those who share the device were let onto its node by their own tolerations.
        "tolerations": [{"operator": "Exists"}],
    }
    return pod


def reader_pod(image: str, limits: dict[str, str], *options: str) -> Json:
    """A pod that says which devices it sees."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": _GRACE_S,
            "containers": [
                {
                    "name": "device",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python3", "-m", _READER, *options],
                    "env": [{"name": "NVIDIA_DRIVER_CAPABILITIES", "value": "utility"}],
                    "resources": {
                        "requests": {"cpu": "10m", "memory": "64Mi"},
                        "limits": {"memory": "256Mi", **limits},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True,
                    },
                }
            ],
        },
    }


class _Metadata(Struct, frozen=True, rename="camel"):
    name: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    deletion_timestamp: str | None = None


class _Spec(Struct, frozen=True, rename="camel"):
    node_name: str = ""


class _Condition(Struct, frozen=True):
    type: str
    status: str
    message: str = ""


class _Waiting(Struct, frozen=True):
    reason: str = ""
    message: str = ""


class _ContainerState(Struct, frozen=True):
    waiting: _Waiting | None = None


class _ContainerStatus(Struct, frozen=True):
    state: _ContainerState = _ContainerState()


class _Status(Struct, frozen=True, rename="camel"):
    phase: str = _UNREADY
    reason: str = ""
    message: str = ""
    conditions: tuple[_Condition, ...] = ()
    container_statuses: tuple[_ContainerStatus, ...] = ()


class PodState(Struct, frozen=True):
    """How a pod is doing."""

    metadata: _Metadata = _Metadata()
    spec: _Spec = _Spec()
    status: _Status = _Status()

    @property
    def trouble(self) -> str:
        """What keeps it from running, as it was said; empty where nothing was."""
        status = self.status
        waiting = (one.state.waiting for one in status.container_statuses)
        unplaced = (one for one in status.conditions if (one.type, one.status) == ("PodScheduled", "False"))
        said = [(status.reason, status.message), *(("", one.message) for one in unplaced)]
        said += [(one.reason, one.message) for one in waiting if one is not None]
        return next((": ".join(filter(None, pair)) for pair in said if any(pair)), "")


_read = msgspec.json.Decoder(PodState).decode
_read_device = msgspec.json.Decoder(ReservedDevice).decode


def read_reservation(content: bytes) -> Reservation:
    """A reservation from the JSON of its pod.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    found = _read(content)
    index = found.metadata.labels.get(RESERVATION_LABEL, "")
    if not index.isdecimal():
        raise msgspec.ValidationError(f"{RESERVATION_LABEL} is the number of a device, not {index[:40]!r}")
    said = found.metadata.annotations.get(DEVICE_ANNOTATION)
    return Reservation(
        name=found.metadata.name,
        slot=Slot(found.spec.node_name, int(index)),
        phase=found.status.phase,
        is_leaving=found.metadata.deletion_timestamp is not None,
        device=None if said is None else _read_device(said),
        trouble=found.trouble,
    )
