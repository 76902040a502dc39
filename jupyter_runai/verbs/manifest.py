"""A workload as a Kubernetes Job for the KAI Scheduler; several tasks find each other through a Service."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import yaml

from jupyter_runai.words.figures import share
from scheduler_core.errors import InvalidRequest
from scheduler_core.model import TaskRequest
from scheduler_core.workload import PRIORITIES, Workload, WorkloadSpec

_NO_IMAGE = "IMAGE"
_INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
_PORT = 29500
_LONGEST_NAME = 58
"""A pod of a Job has its name, a dash and its index, in 63 characters."""


def manifest(workload: Workload, spec: WorkloadSpec, image: str | None, note: str) -> tuple[str, list[dict[str, Any]]]:
    """The manifest as text, with what is to be done about it and a `note` at its top, and as documents.

    Raises:
        InvalidRequest: a request that KAI has no word for.
    """
    name = workload.name.replace("_", "-").replace(".", "-")[:_LONGEST_NAME].strip("-")
    documents = [_job(name, spec, image or _NO_IMAGE)]
    if spec.tasks > 1 and spec.gang:
        documents.insert(0, _service(name))
    comments = [
        f"{workload.name} as jupyter-runai ran it, for a cluster with the KAI Scheduler.",
        note,
        f"The image needs the program {_program(spec)!r}, and what lies in the folder of workingDir.",
    ]
    if image is None:
        comments.append(f"Put the name of an image in the place of {_NO_IMAGE}, or export again with --image.")
    if spec.request.limit_milli or spec.request.gpu_memory_limit_mib:
        comments.append("Its limit above its share is left out.")
    head = "".join(f"# {comment}\n" for comment in comments)
    return (head + yaml.safe_dump_all(documents, sort_keys=False)).rstrip(), documents


def _job(name: str, spec: WorkloadSpec, image: str) -> dict[str, Any]:
    job: dict[str, Any] = {"backoffLimit": spec.retries}
    if spec.max_run_s is not None:
        job["activeDeadlineSeconds"] = max(1, round(spec.max_run_s))
    metadata: dict[str, Any] = {"name": name, "labels": {"kai.scheduler/queue": spec.queue}}
    if spec.tasks > 1:
        job |= {"completions": spec.tasks, "parallelism": spec.tasks, "completionMode": "Indexed"}
        if spec.gang:
            metadata["annotations"] = {"kai.scheduler/batch-min-member": str(spec.fewest_tasks)}
    job["template"] = _pod(name, spec, image)
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": job}


def _pod(name: str, spec: WorkloadSpec, image: str) -> dict[str, Any]:
    annotations, resources = _request(spec.request)
    container: dict[str, Any] = {
        "name": "workload",
        "image": image,
        "command": [_program(spec), *spec.command[1:]],
        "workingDir": spec.cwd,
    }
    pod: dict[str, Any] = {"schedulerName": "kai-scheduler", "restartPolicy": "Never"}
    if spec.tasks > 1 and spec.gang:
        pod["subdomain"] = name
        container["env"] = _rendezvous(name, spec.tasks)
    if resources:
        container["resources"] = resources
    preemptibility = "preemptible" if spec.effective_preemptible else "non-preemptible"
    labels = {"kai.scheduler/queue": spec.queue, "kai.scheduler/preemptibility": preemptibility}
    names = [one for one, value in PRIORITIES.items() if value == spec.effective_priority]
    metadata: dict[str, Any] = {"labels": labels | ({"priorityClassName": names[0]} if names else {})}
    if annotations:
        metadata["annotations"] = annotations
    pod |= {"terminationGracePeriodSeconds": round(spec.grace_s), "containers": [container]}
    return {"metadata": metadata, "spec": pod}


def _request(request: TaskRequest) -> tuple[dict[str, str], dict[str, Any]]:
    """The annotations of a share, and the resources of all else."""
    if request.models is not None:
        raise InvalidRequest("A choice of models of devices has no common form in a manifest.", "Submit it without.")
    wanted: dict[str, str] = {}
    if request.cpu_milli:
        wanted["cpu"] = f"{request.cpu_milli}m"
    if request.memory_mib:
        wanted["memory"] = f"{request.memory_mib}Mi"
    limits = {f"nvidia.com/mig-{profile}": str(count) for profile, count in request.mig.items()}
    if request.whole_devices:
        limits["nvidia.com/gpu"] = str(request.whole_devices)
    annotations: dict[str, str] = {}
    if request.portion_milli:
        annotations["gpu-fraction"] = share(request.portion_milli)
    if request.gpu_memory_mib:
        annotations["gpu-memory"] = str(request.gpu_memory_mib)
    if annotations and request.gpu_devices > 1:
        annotations["gpu-fraction-num-devices"] = str(request.gpu_devices)
    resources = {"requests": wanted, "limits": limits}
    return annotations, {kind: amounts for kind, amounts in resources.items() if amounts}


def _rendezvous(name: str, tasks: int) -> list[dict[str, Any]]:
    """Torchrun's variables, as the tasks have them here."""
    plain = {"WORLD_SIZE": tasks, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1, "MASTER_PORT": _PORT}
    return [
        {"name": "RANK", "valueFrom": {"fieldRef": {"fieldPath": _INDEX}}},
        {"name": "MASTER_ADDR", "value": f"{name}-0.{name}"},
        *({"name": variable, "value": str(value)} for variable, value in plain.items()),
    ]


def _service(name: str) -> dict[str, Any]:
    spec = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": {"batch.kubernetes.io/job-name": name},
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def _program(spec: WorkloadSpec) -> str:
    """Its name: where it lies is another place in an image."""
    return PurePosixPath(spec.command[0]).name
