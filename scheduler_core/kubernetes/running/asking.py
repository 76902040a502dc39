"""What the pods of a workload say of the devices that they ask for, in the words of KAI and of device plugins."""

from __future__ import annotations

from scheduler_core.kubernetes.api.resources import (
    DEVICE_COUNT_ANNOTATION,
    DEVICE_MEMORY_ANNOTATION,
    DEVICES,
    FRACTION_ANNOTATION,
    MIG_DEVICES,
)
from scheduler_core.model import MILLI, TaskRequest


def share_annotations(request: TaskRequest) -> dict[str, str]:
    """What a pod that asks for shares of devices says of them; empty for every other request."""
    if not (request.portion_milli or request.gpu_memory_mib):
        return {}
    share = (
        {FRACTION_ANNOTATION: f"{request.portion_milli / MILLI:.3f}".rstrip("0")}
        if request.portion_milli
        else {DEVICE_MEMORY_ANNOTATION: str(request.gpu_memory_mib)}
    )
    return share | ({DEVICE_COUNT_ANNOTATION: str(request.gpu_devices)} if request.gpu_devices > 1 else {})


def device_limits(request: TaskRequest) -> dict[str, str]:
    """The extended resources that a pod asks for: whole devices and slices."""
    counts = {DEVICES: request.whole_devices, **{MIG_DEVICES + name: count for name, count in request.mig.items()}}
    return {name: str(count) for name, count in counts.items() if count}
