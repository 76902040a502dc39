"""Pods, nodes, controllers and the API server fail at random: no device is ever given twice, and all settles again.

RUNAI_CHAOS_MINUTES is how long it goes on (3 by default), RUNAI_CHAOS_SEED repeats a run.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from scheduler_core.errors import EngineUnavailable
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.reflector import Reflector
from scheduler_core.kubernetes.state.membership import membership
from scheduler_core.kubernetes.state.outlook import read_cluster
from scheduler_core.kubernetes.state.pods import Pod, read_pod
from scheduler_core.kubernetes.state.snapshot import view
from scheduler_core.planning.check import check
from scheduler_core.planning.plan import plan
from tests.cluster.control_plane import ControlPlane, node
from tests.cluster.controlled import Controller, Team, queues, set_up
from tests.cluster.logs import let_devices_speak

NODES, DEVICES = 100, 8
MINUTES = float(os.environ.get("RUNAI_CHAOS_MINUTES", "3"))
SEED = int(os.environ.get("RUNAI_CHAOS_SEED", str(time.time_ns() % 1_000_000)))
PODS_AT_FIRST, MOST_PODS = 400, 700
SETTLES_WITHIN_S = 180
QUEUES: dict[str, dict[str, object]] = {
    "whole": {"gpu": {"quota": 400}},
    "shared": {"gpu": {"quota": 200, "limit": 300}},
    "gangs": {"gpu": {"quota": 200}},
}


class Witness:
    """Watches every pod, and notes each moment at which a device is held by more than one whole."""

    def __init__(self, connection: Connection) -> None:
        self.faults: list[str] = []
        self._pods: dict[str, Pod] = {}
        self._held: Counter[str] = Counter()
        self.reflector = Reflector(connection, "/api/v1/pods", read_pod, self._changed)

    def _changed(self, changes: Mapping[str, Pod | None]) -> None:
        # What a list brings is one moment: what has gone goes before what has come.
        for key in changes:
            self._count(self._pods.pop(key, None), -1)
        for key, pod in changes.items():
            if pod is not None:
                self._pods[key] = pod
                self._count(pod, 1)
        for pod in filter(None, changes.values()):
            for device in _devices(pod):
                if self._held[device] > 1000:
                    holders = [one.key for one in self._pods.values() if device in _devices(one)]
                    self.faults.append(f"{device} is held {self._held[device]} by {holders}")

    def _count(self, pod: Pod | None, sign: int) -> None:
        if pod is not None:
            for device, milli in _devices(pod).items():
                self._held[device] += sign * milli


def _devices(pod: Pod) -> dict[str, int]:
    if pod.allocation is None or pod.node is None or pod.has_ended:
        return {}
    return {device.id: device.portion_milli for device in pod.allocation.devices}


class Chaos:
    """What goes wrong, one thing at a time."""

    def __init__(self, cluster: ControlPlane) -> None:
        self.random = random.Random(SEED)
        self.cluster = cluster
        self.team = Team(cluster)
        self.controllers = [Controller(cluster), Controller(cluster)]
        self.away: set[str] = set()
        for controller in self.controllers:
            controller.start()

    def fill(self) -> None:
        """Begin where room is scarce."""
        while len(self.team.pods()) < PODS_AT_FIRST:
            self.more_pods()

    def stop(self) -> None:
        for controller in self.controllers:
            controller.stop()

    def strike(self) -> str:
        """Let something happen; the answer says what."""
        acts: dict[Callable[[], None], int] = {
            self.more_pods: 8,
            self.more_gangs: 4,
            self.fewer_pods: 6,
            self.node_dies: 4,
            self.node_comes: 4,
            self.cordon: 2,
            self.kill_controller: 2,
            self.restart_server: 1,
        }
        (act,) = self.random.choices(list(acts), list(acts.values()))
        with suppress(ApiException):
            act()
        return act.__name__

    def more_pods(self) -> None:
        if len(self.team.pods()) > MOST_PODS:
            self.fewer_pods()
        for _ in range(self.random.randint(5, 40)):
            said = {"jupyter-runai.io/priority": self.random.choice(["very-low", "low", "high"])}
            if self.random.random() < 0.5:
                said["gpu-fraction"] = self.random.choice(["0.1", "0.25", "0.5", "0.7"])
                self.team.pod(labels={"kai.scheduler/queue": "shared"}, annotations=said)
            else:
                devices = self.random.choice([1, 1, 2, 4, 8])
                self.team.pod(devices, labels={"kai.scheduler/queue": "whole"}, annotations=said)

    def more_gangs(self) -> None:
        size = self.random.randint(2, 8)
        name = f"gang-{self.random.randrange(10**9)}"
        limits = {"limits": {"nvidia.com/gpu": self.random.choice(["2", "4", "8"])}}
        container = {"name": "main", "image": "none", "command": ["/bin/sleep", "1000"], "resources": limits}
        metadata = {
            "annotations": {"kai.scheduler/batch-min-member": str(size)},
            "labels": {"kai.scheduler/queue": "gangs"},
        }
        pod = {"schedulerName": "jupyter-runai", "restartPolicy": "Never", "containers": [container]}
        spec = {
            "completions": size,
            "parallelism": size,
            "completionMode": "Indexed",
            "backoffLimit": 100,
            "template": {"metadata": metadata, "spec": pod},
        }
        client.BatchV1Api(self.cluster.api()).create_namespaced_job(
            self.team.namespace, {"metadata": {"name": name}, "spec": spec}
        )

    def fewer_pods(self) -> None:
        found = self.team.pods()
        for pod in self.random.sample(found, len(found) // 3):
            self.team.core.delete_namespaced_pod(pod.metadata.name, self.team.namespace, grace_period_seconds=0)

    def node_dies(self) -> None:
        """With all that runs on it, as when somebody takes a dead machine out of the cluster."""
        name = f"node-{self.random.randrange(NODES)}"
        if name in self.away:
            return
        self.team.core.delete_node(name)
        self.away.add(name)
        for pod in self.team.pods():
            if pod.spec.node_name == name:
                with suppress(ApiException):
                    self.team.core.delete_namespaced_pod(pod.metadata.name, self.team.namespace, grace_period_seconds=0)

    def node_comes(self) -> None:
        for name in sorted(self.away):
            self.team.core.create_node(node(name, DEVICES))
            self.away.discard(name)

    def cordon(self) -> None:
        name = f"node-{self.random.randrange(NODES)}"
        self.team.core.patch_node(name, {"spec": {"unschedulable": self.random.random() < 0.5}})

    def kill_controller(self) -> None:
        controller = self.random.choice(self.controllers)
        controller.kill()
        controller.start()

    def restart_server(self) -> None:
        with self.cluster.without_api_server():
            pass
        self.team = Team.again(self.cluster, self.team.namespace)


@pytest.fixture
def large() -> Iterator[ControlPlane]:
    made = ControlPlane(Path(tempfile.mkdtemp(prefix="runai-cluster-")))
    try:
        made.start()
        made.add_nodes(NODES, DEVICES)
        set_up(made)
        let_devices_speak(made, NODES, DEVICES)
        yield made
    finally:
        made.remove()


async def settled(connection: Connection, chaos: Chaos) -> None:
    """Wait until nothing is left that a plan would do, as the API alone has it, and see that this is so validly."""
    made = None
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLES_WITHIN_S):
            while True:
                # A server that has just come back refuses some.
                with suppress(EngineUnavailable):
                    seen = view(await read_cluster(connection), membership, time.time())
                    made = await asyncio.to_thread(plan, seen.snapshot)
                    if not made.binds and not made.evictions:
                        assert check(seen.snapshot, made) == []
                        return
                await asyncio.sleep(0.5)
    said = "\n\n".join(controller.said[-3000:] for controller in chaos.controllers)
    pytest.fail(f"{made and (made.binds, made.evictions)} is left to do after {SETTLES_WITHIN_S} s.\n{said}")


@pytest.mark.timeout(60 * MINUTES + 600)
async def test_whatever_fails_no_device_is_given_twice_and_all_settles(
    large: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"RUNAI_CHAOS_SEED={SEED}")
    monkeypatch.setenv("KUBECONFIG", str(large.kubeconfig))
    connection = await Connection.open()
    witness = Witness(connection)
    following = asyncio.ensure_future(witness.reflector.run())
    chaos = await asyncio.to_thread(Chaos, large)
    struck: Counter[str] = Counter()
    try:
        with queues(large, **QUEUES):
            await asyncio.to_thread(chaos.fill)
            end = time.monotonic() + 60 * MINUTES
            while time.monotonic() < end:
                for _ in range(chaos.random.randint(1, 8)):
                    struck[await asyncio.to_thread(chaos.strike)] += 1
                await settled(connection, chaos)
                assert witness.faults == []
            print(dict(struck))
            assert sum(struck.values()) > 10 * MINUTES
            for controller in chaos.controllers:
                assert "Traceback" not in controller.said, controller.said[-3000:]
    finally:
        following.cancel()
        await asyncio.to_thread(chaos.stop)
        await connection.close()
