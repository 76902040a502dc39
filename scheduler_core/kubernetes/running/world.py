"""What a task in a pod learns of itself and its siblings: the variables that it finds on one machine too."""

from __future__ import annotations

from scheduler_core.kubernetes.api.connection import Json
from scheduler_core.kubernetes.api.objects import GpuWorkload
from scheduler_core.kubernetes.api.resources import ACTIVITY_ANNOTATION
from scheduler_core.model import MILLI, TaskRequest

INPUTS = "/runai/inputs"
SENT = "/runai/sent"
"""What travelled in a Secret, where more is put to it."""
RESULTS = "/runai/results"
CHECKPOINT = "/runai/checkpoint"
REPORT = f"{RESULTS}/.report.json"
ACTIVITY = f"{RESULTS}/.activity.json"

DOOR = 52316
"""The port on a pod's loopback at which a task that is talked to while it runs listens; the next is its gang's."""

_PORT = 29500
_FAILURES = "metadata.annotations['batch.kubernetes.io/job-index-failure-count']"


def world_variables(workload: GpuWorkload, restarts: int, first_host: str | None, index: Json | None) -> list[Json]:
    """The variables of each task; those that differ from task to task are read from its pod.

    `first_host` is where task 0 is found, null where tasks meet by other means; `index` is the value of a variable that
    says which task this is, null where nothing in its pod does. Each task sees its own devices alone, so to itself it
    is a node of its own: LOCAL_RANK is 0, and torchrun (PET_*) starts a process for each of its devices.
    """
    spec, name = workload.spec, workload.metadata.name
    variables: list[Json] = [
        *_plain(
            {
                "RUNAI_WORKLOAD_ID": name,
                "RUNAI_WORKLOAD_NAME": spec.name or name,
                "RUNAI_TASK_COUNT": str(spec.tasks),
                "RUNAI_INPUTS": INPUTS,
                "RUNAI_RESULTS": RESULTS,
                "RUNAI_CHECKPOINT_DIR": CHECKPOINT,
                "RUNAI_REPORT": REPORT,
                "RUNAI_ACTIVITY": ACTIVITY,
                "RUNAI_DOOR": str(DOOR),
                "RUNAI_SIMULATED": "0",
                "RUNAI_GPU_PORTION": _portion(spec.request),
            }
        ),
    ]
    if index is not None:
        # What refers to it comes after it.
        variables = [
            {"name": "RUNAI_TASK_INDEX", **index},
            *variables,
            {"name": "RUNAI_TASK_ID", "value": f"{name}-$(RUNAI_TASK_INDEX)"},
        ]
    if ACTIVITY_ANNOTATION in workload.metadata.annotations:
        # A cell has ended there, and others may have come after it.
        variables += _plain({"RUNAI_KEPT": "1"})
    if spec.gang:
        variables += _plain({"RUNAI_RESTARTS": str(restarts)})
    else:
        variables.append({"name": "RUNAI_RESTARTS", "valueFrom": {"fieldRef": {"fieldPath": _FAILURES}}})
    return variables if first_host is None else variables + _siblings(workload, first_host)


def devices_of(request: TaskRequest) -> int:
    """How many devices a task sees; one where it asks for none, since a process runs all the same."""
    return request.whole_devices or sum(request.mig.values()) or request.gpu_devices


def _siblings(workload: GpuWorkload, first_host: str) -> list[Json]:
    spec = workload.spec
    variables = {
        "RANK": "$(RUNAI_TASK_INDEX)",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": str(spec.tasks),
        "LOCAL_WORLD_SIZE": "1",
        "MASTER_ADDR": first_host,
        "MASTER_PORT": str(_PORT),
        "PET_NNODES": str(spec.tasks),
        "PET_NPROC_PER_NODE": str(devices_of(spec.request)),
        "PET_MASTER_ADDR": first_host,
        "PET_MASTER_PORT": str(_PORT),
        "PET_NODE_RANK": "$(RUNAI_TASK_INDEX)",
    }
    if spec.fewest_tasks < spec.tasks:
        # Tasks that come and go find each other by torchrun's own rendezvous.
        del variables["PET_NODE_RANK"]
        variables |= {
            "PET_NNODES": f"{spec.fewest_tasks}:{spec.tasks}",
            "PET_RDZV_BACKEND": "c10d",
            "PET_RDZV_ENDPOINT": f"{first_host}:{_PORT}",
            "PET_RDZV_ID": workload.metadata.name,
        }
    return [{"name": name, "value": value} for name, value in variables.items()]


def _plain(variables: dict[str, str]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in variables.items()]


def _portion(request: TaskRequest) -> str:
    milli = request.whole_devices * MILLI + request.portion_milli * request.gpu_devices
    return f"{milli / MILLI:.3f}".rstrip("0").rstrip(".")
