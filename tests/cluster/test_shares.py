"""Pods that share devices: never more on one than fit, each told what it has, and nothing held for nobody."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from kubernetes import client

from scheduler_core.kubernetes.api.resources import RESERVATIONS
from scheduler_core.kubernetes.sharing.reservation_pods import Slot, reservation_name
from scheduler_core.kubernetes.sharing.shares import take_share
from tests.cluster.control_plane import ControlPlane, wait_until
from tests.cluster.controlled import SCHEDULER, Team, allocation, held
from tests.cluster.logs import reading, say, uuid

ROUNDS = int(os.environ.get("RUNAI_ROUNDS", "5"))
HALF = {"gpu-fraction": "0.5"}
VARIABLE = "env.jupyter-runai.io/"


@pytest.fixture
def team(team: Team) -> Iterator[Team]:
    """The same; its devices are held for nobody afterwards."""
    yield team
    team.clear()
    wait_until("nothing is held for nobody", lambda: not reserved(team.core))


@pytest.fixture
def on_eight(team: Team) -> Team:
    """Only the eight devices of node-0 are free."""
    away = {"nodeSelector": {"kubernetes.io/hostname": "node-1"}}
    team.until_bound(team.pod(8, **away))
    return team


def reserved(core: client.CoreV1Api) -> set[Slot]:
    pods = core.list_namespaced_pod(RESERVATIONS).items
    return {Slot(pod.spec.node_name, int(pod.metadata.labels["jupyter-runai.io/reservation"])) for pod in pods}


def visible(pod: client.V1Pod) -> str:
    return str(pod.metadata.annotations[f"{VARIABLE}NVIDIA_VISIBLE_DEVICES"])


def test_sixteen_halves_at_once_are_two_a_device_again_and_again(on_eight: Team) -> None:
    slots = {Slot("node-0", index) for index in range(8)}
    for _ in range(ROUNDS):
        with ThreadPoolExecutor(16) as creating:
            names = list(creating.map(lambda _: on_eight.pod(annotations=HALF), range(16)))
        pods = on_eight.until_bound(*names)
        assert Counter(map(visible, pods)) == {uuid(slot): 2 for slot in slots}
        assert set(held(pods).values()) == {1000}
        assert reserved(on_eight.core) == slots
        on_eight.delete(*names)
        wait_until("the devices are free", lambda: not reserved(on_eight.core))


def test_a_pod_is_told_its_device_and_its_limits_before_it_starts(team: Team) -> None:
    container = {"name": "main", "image": "localhost/python:3", "command": ["/bin/sleep"]}
    metadata: dict[str, object] = {"name": "capped", "annotations": {"gpu-fraction": "0.25"}}
    spec: dict[str, object] = {"schedulerName": SCHEDULER, "containers": [container]}
    take_share(metadata, spec, container)
    team.core.create_namespaced_pod(team.namespace, {"metadata": metadata, "spec": spec})
    (pod,) = team.until_bound("capped")
    (device,) = allocation(pod).devices
    told = pod.metadata.annotations
    assert {name.removeprefix(VARIABLE): value for name, value in told.items() if name.startswith(VARIABLE)} == {
        **dict.fromkeys(
            ("NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "RUNAI_GPU_IDS"),
            uuid(Slot(pod.spec.node_name, device.index)),
        ),
        **dict.fromkeys(("RUNAI_GPU_MEMORY_MIB", "RUNAI_GPU_MEMORY_LIMIT_MIB", "RUNAI_CAP_MEMORY_MIB"), "20480"),
        **dict.fromkeys(("RUNAI_CAP_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION"), "0.25"),
        "XLA_CLIENT_MEM_FRACTION": "",
        "CUPY_GPU_MEMORY_LIMIT": "25%",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
    read = {one.name: one.value_from.field_ref.field_path for one in pod.spec.containers[0].env if one.value_from}
    for name, path in read.items():
        assert told[path.removeprefix("metadata.annotations['").removesuffix("']")] == told[VARIABLE + name]


def test_how_a_share_is_held_is_said_as_it_is(team: Team) -> None:
    container = {"name": "main", "image": "localhost/python:3", "command": ["/bin/sleep"]}
    metadata: dict[str, object] = {"name": "capped", "annotations": dict(HALF)}
    spec: dict[str, object] = {"schedulerName": SCHEDULER, "containers": [container]}
    take_share(metadata, spec, container)
    team.core.create_namespaced_pod(team.namespace, {"metadata": metadata, "spec": spec})
    plain = team.pod(annotations=HALF)
    levels = {pod.metadata.name: allocation(pod).enforcement for pod in team.until_bound("capped", plain)}
    assert (levels["capped"].level, levels["capped"].memory) == ("framework", "soft")
    assert (levels[plain].level, levels[plain].memory) == ("none", "none")


def test_a_reservation_that_somebody_deletes_comes_back(team: Team) -> None:
    (pod,) = team.until_bound(team.pod(annotations=HALF))
    (slot,) = reserved(team.core)
    before = team.core.read_namespaced_pod(reservation_name(slot), RESERVATIONS).metadata.uid
    team.core.delete_namespaced_pod(reservation_name(slot), RESERVATIONS, grace_period_seconds=0)

    def is_back() -> bool:
        found = team.core.list_namespaced_pod(RESERVATIONS).items
        return [one.metadata.name for one in found if one.metadata.uid != before] == [reservation_name(slot)]

    wait_until("it is there again", is_back)
    assert team.get(pod.metadata.name).spec.node_name == slot.node


def test_what_cannot_be_held_is_left_alone_and_another_device_taken(installed: ControlPlane, on_eight: Team) -> None:
    wrong = Slot("node-0", 0)
    say(installed, RESERVATIONS, reservation_name(wrong), ['{"at": 1, "notice": "No driver."}'])
    try:
        names = [on_eight.pod(annotations=HALF) for _ in range(4)]
        pods = on_eight.until_bound(*names)
        assert {device.index for pod in pods for device in allocation(pod).devices}.isdisjoint({0})
        assert set(held(pods).values()) == {1000}
    finally:
        say(installed, RESERVATIONS, reservation_name(wrong), [reading(wrong)])
