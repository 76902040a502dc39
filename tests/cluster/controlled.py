"""A cluster with our controller at work, and what tests say to it and see of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from kubernetes import client

from scheduler_core.kubernetes.sharing.shares import sees_share
from scheduler_core.workload import Allocation
from tests.cluster.control_plane import ControlPlane, free_port, wait_until

GROUP, VERSION = "jupyter-runai.io", "v1alpha1"
SCHEDULER = "jupyter-runai"
DEVICES = "nvidia.com/gpu"
RESERVATIONS = "jupyter-runai-reservations"
SHARES = {"gpu-fraction", "gpu-memory"}
SYSTEM = "jupyter-runai"
_STOPS_WITHIN_S = 15
_numbers = count()


def set_up(cluster: ControlPlane) -> None:
    """Put in place all that the product puts in place, but no controller; that devices can be shared is proved."""
    install(cluster)
    proof = {"metadata": {"name": "sharing", "labels": {f"{GROUP}/proof": "true"}}, "data": {"works": "yes"}}
    client.CoreV1Api(cluster.api()).create_namespaced_config_map(RESERVATIONS, proof)


def install(cluster: ControlPlane, *options: str) -> None:
    """As whoever runs the cluster does it."""
    command = [sys.executable, "-m", "jupyter", "runai", "cluster", "install", "--yes", *options]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)})


class Controller:
    """The controller as a process of its own, outside the cluster, with the rights that it has inside."""

    def __init__(
        self,
        cluster: ControlPlane,
        kubeconfig: Path | None = None,
        image: str = "localhost/runai:1",
        values_port: int | None = None,
        history: Path | None = None,
    ) -> None:
        account = kubeconfig or cluster.account(SYSTEM, "jupyter-runai-controller")
        self._command = [sys.executable, "-m", "scheduler_core.kubernetes.controller"]
        self.values_port = values_port or free_port()
        self._command += ["--image", image, "--kubeconfig", str(account), "--values-port", str(self.values_port)]
        self._command += [] if history is None else ["--history", str(history)]
        self._log = cluster.folder / f"controller-{next(_numbers)}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self) -> int:
        """Tell it to end; the answer is how it did."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(_STOPS_WITHIN_S)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")


@contextmanager
def controlled(
    cluster: ControlPlane,
    kubeconfig: Path | None = None,
    image: str = "localhost/runai:1",
    values_port: int | None = None,
    history: Path | None = None,
) -> Iterator[Controller]:
    """A controller at work, with its own account's rights unless told otherwise, and its own pods of this image."""
    controller = Controller(cluster, kubeconfig, image, values_port, history)
    controller.start()
    try:
        yield controller
        assert "Traceback" not in controller.said, controller.said[-3000:]
    finally:
        controller.stop()


class Team:
    """One namespace of a cluster, its pods, workloads and events."""

    def __init__(self, cluster: ControlPlane) -> None:
        self.namespace = f"members-{next(_numbers)}"
        cluster.add_namespace(self.namespace)
        self._connect(cluster)

    def _connect(self, cluster: ControlPlane) -> None:
        self.core = client.CoreV1Api(cluster.api())
        self.custom = client.CustomObjectsApi(cluster.api())

    @classmethod
    def again(cls, cluster: ControlPlane, namespace: str) -> Team:
        """The same, after its server was away."""
        team = cls.__new__(cls)
        team.namespace = namespace
        team._connect(cluster)
        return team

    def pod(self, gpu: int = 0, *, name: str | None = None, **fields: object) -> str:
        """Make a pod for so many whole devices; fields are `labels`, `annotations`, and those of its spec."""
        name = name or f"pod-{next(_numbers)}"
        limits = {DEVICES: str(gpu)} if gpu else {}
        container: dict[str, Any] = {"name": "main", "image": "localhost/python:3", "command": ["/bin/sleep", "1000"]}
        said: dict[str, str] = fields.pop("annotations", {})  # type: ignore[assignment]
        metadata = {"name": name, "labels": fields.pop("labels", {}), "annotations": said}
        if not SHARES.isdisjoint(said):
            container["env"] = sees_share()
        spec = {"schedulerName": SCHEDULER, "containers": [{**container, "resources": {"limits": limits}}]}
        self.core.create_namespaced_pod(self.namespace, {"metadata": metadata, "spec": {**spec, **fields}})
        return name

    def pods(self, *names: str) -> list[client.V1Pod]:
        found = self.core.list_namespaced_pod(self.namespace).items
        return [pod for pod in found if not names or pod.metadata.name in names]

    def get(self, name: str) -> client.V1Pod:
        return self.core.read_namespaced_pod(name, self.namespace)

    def until_bound(self, *names: str) -> list[client.V1Pod]:
        """Wait until all of these pods are where they run."""
        wait_until(f"{names} run", lambda: all(map(is_bound, self.pods(*names))))
        return self.pods(*names)

    def until_waiting(self, name: str, sentence: str) -> None:
        """Wait until a pod has been told why it waits."""
        wait_until(f"{name} is told: {sentence}", lambda: sentence in why_it_waits(self.get(name)))

    def delete(self, *names: str) -> None:
        for name in names:
            self.core.delete_namespaced_pod(name, self.namespace, grace_period_seconds=0)
        wait_until(f"{names} are gone", lambda: not {pod.metadata.name for pod in self.pods()} & set(names))

    def workload(self, name: str, **spec: object) -> None:
        """Make a GpuWorkload."""
        asked = {"command": ["/bin/sleep", "1000"], "cwd": "/", "request": {"gpu": 1}, **spec}
        body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "GpuWorkload", "metadata": {"name": name}, "spec": asked}
        self.custom.create_namespaced_custom_object(GROUP, VERSION, self.namespace, "gpuworkloads", body)

    def verdict(self, name: str) -> dict[str, object] | None:
        found = self.custom.get_namespaced_custom_object(GROUP, VERSION, self.namespace, "gpuworkloads", name)
        verdict: dict[str, object] | None = found.get("status", {}).get("verdict")
        return verdict

    def events(self, reason: str) -> list[client.CoreV1Event]:
        return [one for one in self.core.list_namespaced_event(self.namespace).items if one.reason == reason]

    def clear(self) -> None:
        """Take all pods away at once."""
        clear(self.core, self.custom, self.namespace)


@contextmanager
def queues(cluster: ControlPlane, **specs: dict[str, object]) -> Iterator[None]:
    """GpuQueues of these names and specs."""
    custom = client.CustomObjectsApi(cluster.api())
    for name, spec in specs.items():
        body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "GpuQueue", "metadata": {"name": name}, "spec": spec}
        custom.create_cluster_custom_object(GROUP, VERSION, "gpuqueues", body)
    try:
        yield
    finally:
        for name in specs:
            custom.delete_cluster_custom_object(GROUP, VERSION, "gpuqueues", name)


def queue_status(cluster: ControlPlane, name: str) -> dict[str, float]:
    custom = client.CustomObjectsApi(cluster.api())
    found: dict[str, float] = custom.get_cluster_custom_object(GROUP, VERSION, "gpuqueues", name).get("status", {})
    return found


def is_bound(pod: client.V1Pod) -> bool:
    return bool(pod.spec.node_name)


def why_it_waits(pod: client.V1Pod) -> str:
    for condition in pod.status.conditions or []:
        if condition.type == "PodScheduled" and condition.status == "False":
            return str(condition.message)
    return ""


def allocation(pod: client.V1Pod) -> Allocation:
    """What a pod was given when it was bound."""
    return msgspec.json.decode(pod.metadata.annotations["jupyter-runai.io/allocation"], type=Allocation)


def held(pods: Iterable[client.V1Pod]) -> Counter[str]:
    """Of each device the thousandths that these pods hold."""
    found: Counter[str] = Counter()
    for pod in pods:
        for device in allocation(pod).devices:
            found[device.id] += device.portion_milli
    return found


def clear(core: client.CoreV1Api, custom: client.CustomObjectsApi, namespace: str) -> None:
    """Take all workloads and pods of a namespace away at once: a controller that comes later would place them."""
    custom.delete_collection_namespaced_custom_object(GROUP, VERSION, namespace, "gpuworkloads")
    # Before its owner is collected a Job would make its pods anew.
    client.BatchV1Api(core.api_client).delete_collection_namespaced_job(namespace, propagation_policy="Background")
    core.delete_collection_namespaced_pod(namespace, grace_period_seconds=0)
    wait_until("nothing is left", lambda: not core.list_namespaced_pod(namespace).items)
