"""Which kinds of owners make which workloads of their pods: one entry a kind.

Sources: the definitions of each kind; gangs as the KAI Scheduler forms them (its pod grouper).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from scheduler_core.workload import Kind

Path = str
"""Fields one below the other, with dots between; empty is all of it."""


class Condition(Struct, frozen=True):
    """A field has a value."""

    field: Path
    value: Any


class Members(Struct, frozen=True, kw_only=True):
    """Pods that start together with others: the product of the numbers at `counts`, 1 where one is not there.

    `at` is where the parts of an object's spec are that each have such numbers: a mapping by role, a list whose parts
    say theirs at `named_by`, or, with a `role` here, one part. A number has several names where the first that is not
    0 counts. A part is left out `unless` the object's spec, or the part itself, is otherwise.
    """

    at: Path = ""
    role: str = ""
    named_by: Path = ""
    counts: tuple[tuple[Path, ...], ...] = ()
    unless: Condition | None = None


class OwnerKind(Struct, frozen=True, kw_only=True):
    """What the pods below an object of a kind are.

    Each such object is one workload, or with `parted_by` each value of this label of its pods, or with `is_outer` not
    it but the next owner below. `labelled` tells apart pods without an owner. The gang is of `least` (the first of
    these fields that is there), else of all `members`, else of one pod; one also where `one_by_one` holds; of one that
    `is_wrapper` it is the gang of the next owner below. Of which role a pod is its `role_label` says. `suspend` and
    `replicas` are the fields by which it is suspended and scaled.
    """

    group: str
    kind: str
    workload: Kind = "training"
    labelled: str | None = None
    parted_by: str | None = None
    is_outer: bool = False
    is_wrapper: bool = False
    least: tuple[Path, ...] = ()
    members: tuple[Members, ...] = ()
    one_by_one: Condition | None = None
    role_label: str = ""
    suspend: Path = ""
    replicas: Path = ""


def _kubeflow(kind: str, replicas: Path, least: tuple[Path, ...] = ()) -> OwnerKind:
    return OwnerKind(
        group="kubeflow.org",
        kind=kind,
        least=("runPolicy.schedulingPolicy.minAvailable", *least),
        members=(Members(at=replicas, counts=(("replicas",),)),),
        role_label="training.kubeflow.org/replica-type",
        suspend="runPolicy.suspend",
    )


def _ray(kind: str, cluster: Path, workload: Kind = "training", parted_by: str | None = None) -> OwnerKind:
    workers = Members(
        at=f"{cluster}workerGroupSpecs",
        named_by="groupName",
        counts=(("minReplicas", "replicas"), ("numOfHosts",)),
        unless=Condition("suspend", True),
    )
    return OwnerKind(
        group="ray.io",
        kind=kind,
        workload=workload,
        parted_by=parted_by,
        members=(Members(role="headgroup"), workers),
        role_label="ray.io/group",
        suspend="" if kind == "RayService" else "suspend",
    )


_LAUNCHER = Members(
    at="mpiReplicaSpecs.Launcher",
    role="launcher",
    counts=(("replicas",),),
    unless=Condition("launcherCreationPolicy", "WaitForWorkersReady"),
)

OWNER_KINDS: tuple[OwnerKind, ...] = (
    OwnerKind(
        group="jupyter-runai.io",
        kind="GpuWorkload",
        least=("min_tasks",),
        members=(Members(role="task", counts=(("tasks",),)),),
        one_by_one=Condition("gang", False),
    ),
    OwnerKind(group="batch", kind="Job", suspend="suspend"),
    OwnerKind(group="batch", kind="CronJob", is_outer=True),
    OwnerKind(group="apps", kind="Deployment", workload="inference", replicas="replicas"),
    OwnerKind(group="apps", kind="StatefulSet", workload="inference", replicas="replicas"),
    OwnerKind(group="apps", kind="ReplicaSet", workload="inference", replicas="replicas"),
    OwnerKind(
        group="jobset.x-k8s.io",
        kind="JobSet",
        members=(
            Members(at="replicatedJobs", named_by="name", counts=(("replicas",), ("template.spec.parallelism",))),
        ),
        one_by_one=Condition("startupPolicy.startupPolicyOrder", "InOrder"),
        role_label="jobset.sigs.k8s.io/replicatedjob-name",
        suspend="suspend",
    ),
    OwnerKind(
        group="leaderworkerset.x-k8s.io",
        kind="LeaderWorkerSet",
        workload="inference",
        parted_by="leaderworkerset.sigs.k8s.io/group-index",
        members=(Members(at="leaderWorkerTemplate", role="group", counts=(("size",),)),),
        one_by_one=Condition("startupPolicy", "LeaderReady"),
        replicas="replicas",
    ),
    _kubeflow("PyTorchJob", "pytorchReplicaSpecs", ("elasticPolicy.minReplicas",)),
    _kubeflow("TFJob", "tfReplicaSpecs"),
    _kubeflow("XGBoostJob", "xgbReplicaSpecs"),
    _kubeflow("JAXJob", "jaxReplicaSpecs"),
    _kubeflow("PaddleJob", "paddleReplicaSpecs"),
    OwnerKind(
        group="kubeflow.org",
        kind="MPIJob",
        least=("runPolicy.schedulingPolicy.minAvailable",),
        members=(_LAUNCHER, Members(at="mpiReplicaSpecs.Worker", role="worker", counts=(("replicas",),))),
        role_label="training.kubeflow.org/replica-type",
        suspend="runPolicy.suspend",
    ),
    _ray("RayCluster", ""),
    _ray("RayJob", "rayClusterSpec."),
    # While it changes from one version to the next it has a cluster of each.
    _ray("RayService", "rayClusterConfig.", "inference", parted_by="ray.io/cluster"),
    OwnerKind(group="trainer.kubeflow.org", kind="TrainJob", is_wrapper=True, suspend="suspend"),
    OwnerKind(group="kubeflow.org", kind="Notebook", workload="workspace"),
    OwnerKind(
        group="serving.knative.dev", kind="Service", workload="inference", parted_by="serving.knative.dev/revision"
    ),
    OwnerKind(group="argoproj.io", kind="Workflow", is_outer=True),
    OwnerKind(group="sparkoperator.k8s.io", kind="SparkApplication"),
    OwnerKind(group="", kind="Pod", labelled="spark-app-selector", parted_by="spark-app-selector"),
    # A notebook server of JupyterHub.
    OwnerKind(group="", kind="Pod", labelled="hub.jupyter.org/username", workload="workspace"),
    OwnerKind(group="", kind="Pod"),
)
