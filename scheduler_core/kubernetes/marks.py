"""Labels and annotations by which the parts of a cluster know what belongs to a workload, and what its pods ask for.

Where the KAI Scheduler has a word for something it is used, with its meaning.
"""

from __future__ import annotations

from scheduler_core.kubernetes.resources import GROUP
from scheduler_core.model import MILLI, TaskRequest

SCHEDULER = "jupyter-runai"
"""The name of our scheduler in pods that it is to place."""

WORKLOAD_LABEL = f"{GROUP}/workload"
"""The name of the GpuWorkload that an object belongs to."""
RUN_LABEL = f"{GROUP}/run"
"""The number of the run that an object belongs to."""
QUEUE_LABEL = "kai.scheduler/queue"
PRIORITY_ANNOTATION = f"{GROUP}/priority"
PREEMPTIBLE_ANNOTATION = f"{GROUP}/preemptible"
ALLOCATION_ANNOTATION = f"{GROUP}/allocation"
"""JSON of the `Allocation` that a bound pod was given."""
EVICTED_ANNOTATION = f"{GROUP}/evicted"
"""Why a pod that leaves was told to: the action, and for whom."""
FEWEST_ANNOTATION = "kai.scheduler/batch-min-member"
FRACTION_ANNOTATION = "gpu-fraction"
MEMORY_ANNOTATION = "gpu-memory"
DEVICES_ANNOTATION = "gpu-fraction-num-devices"

WHOLE_DEVICES = "nvidia.com/gpu"
_SLICES = "nvidia.com/mig-"


def share_annotations(request: TaskRequest) -> dict[str, str]:
    """What a pod that asks for shares of devices says of them; empty for every other request."""
    if not (request.portion_milli or request.gpu_memory_mib):
        return {}
    share = (
        {FRACTION_ANNOTATION: f"{request.portion_milli / MILLI:.3f}".rstrip("0")}
        if request.portion_milli
        else {MEMORY_ANNOTATION: str(request.gpu_memory_mib)}
    )
    return share | ({DEVICES_ANNOTATION: str(request.gpu_devices)} if request.gpu_devices > 1 else {})


def device_limits(request: TaskRequest) -> dict[str, str]:
    """The extended resources that a pod asks for: whole devices and slices."""
    counts = {WHOLE_DEVICES: request.whole_devices, **{_SLICES + name: count for name, count in request.mig.items()}}
    return {name: str(count) for name, count in counts.items() if count}
