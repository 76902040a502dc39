"""A workload's run as Kubernetes runs it: an Indexed Job, and for a gang of several a Service by which they meet."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import msgspec

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

_COLLECTOR_SOURCE = Path(__file__).with_name("collector.py")
_FETCHER_SOURCE = Path(__file__).with_name("fetcher.py")
_MODEL = "nvidia.com/gpu.product"


def job(workload: GpuWorkload, run: int, restarts: int) -> Json:
    """The Job of one run of a workload, which was started again `restarts` times before.

    Raises:
        InvalidRequest: it names no image.
    """
    spec, name = workload.spec, job_name(workload, run)
    metadata, pod = _pod_metadata(workload, run), _pod(workload, name, restarts)
    if share_annotations(spec.request):
        (task,) = pod["containers"]
        take_share(metadata, pod, task)
        task["env"].append({"name": "PYTHONPATH", "value": HOOKS_FOLDER})
    content: Json = {
        "completionMode": "Indexed",
        "completions": spec.tasks,
        "parallelism": spec.tasks,
        # What was evicted, or lost its node, has not failed; a gang fails as one, and starts over as a new run.
        "podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]},
        "podReplacementPolicy": "Failed",
        "template": {"metadata": metadata, "spec": pod},
    }
    content |= {"backoffLimit": 0} if spec.gang else {"backoffLimitPerIndex": spec.retries}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            **_belongs(workload),
            "labels": _labels(workload, run),
            "annotations": {ASKED_ANNOTATION: asked(workload)},
        },
        "spec": content,
    }


def asked(workload: GpuWorkload) -> str:
    """What a Job was made for, to be known again by whoever looks at it later."""
    spec = workload.spec
    made = Started(request=spec.request, tasks=spec.tasks, min_tasks=spec.min_tasks)
    return msgspec.json.encode(made).decode()


def service(workload: GpuWorkload) -> Json | None:
    """The headless Service by which the tasks of a gang find each other; null where there is but one."""
    if workload.spec.tasks == 1 or not workload.spec.gang:
        return None
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service_name(workload), **_belongs(workload)},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {WORKLOAD_LABEL: workload.metadata.name},
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


def _belongs(workload: GpuWorkload) -> Json:
    """In its namespace, deleted with it, and known as its own."""
    meta = workload.metadata
    owner = {"apiVersion": API_VERSION, "kind": WORKLOADS.kind, "name": meta.name, "uid": meta.uid, "controller": True}
    return {"namespace": meta.namespace, "labels": {WORKLOAD_LABEL: meta.name}, "ownerReferences": [owner]}


def _pod_metadata(workload: GpuWorkload, run: int) -> Json:
    spec = workload.spec
    said = {
        "kubectl.kubernetes.io/default-container": TASK,
        PRIORITY_ANNOTATION: str(spec.effective_priority),
        PREEMPTIBLE_ANNOTATION: str(spec.effective_preemptible).lower(),
        GANG_MINIMUM_ANNOTATION: str(spec.fewest_tasks),
    }
    return {"labels": _labels(workload, run), "annotations": said | share_annotations(spec.request)}


def _pod(workload: GpuWorkload, name: str, restarts: int) -> Json:
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
        "containers": [_task(workload, name, restarts)],
    }
    for volume, mount in _claims(workload):
        volumes.append({"name": volume, "persistentVolumeClaim": {"claimName": mount.claim}})
    if spec.max_run_s is not None and not spec.gang:
        # Of a gang the controller ends all tasks when the time of one is up.
        content["activeDeadlineSeconds"] = math.ceil(spec.max_run_s)
    if spec.inputs:
        content["initContainers"] = [*([_fetcher(workload)] if spec.blobs else []), _collector(workload)]
    if service(workload) is not None:
        content["subdomain"] = service_name(workload)
    if spec.request.models is not None:
        content["affinity"] = _on_models(spec.request.models)
    return content


def _task(workload: GpuWorkload, name: str, restarts: int) -> Json:
    spec = workload.spec
    mounts = {"results": RESULTS, "checkpoint": CHECKPOINT, "shm": "/dev/shm"}  # noqa: S108 (that is its place)
    if spec.inputs:
        mounts["inputs"] = INPUTS
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
        "name": TASK,
        "image": _image(workload),
        "command": [_literal(word) for word in spec.command],
        "workingDir": spec.cwd,
        "envFrom": [{"secretRef": {"name": workload.metadata.name, "optional": True}}],
        "env": world_variables(workload, restarts, f"{name}-0.{service_name(workload)}"),
        "resources": _resources(spec.request),
        "volumeMounts": [*ours, *claimed],
    }


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
