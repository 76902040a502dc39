"""Pods are one workload with what owns them: built-in kinds by their real controllers, others under real definitions.

Of Notebook and SparkApplication no definition can be had, so those are of our own. Operators of other projects do not
run here: the objects and pods between theirs and ours are made as they make them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, TypeAlias

import msgspec
import pytest
from kubernetes import client

from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.state.grouping import Grouped, ObjectMeta, grouped
from scheduler_core.kubernetes.state.owners import Owners
from scheduler_core.workload import KIND_PRIORITY, NON_PREEMPTIBLE_PRIORITY
from tests.cluster.control_plane import ControlPlane, wait_until
from tests.cluster.definitions import install

Body: TypeAlias = Mapping[str, Any]

_numbers = count()
CONTAINER = {"name": "main", "image": "any", "command": ["/bin/sleep"]}
POD_SPEC = {"containers": [CONTAINER], "schedulerName": "nobody", "restartPolicy": "Never"}
TEMPLATE = {"metadata": {"labels": {"app": "test"}}, "spec": POD_SPEC}
LONG_TEMPLATE = {"metadata": {"labels": {"app": "test"}}, "spec": {**POD_SPEC, "restartPolicy": "Always"}}
SELECTOR = {"matchLabels": {"app": "test"}}
JOB = {"template": TEMPLATE, "parallelism": 2, "completions": 2}


class Team:
    """One namespace, what is made in it, and which workloads its pods are."""

    def __init__(self, cluster: ControlPlane, connection: Connection) -> None:
        self.namespace = f"grouping-{next(_numbers)}"
        self.core = client.CoreV1Api(cluster.api())
        self.core.create_namespace({"metadata": {"name": self.namespace}})
        self._custom = client.CustomObjectsApi(cluster.api())
        self._connection = connection

    def make(self, api_version: str, kind: str, plural: str, spec: Body, owner: Body | None = None) -> Body:
        metadata: dict[str, object] = {"name": f"{kind.lower()}-one"}
        if owner is not None:
            metadata["ownerReferences"] = [reference(owner)]
        body = {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
        group, _, version = api_version.rpartition("/")
        made: Body = self._custom.create_namespaced_custom_object(group, version, self.namespace, plural, body)
        return made

    def pod(self, name: str, owner: Body | None = None, labels: Mapping[str, str] | None = None) -> Body:
        metadata: dict[str, object] = {"name": name, "labels": labels or {}}
        if owner is not None:
            metadata["ownerReferences"] = [reference(owner)]
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": POD_SPEC}
        made = self.core.create_namespaced_pod(self.namespace, body)
        return {**body, "metadata": self._content(made.metadata)}

    def _content(self, metadata: client.V1ObjectMeta) -> Body:
        content: Body = self.core.api_client.sanitize_for_serialization(metadata)
        return content

    def pods(self, number: int) -> list[str]:
        """The names of all pods, once controllers have made so many."""

        def names() -> list[str]:
            return [pod.metadata.name for pod in self.core.list_namespaced_pod(self.namespace).items]

        wait_until(f"there are {number} pods", lambda: len(names()) == number)
        return names()

    async def workload(self, name: str) -> Grouped:
        found = self.core.read_namespaced_pod(name, self.namespace)
        return await self.workload_of({"metadata": self._content(found.metadata)})

    async def workload_of(self, pod: Body) -> Grouped:
        metadata = msgspec.convert(pod["metadata"], ObjectMeta)
        return grouped(metadata, await Owners(self._connection).above(metadata))


def reference(owner: Body) -> Body:
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }


@pytest.fixture(scope="module")
def defined(installed: ControlPlane) -> ControlPlane:
    install(installed.api())
    return installed


@pytest.fixture
def team(
    defined: ControlPlane, monkeypatch: pytest.MonkeyPatch, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> Iterator[Team]:
    monkeypatch.setenv("KUBECONFIG", str(defined.kubeconfig))
    connection = jp_asyncio_loop.run_until_complete(Connection.open())
    yield Team(defined, connection)
    jp_asyncio_loop.run_until_complete(connection.close())


def shown(workload: Grouped) -> tuple[str, str, str, int]:
    return workload.kind, workload.name, workload.workload, workload.gang.least


@pytest.mark.parametrize(
    ("kind", "plural", "spec", "made", "workload"),
    [
        ("Deployment", "deployments", {"replicas": 2, "selector": SELECTOR, "template": LONG_TEMPLATE}, 2, "inference"),
        ("ReplicaSet", "replicasets", {"replicas": 2, "selector": SELECTOR, "template": LONG_TEMPLATE}, 2, "inference"),
        (
            "StatefulSet",
            "statefulsets",
            {
                "replicas": 2,
                "selector": SELECTOR,
                "template": LONG_TEMPLATE,
                "serviceName": "one",
                "podManagementPolicy": "Parallel",
            },
            2,
            "inference",
        ),
    ],
)
async def test_what_real_controllers_make_is_one_workload(
    team: Team, kind: str, plural: str, spec: Body, made: int, workload: str
) -> None:
    owner = team.make("apps/v1", kind, plural, spec)
    found = [await team.workload(name) for name in team.pods(made)]
    assert {one.id for one in found} == {owner["metadata"]["uid"]}
    assert {shown(one) for one in found} == {(kind, f"{kind.lower()}-one", workload, 1)}


async def test_a_job_starts_pod_by_pod_unless_it_says_how_many_are_a_gang(team: Team) -> None:
    job = team.make("batch/v1", "Job", "jobs", JOB)
    first, second = [await team.workload(name) for name in team.pods(2)]
    assert first.id == second.id == job["metadata"]["uid"]
    assert shown(first) == ("Job", "job-one", "training", 1)
    for said, least in (("2", 2), ("0", 1), ("many", 1)):
        api = client.BatchV1Api(team.core.api_client)
        change = {"metadata": {"annotations": {"kai.scheduler/batch-min-member": said}}}
        api.patch_namespaced_job("job-one", team.namespace, change)
        assert (await team.workload(team.pods(2)[0])).gang.least == least


async def test_each_run_of_a_cron_job_is_a_workload(team: Team) -> None:
    spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": JOB}}
    cron = team.make("batch/v1", "CronJob", "cronjobs", spec)
    team.make("batch/v1", "Job", "jobs", JOB, cron)
    found = [await team.workload(name) for name in team.pods(2)]
    assert {shown(one) for one in found} == {("Job", "job-one", "training", 1)}


REPLICA = {"template": {"spec": {"containers": [CONTAINER]}}}


def replicas(**numbers: int) -> dict[str, object]:
    return {role: {"replicas": number, **REPLICA} for role, number in numbers.items()}


GROUP = {"template": {"spec": {"containers": [CONTAINER]}}, "rayStartParams": {}}
RAY_CLUSTER = {
    "headGroupSpec": GROUP,
    "workerGroupSpecs": [
        {**GROUP, "groupName": "small", "minReplicas": 0, "replicas": 2, "maxReplicas": 9},
        {**GROUP, "groupName": "large", "minReplicas": 1, "replicas": 3, "maxReplicas": 9, "numOfHosts": 2},
        {**GROUP, "groupName": "off", "minReplicas": 5, "maxReplicas": 9, "suspend": True},
    ],
}
RAY_ROLES = {"headgroup": 1, "small": 2, "large": 2}
REPLICA_TYPE = "training.kubeflow.org/replica-type"
SET_JOB = {"name": "node", "replicas": 2, "template": {"spec": {"parallelism": 3, "template": TEMPLATE}}}
LEADER_WORKER = {"size": 4, "workerTemplate": {"spec": {"containers": [CONTAINER]}}}


@pytest.mark.parametrize(
    ("kind", "spec", "labels", "workload", "least", "roles"),
    [
        (
            ("kubeflow.org/v1", "PyTorchJob", "pytorchjobs"),
            {"pytorchReplicaSpecs": replicas(Master=1, Worker=3)},
            {REPLICA_TYPE: "worker"},
            "training",
            4,
            {"master": 1, "worker": 3},
        ),
        (
            ("kubeflow.org/v1", "PyTorchJob", "pytorchjobs"),
            {
                "pytorchReplicaSpecs": replicas(Master=1, Worker=3),
                "elasticPolicy": {"minReplicas": 2, "maxReplicas": 4},
            },
            {REPLICA_TYPE: "master"},
            "training",
            2,
            {"master": 1, "worker": 1},
        ),
        (
            ("kubeflow.org/v1", "TFJob", "tfjobs"),
            {
                "tfReplicaSpecs": replicas(PS=2, Worker=3),
                "runPolicy": {"schedulingPolicy": {"minAvailable": 4}},
            },
            {REPLICA_TYPE: "ps"},
            "training",
            4,
            {"ps": 2, "worker": 2},
        ),
        (
            ("kubeflow.org/v1", "XGBoostJob", "xgboostjobs"),
            {"xgbReplicaSpecs": replicas(Master=1, Worker=2)},
            {REPLICA_TYPE: "worker"},
            "training",
            3,
            {"master": 1, "worker": 2},
        ),
        (
            ("kubeflow.org/v1", "JAXJob", "jaxjobs"),
            {"jaxReplicaSpecs": replicas(Worker=3)},
            {REPLICA_TYPE: "worker"},
            "training",
            3,
            {"worker": 3},
        ),
        (
            ("kubeflow.org/v2beta1", "MPIJob", "mpijobs"),
            {"mpiReplicaSpecs": replicas(Launcher=1, Worker=2)},
            {REPLICA_TYPE: "worker"},
            "training",
            3,
            {"launcher": 1, "worker": 2},
        ),
        (
            ("kubeflow.org/v2beta1", "MPIJob", "mpijobs"),
            {
                "mpiReplicaSpecs": replicas(Launcher=1, Worker=2),
                "launcherCreationPolicy": "WaitForWorkersReady",
            },
            {REPLICA_TYPE: "worker"},
            "training",
            2,
            {"worker": 2},
        ),
        (("ray.io/v1", "RayCluster", "rayclusters"), RAY_CLUSTER, {"ray.io/group": "large"}, "training", 5, RAY_ROLES),
        (
            ("ray.io/v1", "RayJob", "rayjobs"),
            {"entrypoint": "python -V", "rayClusterSpec": RAY_CLUSTER},
            {"ray.io/group": "headgroup"},
            "training",
            5,
            RAY_ROLES,
        ),
        (
            ("ray.io/v1", "RayService", "rayservices"),
            {"rayClusterConfig": RAY_CLUSTER},
            {"ray.io/group": "small", "ray.io/cluster": "blue"},
            "inference",
            5,
            RAY_ROLES,
        ),
        (
            ("jobset.x-k8s.io/v1alpha2", "JobSet", "jobsets"),
            {"replicatedJobs": [SET_JOB]},
            {"jobset.sigs.k8s.io/replicatedjob-name": "node"},
            "training",
            6,
            {"node": 6},
        ),
        (
            ("jobset.x-k8s.io/v1alpha2", "JobSet", "jobsets"),
            {"replicatedJobs": [SET_JOB], "startupPolicy": {"startupPolicyOrder": "InOrder"}},
            {},
            "training",
            1,
            {},
        ),
        (
            ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "leaderworkersets"),
            {"replicas": 2, "leaderWorkerTemplate": LEADER_WORKER},
            {"leaderworkerset.sigs.k8s.io/group-index": "1"},
            "inference",
            4,
            {},
        ),
        (("kubeflow.org/v1", "Notebook", "notebooks"), {}, {}, "workspace", 1, {}),
        (
            ("serving.knative.dev/v1", "Service", "services"),
            {"template": {"spec": {"containers": [{"image": "any"}]}}},
            {"serving.knative.dev/revision": "one-00001"},
            "inference",
            1,
            {},
        ),
        (("sparkoperator.k8s.io/v1beta2", "SparkApplication", "sparkapplications"), {}, {}, "training", 1, {}),
    ],
)
async def test_the_kinds_of_other_projects(
    team: Team,
    kind: tuple[str, str, str],
    spec: Body,
    labels: Mapping[str, str],
    workload: str,
    least: int,
    roles: dict[str, int],
) -> None:
    owner = team.make(*kind, spec)
    team.pod("below", owner, labels)
    found = await team.workload("below")
    assert shown(found) == (kind[1], f"{kind[1].lower()}-one", workload, least)
    assert found.gang.roles == roles
    if roles:
        assert found.role in roles
    parts = {"RayService": "blue", "LeaderWorkerSet": "1", "Service": "one-00001"}
    part = parts.get(kind[1], "")
    assert found.id == (f"{owner['metadata']['uid']}.{part}" if part else owner["metadata"]["uid"])
    is_preemptible = KIND_PRIORITY[found.workload] < NON_PREEMPTIBLE_PRIORITY
    assert is_preemptible == (workload == "training")


async def test_what_stands_between_does_not_matter(team: Team) -> None:
    train = team.make(
        "trainer.kubeflow.org/v1alpha1", "TrainJob", "trainjobs", {"runtimeRef": {"name": "torch-distributed"}}
    )
    jobs = team.make("jobset.x-k8s.io/v1alpha2", "JobSet", "jobsets", {"replicatedJobs": [SET_JOB]}, train)
    team.make("batch/v1", "Job", "jobs", JOB, jobs)
    found = [await team.workload(name) for name in team.pods(2)]
    assert {shown(one) for one in found} == {("TrainJob", "trainjob-one", "training", 6)}
    assert found[0].gang.roles == {"node": 6}


async def test_steps_of_a_workflow_are_workloads_of_their_own(team: Team) -> None:
    flow = team.make("argoproj.io/v1alpha1", "Workflow", "workflows", {"entrypoint": "main", "templates": []})
    for name in ("step-one", "step-two"):
        team.pod(name, flow)
    one, two = [await team.workload(name) for name in ("step-one", "step-two")]
    assert (shown(one), shown(two)) == (("Pod", "step-one", "training", 1), ("Pod", "step-two", "training", 1))
    assert one.id != two.id


async def test_pods_without_an_owner(team: Team) -> None:
    team.pod("alone")
    hub = {"hub.jupyter.org/username": "ada"}
    team.pod("jupyter-ada", labels=hub)
    assert shown(await team.workload("alone")) == ("Pod", "alone", "training", 1)
    assert shown(await team.workload("jupyter-ada")) == ("Pod", "jupyter-ada", "workspace", 1)
    spark = {"spark-app-selector": "spark-1"}
    driver = team.pod("driver", labels=spark)
    team.pod("executor", driver, spark)
    lead, helper = [await team.workload(name) for name in ("driver", "executor")]
    assert lead.id == helper.id


async def test_kinds_that_nobody_knows_and_owners_that_are_gone(team: Team) -> None:
    stranger = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "thing", "uid": "1-2-3"}}
    team.pod("of-a-thing", stranger)
    assert shown(await team.workload("of-a-thing")) == ("Thing", "thing", "training", 1)
    job = team.make("batch/v1", "Job", "jobs", {**JOB, "suspend": True})
    gone = {**job, "metadata": {"name": "job-one", "uid": "4-5-6"}}
    # Not read anew: Kubernetes deletes what has lost its owner whenever it comes to it.
    assert (await team.workload_of(team.pod("left-behind", gone))).id == "4-5-6"


async def test_labels_and_annotations_come_from_all_owners(team: Team) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "job-one", "labels": {"kai.scheduler/queue": "research"}},
        "spec": JOB,
    }
    client.BatchV1Api(team.core.api_client).create_namespaced_job(team.namespace, job)
    found = await team.workload(team.pods(2)[0])
    assert found.labels["kai.scheduler/queue"] == "research"
    assert found.labels["app"] == "test"


async def test_what_may_not_be_read_is_known_by_its_name(
    team: Team, defined: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {"pytorchReplicaSpecs": replicas(Master=1, Worker=3)}
    below = team.pod("below", team.make("kubeflow.org/v1", "PyTorchJob", "pytorchjobs", spec))
    monkeypatch.setenv("KUBECONFIG", str(defined.user_of(team.namespace, "view")))
    connection = await Connection.open()
    try:
        metadata = msgspec.convert(below["metadata"], ObjectMeta)
        found = grouped(metadata, await Owners(connection).above(metadata))
    finally:
        await connection.close()
    assert shown(found) == ("PyTorchJob", "pytorchjob-one", "training", 1)
