"""Our kinds in the Kubernetes API, by what they are called and where they are found."""

from __future__ import annotations

from msgspec import Struct

GROUP = "jupyter-runai.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

KEY_LABEL = f"{GROUP}/key"
"""A digest of the key that made submitting idempotent."""
DELETED_LABEL = f"{GROUP}/deleted"
"""Set on what is deleted and can be had back."""
ACTIVITY_ANNOTATION = f"{GROUP}/activity"
OWNER_ANNOTATION = f"{GROUP}/owner"
DELETED_AT_ANNOTATION = f"{GROUP}/deleted-at"
RESTORED_AT_ANNOTATION = f"{GROUP}/restored-at"

SYSTEM_NAMESPACE = "jupyter-runai"
"""Where our controller runs."""
SCHEDULER = "jupyter-runai"
"""`spec.schedulerName` of the pods that our controller places."""
QUEUE_LABEL = "kai.scheduler/queue"
GANG_MINIMUM_ANNOTATION = "kai.scheduler/batch-min-member"
FRACTION_ANNOTATION = "gpu-fraction"
DEVICE_MEMORY_ANNOTATION = "gpu-memory"
"""In MiB."""
DEVICE_COUNT_ANNOTATION = "gpu-fraction-num-devices"
PREEMPTIBILITY_LABEL = "kai.scheduler/preemptibility"
POOL_LABEL = "kai.scheduler/node-pool"
"""Of a node the pool that it is in, of a pod the pool that it asks for."""
WORKLOAD_LABEL = f"{GROUP}/workload"
"""On a pod: the name of its GpuWorkload."""
RUN_LABEL = f"{GROUP}/run"
"""On a Job and its pods: the number of the run of a workload that they are."""
PRIORITY_ANNOTATION = f"{GROUP}/priority"
"""On a pod: a name such as `high`, or a number."""
PREEMPTIBLE_ANNOTATION = f"{GROUP}/preemptible"
ALLOCATION_ANNOTATION = f"{GROUP}/allocation"
"""On a pod, written when it is bound: its `Allocation` as JSON."""
RESERVATION_LABEL = f"{GROUP}/reservation"
"""On a pod that holds a whole device for those who share it: the index of that device on its node."""

RESERVATIONS = "jupyter-runai-reservations"
"""The namespace of those pods."""
DEVICE_VARIABLE = "NVIDIA_VISIBLE_DEVICES"
"""By this NVIDIA's container runtime hands a device to a container."""
CAPS_VARIABLE = "RUNAI_CAP_FRACTION"
"""By this frameworks that are started with our hook keep to a share of the memory."""

DEVICES = "nvidia.com/gpu"
MIG_DEVICES = "nvidia.com/mig-"


def variable_path(name: str) -> str:
    """The annotation from which a variable of a pod that shares devices takes its value."""
    return f"env.{GROUP}/{name}"


class Kind(Struct, frozen=True):
    """A kind of object."""

    kind: str
    plural: str
    namespaced: bool

    def path(self, namespace: str = "", name: str = "", part: str = "") -> str:
        """Where its objects are, or one of them, or a part of it such as `status`; all namespaces without one."""
        where = ["", "apis", GROUP, VERSION]
        where += ["namespaces", namespace] if namespace else []
        return "/".join([*where, *filter(None, (self.plural, name, part))])


WORKLOADS = Kind("GpuWorkload", "gpuworkloads", True)
QUEUES = Kind("GpuQueue", "gpuqueues", False)
