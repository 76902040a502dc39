"""Pods and nodes, as the API server gives them, are read as the scheduler needs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count

import pytest
from kubernetes import client
from msgspec import convert

from scheduler_core.kubernetes.sharing.shares import sees_share
from scheduler_core.kubernetes.state.affinity import NodeTerm
from scheduler_core.kubernetes.state.nodes import read_machine
from scheduler_core.kubernetes.state.pods import Pod, read_pod
from scheduler_core.model import Taint, TaskRequest, Toleration
from tests.cluster.control_plane import ControlPlane

SCHEDULER = "jupyter-runai"
_numbers = count()


@pytest.fixture
def core(cluster: ControlPlane) -> client.CoreV1Api:
    return client.CoreV1Api(cluster.api())


@pytest.fixture
def namespace(cluster: ControlPlane, core: client.CoreV1Api) -> Iterator[str]:
    name = f"pods-{next(_numbers)}"
    cluster.add_namespace(name)
    yield name
    core.delete_namespace(name)


def container(name: str = "main", **resources: dict[str, str]) -> dict[str, object]:
    return {"name": name, "image": "localhost/python:3", "resources": resources}


def made(core: client.CoreV1Api, namespace: str, spec: dict[str, object], **metadata: object) -> Pod:
    """A pod as it is read after the API server has taken it."""
    body = {
        "metadata": {"name": f"pod-{next(_numbers)}", **metadata},
        "spec": {"schedulerName": SCHEDULER, "containers": [container()], **spec},
    }
    core.create_namespaced_pod(namespace, body)
    name = str(body["metadata"]["name"])  # type: ignore[index]
    return read_pod(core.read_namespaced_pod(name, namespace, _preload_content=False).data)


def test_a_pod_asks_for_what_its_containers_take_together(core: client.CoreV1Api, namespace: str) -> None:
    main = container(requests={"cpu": "500m", "memory": "1Gi"}, limits={"nvidia.com/gpu": "2"})
    beside = {**container("beside", requests={"cpu": "1"}), "restartPolicy": "Always"}
    first = container("first", requests={"memory": "1500M"})
    pod = made(core, namespace, {"containers": [main], "initContainers": [beside, first]})
    assert pod.request == TaskRequest(cpu_milli=1500, memory_mib=1431, gpu=2)
    assert (pod.is_ours, pod.node, pod.phase, pod.refused, pod.grace_s) == (True, None, "Pending", "", 30)


@pytest.mark.parametrize(
    ("annotations", "request_", "refused"),
    [
        ({"gpu-fraction": "0.5"}, TaskRequest(gpu="0.5"), ""),
        ({"gpu-fraction": "1"}, TaskRequest(gpu=1), ""),
        ({"gpu-memory": "2000"}, TaskRequest(gpu_memory_mib=2000), ""),
        ({"gpu-memory": "2000", "gpu-fraction-num-devices": "2"}, TaskRequest(gpu_memory_mib=2000, gpu_devices=2), ""),
        ({"gpu-fraction": "1.5"}, TaskRequest(), "a share above 0 and below 1, not 1.5"),
        ({"gpu-fraction": "a half"}, TaskRequest(), "gpu is a number, not 'a half'"),
        ({"gpu-memory": "2Gi"}, TaskRequest(), "gpu-memory is a whole number, not '2Gi'"),
        ({"gpu-fraction": "0.5", "gpu-memory": "5"}, TaskRequest(), "a GPU request takes one form"),
    ],
)
def test_shares_are_written_as_kai_has_them(
    core: client.CoreV1Api, namespace: str, annotations: dict[str, str], request_: TaskRequest, refused: str
) -> None:
    sees = {"containers": [{**container(), "env": sees_share()}]}
    pod = made(core, namespace, sees, annotations=annotations)
    assert pod.request == request_
    assert refused in pod.refused
    assert bool(refused) == bool(pod.refused)


def test_a_pod_that_would_not_see_its_share_is_refused(core: client.CoreV1Api, namespace: str) -> None:
    plain = {"containers": [{**container(), "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]}]}
    pod = made(core, namespace, plain, annotations={"gpu-fraction": "0.5"})
    assert pod.refused == (
        "It would not see the device that it shares: no container takes NVIDIA_VISIBLE_DEVICES from the annotation "
        "env.jupyter-runai.io/NVIDIA_VISIBLE_DEVICES."
    )


def test_a_share_goes_without_whole_devices(core: client.CoreV1Api, namespace: str) -> None:
    spec = {"containers": [container(limits={"nvidia.com/gpu": "1"})]}
    pod = made(core, namespace, spec, annotations={"gpu-fraction": "0.5"})
    assert pod.refused == "What it asks for makes no sense: gpu-fraction goes without nvidia.com/gpu."


def test_slices_are_asked_for_by_their_profile(core: client.CoreV1Api, namespace: str) -> None:
    spec = {"containers": [container(limits={"nvidia.com/mig-1g.10gb": "2"})]}
    assert made(core, namespace, spec).request == TaskRequest(mig={"1g.10gb": 2})


def test_labels_and_annotations_say_where_it_belongs(core: client.CoreV1Api, namespace: str) -> None:
    labels = {"kai.scheduler/queue": "research", "jupyter-runai.io/workload": "train-1", "kai.scheduler/node-pool": "a"}
    said = {
        "jupyter-runai.io/priority": "high",
        "jupyter-runai.io/preemptible": "true",
        "kai.scheduler/batch-min-member": "4",
        "jupyter-runai.io/allocation": "nonsense",
    }
    pod = made(core, namespace, {}, labels=labels, annotations=said)
    assert (pod.queue, pod.workload, pod.pool) == ("research", "train-1", "a")
    assert (pod.priority, pod.preemptible, pod.gang_minimum, pod.allocation) == (125, True, 4, None)
    bare = made(core, namespace, {}, annotations={"kai.scheduler/batch-min-member": "many"})
    assert (bare.queue, bare.workload, bare.priority, bare.preemptible, bare.gang_minimum) == (None,) * 5


def test_a_priority_class_is_its_priority(core: client.CoreV1Api, namespace: str) -> None:
    assert made(core, namespace, {"priorityClassName": "system-cluster-critical"}).priority == 2_000_000_000


def test_where_it_may_be_is_read(core: client.CoreV1Api, namespace: str) -> None:
    expression = {"key": "zone", "operator": "In", "values": ["a", "b"]}
    required = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    spec: dict[str, object] = {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
        "nodeSelector": {"disk": "ssd"},
        "schedulingGates": [{"name": "later"}],
    }
    pod = made(core, namespace, spec)
    assert (pod.node_selector, pod.gated) == ({"disk": "ssd"}, True)
    assert Toleration(key="gpu", operator="Exists", effect="NoExecute") in [
        Toleration(key=one.key, operator=one.operator, effect=one.effect) for one in pod.tolerations
    ]
    assert pod.node_terms is not None
    (term,) = pod.node_terms
    assert [term.admits("n", {"zone": zone}) for zone in ("a", "c")] == [True, False]
    assert not term.admits("n", {})


@pytest.mark.parametrize(
    ("operator", "values", "admitted"),
    [
        ("In", ["4"], [True, False, False]),
        ("NotIn", ["4"], [False, True, True]),
        ("Exists", [], [True, True, False]),
        ("DoesNotExist", [], [False, False, True]),
        ("Gt", ["5"], [False, True, False]),
        ("Lt", ["5"], [True, False, False]),
    ],
)
def test_terms_hold_as_kubernetes_has_them(operator: str, values: list[str], admitted: list[bool]) -> None:
    term = convert({"matchExpressions": [{"key": "count", "operator": operator, "values": values}]}, NodeTerm)
    assert [term.admits("n", labels) for labels in ({"count": "4"}, {"count": "16"}, {})] == admitted


def test_one_that_goes_says_since_when_and_until_when(core: client.CoreV1Api, namespace: str) -> None:
    pod = made(core, namespace, {"nodeName": "nowhere"}, finalizers=["example.com/stays"])
    core.delete_namespaced_pod(pod.name, namespace, grace_period_seconds=20)
    going = read_pod(core.read_namespaced_pod(pod.name, namespace, _preload_content=False).data)
    assert going.deleted is not None
    assert going.gone_by is not None
    assert going.gone_by - going.deleted == 20
    assert pod.deleted is None
    core.patch_namespaced_pod(pod.name, namespace, {"metadata": {"finalizers": None}})
    core.delete_namespaced_pod(pod.name, namespace, grace_period_seconds=0)


def test_a_node_says_what_it_has(core: client.CoreV1Api) -> None:
    machine = read_machine(core.read_node("node-0", _preload_content=False).data)
    assert (machine.cpu_milli, machine.memory_mib, machine.most_pods) == (128_000, 1_048_576, 250)
    assert (machine.devices, machine.device_memory_mib, machine.model) == (8, 81_920, "NVIDIA-A100-SXM4-80GB")
    assert (machine.ready, machine.pool, machine.slices, machine.taints) == (
        True,
        "default",
        (),
        (),
    )


def test_a_cordoned_node_takes_nothing_new(core: client.CoreV1Api) -> None:
    content = json.loads(core.read_node("node-0", _preload_content=False).data)
    content["spec"] |= {"unschedulable": True, "taints": [{"key": "gpu", "effect": "NoSchedule", "timeAdded": None}]}
    content["status"]["allocatable"] |= {"nvidia.com/mig-1g.10gb": "7"}
    machine = read_machine(json.dumps(content).encode())
    assert not machine.ready
    assert [(slices.profile, slices.count) for slices in machine.slices] == [("1g.10gb", 7)]
    assert [(taint.key, taint.effect) for taint in machine.taints] == [("gpu", "NoSchedule")]
    assert isinstance(machine.taints[0], Taint)
