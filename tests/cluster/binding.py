"""Stands in for a scheduler where a test says itself which pods start, and when."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime

from kubernetes import client
from kubernetes.client.exceptions import ConflictException, NotFoundException

from tests.cluster.control_plane import ControlPlane, wait_until

NODE = "node-0"


class Binding:
    """The pods of one namespace."""

    def __init__(self, cluster: ControlPlane, namespace: str) -> None:
        self.core = client.CoreV1Api(cluster.api())
        self.namespace = namespace

    def pods(self, **labels: str) -> list[client.V1Pod]:
        """Those that were not told to go, by the number of their task."""
        selector = ",".join(
            ["jupyter-runai.io/run", *(f"jupyter-runai.io/{name}={value}" for name, value in labels.items())]
        )
        found = self.core.list_namespaced_pod(self.namespace, label_selector=selector).items
        return sorted((pod for pod in found if pod.metadata.deletion_timestamp is None), key=index_of)

    def waiting(self, count: int, **labels: str) -> list[client.V1Pod]:
        """Wait until so many pods wait for a node."""

        def found() -> list[client.V1Pod]:
            return [pod for pod in self.pods(**labels) if pod.spec.node_name is None]

        wait_until(f"{count} pods wait", lambda: len(found()) == count)
        return found()

    def bind(self, *pods: client.V1Pod) -> None:
        """Bind these pods, but for those that are told to go meanwhile: a gang fails with its first task."""
        for pod in pods:
            held = {"id": f"{NODE}-{index_of(pod)}", "index": index_of(pod), "model": "A100", "portion_milli": 1000}
            allocation = json.dumps({"node": NODE, "devices": [{**held, "memory_mib": 81920}]})
            change = {"metadata": {"annotations": {"jupyter-runai.io/allocation": allocation}}}
            target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
            body = {"metadata": {"name": pod.metadata.name}, "target": target}
            with suppress(ConflictException, NotFoundException):
                self.core.patch_namespaced_pod(pod.metadata.name, self.namespace, change)
                self.core.create_namespaced_binding(self.namespace, body, _preload_content=False)

    def names(self) -> set[str]:
        """Of all pods that are there, those too that are told to go."""
        return {pod.metadata.name for pod in self.core.list_namespaced_pod(self.namespace).items}

    def evict(self, pod: client.V1Pod, reason: str) -> None:
        """As the scheduler does it."""
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": reason,
            # One that is older than two minutes, or has no time, Kubernetes takes back.
            "lastTransitionTime": datetime.now(UTC).isoformat(),
        }
        status = {"status": {"conditions": [condition]}}
        self.core.patch_namespaced_pod_status(pod.metadata.name, self.namespace, status)
        self.core.delete_namespaced_pod(pod.metadata.name, self.namespace)


def index_of(pod: client.V1Pod) -> int:
    """Which task a pod is: the place that a Job gave it, or what is noted of it for an operator that gives none."""
    said = pod.metadata.annotations
    return int(said.get("batch.kubernetes.io/job-completion-index") or said.get("test/index", "0"))
