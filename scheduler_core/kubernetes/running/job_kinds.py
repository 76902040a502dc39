"""The kinds of objects that make the pods of a workload: how each is written, and where it says what.

Sources: the definitions and operators of JobSet 0.8, Kubeflow Trainer 2.0, Training Operator 1.9, MPI Operator 0.6 and
KubeRay 1.5.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from scheduler_core.errors import InvalidRequest
from scheduler_core.kubernetes.api.connection import Json
from scheduler_core.kubernetes.api.objects import GpuWorkload
from scheduler_core.kubernetes.api.resources import GROUP
from scheduler_core.kubernetes.running.jobs import (
    INDEXED,
    REPLICA_INDEX,
    HandOver,
    Role,
    job,
    job_name,
    job_spec,
    pod_template,
    run_metadata,
)
from scheduler_core.kubernetes.running.world import devices_of
from scheduler_core.workload import JobKindName

TASK_ANNOTATION = f"{GROUP}/task"
"""On a pod whose operator does not number it: which task it is."""
FIRST_TASK_ANNOTATION = f"{GROUP}/first-task"
"""On a pod that its operator numbers from 0: which task the first of these is."""

_TRAINER = "trainer.kubeflow.org"
_ANCESTOR = f"{_TRAINER}/trainjob-ancestor-step"
_NODE = "node"
"""As Kubeflow Trainer calls the container and the Job of a training."""
_PYTORCH = "pytorch"
_SUBMITTER = "ray-job-submitter"
"""The container that KubeRay puts beside Ray's own, and that says what the program says."""

WITHOUT_INPUTS: tuple[JobKindName, ...] = ("RayJob",)
"""Kinds whose pods go with their end: nothing can be brought back."""

Written: TypeAlias = Callable[[GpuWorkload, int, int, HandOver | None], tuple[Json, ...]]
"""The objects of one run, started again so many times before; those that the last of them needs come first."""


class JobKind(Struct, frozen=True, kw_only=True):
    """One kind. Of its spec `suspend` is the field, level by level, by which its pods go and come back.

    Its conditions say with `completed`, or `Failed`, that it is over. One that `speaks_for_all` says so itself, and its
    pods may come and go until then; else each pod says what has become of its task. `needs` are the plurals of those
    kinds of its group of which an object with its name is made before it.
    """

    group: str
    version: str
    plural: str
    written: Written
    suspend: tuple[str, ...] = ("suspend",)
    completed: str = "Complete"
    speaks_for_all: bool = False
    needs: tuple[str, ...] = ()

    @property
    def api(self) -> str:
        """Where its group is found."""
        return f"/apis/{self.group}/{self.version}"

    def path(self, namespace: str = "", name: str = "", plural: str = "") -> str:
        """Where its objects are, or one of them; those of another kind of its group by their plural."""
        where = ["namespaces", namespace] if namespace else []
        return "/".join([self.api, *where, *filter(None, (plural or self.plural, name))])


def _job(workload: GpuWorkload, run: int, restarts: int, hand_over: HandOver | None) -> tuple[Json, ...]:
    return (job(workload, run, restarts, hand_over),)


def _job_set(workload: GpuWorkload, run: int, restarts: int, hand_over: HandOver | None) -> tuple[Json, ...]:
    template = pod_template(workload, run, restarts, INDEXED, hand_over)
    return (_object(workload, run, "jobset.x-k8s.io/v1alpha2", "JobSet", _job_set_spec(workload, template)),)


def _job_set_spec(workload: GpuWorkload, template: Json, name: str = "task", **labels: str) -> Json:
    """One Job; it fails with that, and its pods are found by our Service."""
    made: Json = {"name": name, "replicas": 1, "template": {"spec": job_spec(workload, template)}}
    if labels:
        made["template"]["metadata"] = {"labels": labels}
    return {
        "replicatedJobs": [made],
        "network": {"enableDNSHostnames": False},
        "failurePolicy": {"maxRestarts": 0},
    }


def _train_job(workload: GpuWorkload, run: int, restarts: int, hand_over: HandOver | None) -> tuple[Json, ...]:
    """With a runtime of its own, which is all that is in it."""
    api, name, tasks = f"{_TRAINER}/v1alpha1", job_name(workload, run), workload.spec.tasks
    role = Role(index=INDEXED.index, runs_in=_NODE, container=_NODE)
    template = pod_template(workload, run, restarts, role, hand_over)
    content = _job_set_spec(workload, template, _NODE, **{_ANCESTOR: "trainer"})
    runtime = {"mlPolicy": {"numNodes": tasks}, "template": {"spec": content}}
    training = {
        "runtimeRef": {"apiGroup": _TRAINER, "kind": "TrainingRuntime", "name": name},
        "trainer": {"numNodes": tasks},
    }
    return _object(workload, run, api, "TrainingRuntime", runtime), _object(workload, run, api, "TrainJob", training)


def _pytorch_job(workload: GpuWorkload, run: int, restarts: int, hand_over: HandOver | None) -> tuple[Json, ...]:
    """Of workers alone: with a master the operator would number tasks otherwise than we do."""
    index = {"valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{REPLICA_INDEX}']"}}}
    role = Role(index=index, runs_in=_PYTORCH, container=_PYTORCH)
    content = {
        "runPolicy": {"cleanPodPolicy": "None", "backoffLimit": 0},
        "pytorchReplicaSpecs": {
            "Worker": _replicas(workload.spec.tasks, pod_template(workload, run, restarts, role, hand_over))
        },
    }
    return (_object(workload, run, "kubeflow.org/v1", "PyTorchJob", content),)


def _mpi_job(workload: GpuWorkload, run: int, restarts: int, hand_over: HandOver | None) -> tuple[Json, ...]:
    """The command runs in task 0, and by mpirun from there in the others, which only wait for that."""
    launcher = Role(index={"value": "0"}, annotations={TASK_ANNOTATION: "0"})
    worker = Role(index=None, annotations={FIRST_TASK_ANNOTATION: "1"}, command=False)
    replicas = {"Launcher": _replicas(1, pod_template(workload, run, restarts, launcher, hand_over))}
    if workload.spec.tasks > 1:
        others = pod_template(workload, run, restarts, worker, hand_over)
        replicas["Worker"] = _replicas(workload.spec.tasks - 1, others)
    content = {
        "slotsPerWorker": devices_of(workload.spec.request),
        "runLauncherAsWorker": True,
        "runPolicy": {"cleanPodPolicy": "Running", "backoffLimit": 0},
        "mpiReplicaSpecs": replicas,
    }
    return (_object(workload, run, "kubeflow.org/v2beta1", "MPIJob", content),)


def _ray_job(workload: GpuWorkload, run: int, restarts: int, hand_over: HandOver | None) -> tuple[Json, ...]:
    """A cluster of its own, in which the command is the driver; each other task is a group: so it has a number.

    Raises:
        InvalidRequest: it has inputs; what it leaves would go with its pods.
    """
    if workload.spec.inputs:
        raise no_inputs("RayJob")

    def group(task: int) -> Json:
        is_head = task == 0
        role = Role(
            index={"value": str(task)},
            annotations={TASK_ANNOTATION: str(task)},
            runs_in=_SUBMITTER if is_head else "ray",
            container="ray",
            command=False,
        )
        return {"rayStartParams": {}, "template": pod_template(workload, run, restarts, role, hand_over)}

    workers = [
        {"groupName": f"task-{task}", "replicas": 1, "minReplicas": 1, "maxReplicas": 1, **group(task)}
        for task in range(1, workload.spec.tasks)
    ]
    content = {
        "entrypoint": shlex.join(workload.spec.command),
        "submissionMode": "SidecarMode",
        "backoffLimit": 0,
        # Else it holds its devices after its end.
        "shutdownAfterJobFinishes": True,
        "rayClusterSpec": {"headGroupSpec": group(0), "workerGroupSpecs": workers},
    }
    return (_object(workload, run, "ray.io/v1", "RayJob", content),)


def no_inputs(kind: JobKindName) -> InvalidRequest:
    """The refusal of inputs by a kind that cannot have any."""
    return InvalidRequest(f"No values travel to a {kind} and back.", "Submit a command, which reads and writes files.")


def _replicas(count: int, template: Json) -> Json:
    return {"replicas": count, "restartPolicy": "Never", "template": template}


def _object(workload: GpuWorkload, run: int, api: str, kind: str, content: Json) -> Json:
    return {"apiVersion": api, "kind": kind, "metadata": run_metadata(workload, run), "spec": content}


JOB_KINDS: dict[JobKindName, JobKind] = {
    "Job": JobKind(group="batch", version="v1", plural="jobs", written=_job),
    "JobSet": JobKind(
        group="jobset.x-k8s.io", version="v1alpha2", plural="jobsets", written=_job_set, completed="Completed"
    ),
    "TrainJob": JobKind(
        group=_TRAINER, version="v1alpha1", plural="trainjobs", written=_train_job, needs=("trainingruntimes",)
    ),
    "PyTorchJob": JobKind(
        group="kubeflow.org",
        version="v1",
        plural="pytorchjobs",
        written=_pytorch_job,
        suspend=("runPolicy", "suspend"),
        completed="Succeeded",
    ),
    "MPIJob": JobKind(
        group="kubeflow.org",
        version="v2beta1",
        plural="mpijobs",
        written=_mpi_job,
        suspend=("runPolicy", "suspend"),
        completed="Succeeded",
        speaks_for_all=True,
    ),
    "RayJob": JobKind(group="ray.io", version="v1", plural="rayjobs", written=_ray_job, speaks_for_all=True),
}
