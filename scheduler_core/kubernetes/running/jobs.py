"""A workload's run as Kubernetes runs it: the template of its pods, and an Indexed Job of them.

For a gang of several there is a Service by which they meet.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import Struct

from scheduler_core.errors import InvalidRequest
from scheduler_core.kubernetes.api.blobs import url_in_cluster
from scheduler_core.kubernetes.api.connection import Json
from scheduler_core.kubernetes.api.objects import GpuWorkload, Started
from scheduler_core.kubernetes.api.resources import (
    API_VERSION,
    GANG_MINIMUM_ANNOTATION,
    GROUP,
    PREEMPTIBLE_ANNOTATION,
    PRIORITY_ANNOTATION,
    QUEUE_LABEL,
    RUN_LABEL,
    SCHEDULER,
    WORKLOAD_LABEL,
    WORKLOADS,
)
from scheduler_core.kubernetes.running.asking import device_limits, share_annotations
from scheduler_core.kubernetes.running.world import CHECKPOINT, INPUTS, RESULTS, SENT, world_variables
from scheduler_core.kubernetes.sharing.shares import HOOKS_FOLDER, take_share
from scheduler_core.model import TaskRequest
from scheduler_core.workload import Mount

TASK = "task"
"""The container that runs a workload's command."""
COLLECTOR = "collector"
"""The container that says, at the end of a task with inputs, what it has left."""

TOKEN_KEY = "token"  # noqa: S105 (its name)
FETCHER = "inputs"
"""The container that fetches what is too large for a Secret."""

ASKED_ANNOTATION = f"{GROUP}/asked"
"""JSON of what a Job's tasks ask for and how many they are."""

CONTAINER_ANNOTATION = "kubectl.kubernetes.io/default-container"
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
"""On a pod of an Indexed Job, as an annotation and as a label: its place."""
REPLICA_INDEX = "training.kubeflow.org/replica-index"
"""On a pod of Kubeflow's operators: its place among those of its role."""
MEETING_LABELS: dict[str, dict[str, str]] = {
    "Job": {},
    "JobSet": {COMPLETION_INDEX: "0"},
    "TrainJob": {COMPLETION_INDEX: "0"},
    "PyTorchJob": {REPLICA_INDEX: "0"},
}
"""Whom a gang's Service leads to, by the kind that makes its pods; of others the operator has one of its own."""
HandOver: TypeAlias = Callable[[Json, str], Json]
"""Makes of a pod's template, and the queue of its workload, the one that another scheduler takes."""

# The status is what an Indexed Job takes for granted; a JobSet wants it said.
_DISRUPTED = {"type": "DisruptionTarget", "status": "True"}
_COLLECTOR_SOURCE = Path(__file__).with_name("collector.py")
_FETCHER_SOURCE = Path(__file__).with_name("fetcher.py")
_MODEL = "nvidia.com/gpu.product"


class Role(Struct, frozen=True, kw_only=True):
    """What sets the pods of one part of a run apart from the others.

    `index` is the value of a variable that says which task a pod is; null where nothing in it does. The task is the
    program of the container `runs_in`: ours, which is called `container`, or one that an operator adds. Without a
    `command` ours runs the operator's.
    """

    index: Json | None
    annotations: dict[str, str] = {}
    runs_in: str = TASK
    container: str = TASK
    command: bool = True


INDEXED = Role(index={"valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{COMPLETION_INDEX}']"}}})
"""Of a pod that an Indexed Job makes."""


def job(workload: GpuWorkload, run: int, restarts: int, hand_over: HandOver | None = None) -> Json:
    """The Job of one run of a workload, which was started again `restarts` times before.

    Raises:
        InvalidRequest: it names no image.
    """
    made = pod_template(workload, run, restarts, INDEXED, hand_over)
    if service(workload) is not None:
        made["spec"]["subdomain"] = service_name(workload)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": run_metadata(workload, run),
        "spec": job_spec(workload, made),
    }


def job_spec(workload: GpuWorkload, template: Json) -> Json:
    """An Indexed Job of all tasks of a workload, which never makes two pods of one at a time."""
    spec = workload.spec
    content: Json = {
        "completionMode": "Indexed",
        "completions": spec.tasks,
        "parallelism": spec.tasks,
        # What was evicted, or lost its node, has not failed; a gang fails as one, and starts over as a new run.
        "podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [_DISRUPTED]}]},
        "podReplacementPolicy": "Failed",
        "template": template,
    }
    return content | ({"backoffLimit": 0} if spec.gang else {"backoffLimitPerIndex": spec.retries})


def run_metadata(workload: GpuWorkload, run: int) -> Json:
    """Of the object that makes the pods of a run: found by its labels, and known for what it was made for."""
    return {
        "name": job_name(workload, run),
        **belongs(workload),
        "labels": _labels(workload, run),
        "annotations": {ASKED_ANNOTATION: asked(workload)},
    }


def pod_template(workload: GpuWorkload, run: int, restarts: int, role: Role, hand_over: HandOver | None = None) -> Json:
    """The template of the pods of a role.

    Raises:
        InvalidRequest: the workload names no image.
    """
    metadata, pod = _pod_metadata(workload, run, role), _pod(workload, job_name(workload, run), restarts, role)
    if share_annotations(workload.spec.request):
        (task,) = pod["containers"]
        take_share(metadata, pod, task)
        task["env"].append({"name": "PYTHONPATH", "value": HOOKS_FOLDER})
    made = {"metadata": metadata, "spec": pod}
    return made if hand_over is None else hand_over(made, workload.spec.queue)


def asked(workload: GpuWorkload) -> str:
    """What a Job was made for, to be known again by whoever looks at it later."""
    spec = workload.spec
    made = Started(request=spec.request, tasks=spec.tasks, min_tasks=spec.min_tasks)
    return msgspec.json.encode(made).decode()


def service(workload: GpuWorkload) -> Json | None:
    """The headless Service by which the tasks of a gang find each other; null where they have no need of it."""
    spec, name = workload.spec, workload.metadata.name
    if spec.tasks == 1 or not spec.gang or spec.job_kind not in MEETING_LABELS:
        return None
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service_name(workload), **belongs(workload)},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {WORKLOAD_LABEL: name, **MEETING_LABELS[spec.job_kind]},
        },
    }


def job_name(workload: GpuWorkload, run: int) -> str:
    """Each run has a Job of its own: what is left of one never stands in the way of the next."""
    return f"{workload.metadata.name}-r{run}" if run else workload.metadata.name


def service_name(workload: GpuWorkload) -> str:
    """The name of a Service begins with a letter."""
    name = workload.metadata.name
    return name if name[0].isalpha() else f"w-{name}"


def inputs_name(workload: str) -> str:
    """The Secret that holds a workload's inputs: each under the number of its place among the paths."""
    return f"{workload}-inputs"


def token_name(workload: str) -> str:
    """The Secret that holds the token for a workload's blobs."""
    return f"{workload}-blobs"


def _labels(workload: GpuWorkload, run: int) -> dict[str, str]:
    return {WORKLOAD_LABEL: workload.metadata.name, RUN_LABEL: str(run), QUEUE_LABEL: workload.spec.queue}


def belongs(workload: GpuWorkload) -> Json:
    """In its namespace, deleted with it, and known as its own."""
    meta = workload.metadata
    owner = {"apiVersion": API_VERSION, "kind": WORKLOADS.kind, "name": meta.name, "uid": meta.uid, "controller": True}
    return {"namespace": meta.namespace, "labels": {WORKLOAD_LABEL: meta.name}, "ownerReferences": [owner]}


def _pod_metadata(workload: GpuWorkload, run: int, role: Role) -> Json:
    spec = workload.spec
    said = {
        CONTAINER_ANNOTATION: role.runs_in,
        PRIORITY_ANNOTATION: str(spec.effective_priority),
        PREEMPTIBLE_ANNOTATION: str(spec.effective_preemptible).lower(),
        GANG_MINIMUM_ANNOTATION: str(spec.fewest_tasks),
    }
    return {
        "labels": _labels(workload, run),
        "annotations": said | share_annotations(spec.request) | role.annotations,
    }


def _pod(workload: GpuWorkload, name: str, restarts: int, role: Role) -> Json:
    spec = workload.spec
    volumes: list[Json] = [
        {"name": "results", "emptyDir": {}},
        {"name": "checkpoint", "emptyDir": {}},
        {"name": "shm", "emptyDir": {"medium": "Memory"}},
    ]
    if spec.inputs:
        items = [{"key": str(number), "path": path} for number, path in enumerate(spec.inputs)]
        sent = {"secret": {"secretName": inputs_name(workload.metadata.name), "items": items}}
        volumes += [{"name": "sent" if spec.blobs else "inputs", **sent}]
        volumes += [{"name": "inputs", "emptyDir": {}}] if spec.blobs else []
    content: Json = {
        "schedulerName": SCHEDULER,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": math.ceil(spec.grace_s),
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "volumes": volumes,
        "containers": [_task(workload, name, restarts, role)],
    }
    for volume, mount in _claims(workload):
        volumes.append({"name": volume, "persistentVolumeClaim": {"claimName": mount.claim}})
    if spec.max_run_s is not None and not spec.gang:
        # Of a gang the controller ends all tasks when the time of one is up.
        content["activeDeadlineSeconds"] = math.ceil(spec.max_run_s)
    if spec.inputs:
        content["initContainers"] = [*([_fetcher(workload)] if spec.blobs else []), _collector(workload)]
    if spec.request.models is not None:
        content["affinity"] = _on_models(spec.request.models)
    return content


def _task(workload: GpuWorkload, name: str, restarts: int, role: Role) -> Json:
    spec = workload.spec
    mounts = {"results": RESULTS, "checkpoint": CHECKPOINT, "shm": "/dev/shm"}  # noqa: S108 (that is its place)
    if spec.inputs:
        mounts["inputs"] = INPUTS
    program = {"command": [_literal(word) for word in spec.command]} if role.command else {}
    ours = [{"name": volume, "mountPath": path} for volume, path in mounts.items()]
    claimed = [
        {
            "name": name,
            "mountPath": mount.path,
            "readOnly": mount.read_only,
            **({"subPath": mount.sub_path} if mount.sub_path else {}),
        }
        for name, mount in _claims(workload)
    ]
    return {
        "name": role.container,
        "image": _image(workload),
        **program,
        "workingDir": spec.cwd,
        "envFrom": [{"secretRef": {"name": workload.metadata.name, "optional": True}}],
        "env": world_variables(workload, restarts, _first_host(workload, name), role.index),
        "resources": _resources(spec.request),
        "volumeMounts": [*ours, *claimed],
    }


def _first_host(workload: GpuWorkload, name: str) -> str | None:
    """Where task 0 is: a pod of a Job has a name of its own below the Service, elsewhere the Service is of it alone."""
    if service(workload) is None:
        return None
    meeting = service_name(workload)
    return f"{name}-0.{meeting}" if workload.spec.job_kind == "Job" else meeting


def _claims(workload: GpuWorkload) -> list[tuple[str, Mount]]:
    """What is mounted of volume claims, each under a name of its own."""
    return [(f"claim-{number}", mount) for number, mount in enumerate(workload.spec.mounts)]


def _collector(workload: GpuWorkload) -> Json:
    """A sidecar: it is told to end when the task has, and only then does the pod."""
    return {
        "name": COLLECTOR,
        "image": _image(workload),
        "restartPolicy": "Always",
        "command": ["python3", "-I", "-S", "-c", _literal(_source(_COLLECTOR_SOURCE))],
        "volumeMounts": [{"name": "results", "mountPath": RESULTS}],
    }


def _fetcher(workload: GpuWorkload) -> Json:
    meta = workload.metadata
    token = {"secretKeyRef": {"name": token_name(meta.name), "key": TOKEN_KEY}}
    return {
        "name": FETCHER,
        "image": _image(workload),
        "command": ["python3", "-I", "-S", "-c", _literal(_source(_FETCHER_SOURCE))],
        "env": [
            {"name": "RUNAI_BLOBS", "value": msgspec.json.encode(workload.spec.blobs).decode()},
            {"name": "RUNAI_BLOBS_URL", "value": url_in_cluster(meta.namespace, meta.name)},
            {"name": "RUNAI_BLOBS_TOKEN", "valueFrom": token},
        ],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "sent", "mountPath": SENT}, {"name": "inputs", "mountPath": INPUTS}],
    }


@cache
def _source(file: Path) -> str:
    return file.read_text()


def _image(workload: GpuWorkload) -> str:
    if workload.spec.image is None:
        raise InvalidRequest(f"{workload.metadata.name} names no image.", "Submit it anew with --image.")
    return workload.spec.image


def _literal(word: str) -> str:
    """Kubernetes would put variables in where it reads $(NAME)."""
    return word.replace("$", "$$")


def _resources(request: TaskRequest) -> Json:
    devices = device_limits(request)
    cpu = {"cpu": f"{request.cpu_milli}m"} if request.cpu_milli else {}
    memory = {"memory": f"{request.memory_mib}Mi"} if request.memory_mib else {}
    return {"limits": devices, "requests": devices | cpu | memory}


def _on_models(models: tuple[str, ...]) -> Json:
    term = {"matchExpressions": [{"key": _MODEL, "operator": "In", "values": list(models)}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
