"""Stand in for the operators of other projects, which do not run here: each makes its pods as the real one does.

What is below a JobSet is a Job, and the real controller makes the pods of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from kubernetes import client

from scheduler_core.kubernetes.running.job_kinds import JOB_KINDS
from tests.cluster.control_plane import ControlPlane, wait_until

Body: TypeAlias = dict[str, Any]


class Operators:
    """Of one namespace."""

    def __init__(self, cluster: ControlPlane, namespace: str) -> None:
        self._core = client.CoreV1Api(cluster.api())
        self._batch = client.BatchV1Api(cluster.api())
        self._custom = client.CustomObjectsApi(cluster.api())
        self._namespace = namespace

    def made(self, kind: str) -> Body:
        """Wait until there is an object of the kind, and make what its operator makes."""
        found: list[Body] = []
        wait_until(f"there is a {kind}", lambda: bool(found.extend(self.all_of(kind)) or found))
        _PARTS[kind](self, found[0])
        return found[0]

    def suspended(self, kind: str) -> None:
        """Wait until an object of the kind is told to be suspended, and let its pods go."""
        wait_until(
            f"a {kind} is told to be suspended", lambda: any(is_suspended(one, kind) for one in self.all_of(kind))
        )
        for job in self._batch.list_namespaced_job(self._namespace).items:
            self._batch.patch_namespaced_job(job.metadata.name, self._namespace, {"spec": {"suspend": True}})
        self._core.delete_collection_namespaced_pod(self._namespace)

    def all_of(self, kind: str, plural: str = "") -> list[Body]:
        known = JOB_KINDS[kind]  # type: ignore[index]
        where = (known.group, known.version, self._namespace, plural or known.plural)
        items: list[Body] = self._custom.list_namespaced_custom_object(*where)["items"]
        return items

    def says(self, kind: str, made: Body, status: Mapping[str, object]) -> None:
        known = JOB_KINDS[kind]  # type: ignore[index]
        where = (known.group, known.version, self._namespace, known.plural, made["metadata"]["name"])
        self._custom.patch_namespaced_custom_object_status(*where, {"status": status})

    def job(self, owner: Body, name: str, template: Body) -> None:
        body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": _below(owner, name), "spec": template["spec"]}
        self._batch.create_namespaced_job(self._namespace, body)

    def pod(self, owner: Body, name: str, template: Body, index: int, replica: int | None = None) -> None:
        """Task `index`; `replica` is its number in words of Kubeflow's operators."""
        said = template["metadata"]
        labels = {} if replica is None else {"training.kubeflow.org/replica-index": str(replica)}
        metadata = {
            **_below(owner, name),
            "labels": said["labels"] | labels,
            "annotations": said["annotations"] | {"test/index": str(index)},
        }
        body = {"metadata": metadata, "spec": {"restartPolicy": "Never", **template["spec"]}}
        self._core.create_namespaced_pod(self._namespace, body)


def _job_set(operators: Operators, made: Body) -> None:
    (part,) = made["spec"]["replicatedJobs"]
    operators.job(made, f"{made['metadata']['name']}-{part['name']}-0", part["template"])


def _train_job(operators: Operators, made: Body) -> None:
    """What its runtime says is to be a JobSet."""
    (runtime,) = operators.all_of("TrainJob", "trainingruntimes")
    assert made["spec"]["runtimeRef"]["name"] == runtime["metadata"]["name"]
    (part,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    assert part["template"]["metadata"]["labels"] == {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
    operators.job(made, f"{made['metadata']['name']}-{part['name']}-0", part["template"])


def _pytorch_job(operators: Operators, made: Body) -> None:
    (worker,) = made["spec"]["pytorchReplicaSpecs"].values()
    assert worker["template"]["spec"]["containers"][0]["name"] == "pytorch"
    for index in range(worker["replicas"]):
        name = f"{made['metadata']['name']}-worker-{index}"
        operators.pod(made, name, worker["template"], index, replica=index)


def _mpi_job(operators: Operators, made: Body) -> None:
    name, replicas = made["metadata"]["name"], made["spec"]["mpiReplicaSpecs"]
    operators.pod(made, f"{name}-launcher", replicas["Launcher"]["template"], 0)
    for index in range(replicas["Worker"]["replicas"]):
        worker = replicas["Worker"]["template"]
        worker["spec"]["containers"][0].setdefault("command", ["/usr/sbin/sshd", "-De"])
        operators.pod(made, f"{name}-worker-{index}", worker, index + 1, replica=index)


def _ray_job(operators: Operators, made: Body) -> None:
    """The head's pod has a second container, which submits the command."""
    name, cluster = made["metadata"]["name"], made["spec"]["rayClusterSpec"]
    head = cluster["headGroupSpec"]["template"]
    head["spec"]["containers"].append({"name": "ray-job-submitter", "image": "any"})
    operators.pod(made, f"{name}-head", head, 0)
    for group in cluster["workerGroupSpecs"]:
        index = int(group["groupName"].rpartition("-")[2])
        operators.pod(made, f"{name}-{group['groupName']}", group["template"], index)


_PARTS: dict[str, Callable[[Operators, Body], None]] = {
    "JobSet": _job_set,
    "TrainJob": _train_job,
    "PyTorchJob": _pytorch_job,
    "MPIJob": _mpi_job,
    "RayJob": _ray_job,
}


def is_suspended(made: Body, kind: str) -> bool:
    """Whether it is told to be."""
    found: object = made["spec"]
    for field in JOB_KINDS[kind].suspend:  # type: ignore[index]
        found = found.get(field) if isinstance(found, dict) else None
    return found is True


def _below(owner: Body, name: str) -> Body:
    known = owner["metadata"]
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": known["name"], "uid": known["uid"]}
    return {"name": name, "ownerReferences": [{**reference, "controller": True}]}
