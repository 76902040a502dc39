"""A device that is shared is held by one pod, whoever asks for it and how often, and is free again after the last."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kubernetes import client

from scheduler_core.errors import EngineUnavailable, NotAllowed, NotFound
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.resources import RESERVATIONS
from scheduler_core.kubernetes.sharing.reservation_pods import (
    DEVICE_ANNOTATION,
    PRIORITY_CLASS,
    Slot,
    reservation_name,
)
from scheduler_core.kubernetes.sharing.reservations import Reservations
from tests.cluster.control_plane import ControlPlane
from tests.cluster.controlled import SYSTEM
from tests.cluster.logs import reading, say, uuid

CONTROLLER = "jupyter-runai-controller"
SLOTS = [Slot(f"node-{node}", index) for node in range(2) for index in range(8)]


@pytest.fixture
def core(installed: ControlPlane) -> Iterator[client.CoreV1Api]:
    core = client.CoreV1Api(installed.api())
    yield core
    core.delete_collection_namespaced_pod(RESERVATIONS, grace_period_seconds=0)


@contextmanager
def at_work(loop: asyncio.AbstractEventLoop) -> Iterator[Reservations]:
    """With the rights of whom KUBECONFIG names."""
    connection = loop.run_until_complete(Connection.open())
    made = Reservations(connection, "localhost/runai:1")
    following = loop.create_task(made.run())
    yield made
    following.cancel()
    loop.run_until_complete(asyncio.wait((following,)))
    loop.run_until_complete(connection.close())


@pytest.fixture
def reservations(
    core: client.CoreV1Api,
    installed: ControlPlane,
    monkeypatch: pytest.MonkeyPatch,
    jp_asyncio_loop: asyncio.AbstractEventLoop,
) -> Iterator[Reservations]:
    monkeypatch.setenv("KUBECONFIG", str(installed.kubeconfig))
    with at_work(jp_asyncio_loop) as made:
        yield made


def held(core: client.CoreV1Api) -> dict[Slot, client.V1Pod]:
    pods = core.list_namespaced_pod(RESERVATIONS).items
    return {
        Slot(pod.spec.node_name, int(pod.metadata.labels["jupyter-runai.io/reservation"])): pod
        for pod in pods
        if pod.metadata.deletion_timestamp is None
    }


async def test_a_whole_plan_is_reserved_at_once_and_told_apart(
    reservations: Reservations, core: client.CoreV1Api
) -> None:
    found = await reservations.reserve(SLOTS)
    assert {slot: device.id for slot, device in found.items()} == {slot: uuid(slot) for slot in SLOTS}
    pods = held(core)
    assert sorted(pods) == SLOTS
    for slot, pod in pods.items():
        assert json.loads(pod.metadata.annotations[DEVICE_ANNOTATION])["id"] == uuid(slot)
        (container,) = pod.spec.containers
        assert container.resources.limits["nvidia.com/gpu"] == "1"
        assert (pod.spec.automount_service_account_token, pod.spec.priority_class_name) == (False, PRIORITY_CLASS)


async def test_whoever_asks_at_once_shares_one_reservation(reservations: Reservations, core: client.CoreV1Api) -> None:
    answers = await asyncio.gather(*(reservations.reserve(SLOTS[:3]) for _ in range(20)))
    assert all(answer == answers[0] for answer in answers)
    assert sorted(held(core)) == SLOTS[:3]


async def test_it_goes_with_the_last_who_uses_it_and_can_come_back_at_once(
    reservations: Reservations, core: client.CoreV1Api
) -> None:
    await reservations.reserve(SLOTS[:3])
    before = held(core)
    await reservations.keep(SLOTS[:1])
    assert sorted(held(core)) == SLOTS[:1]
    again = await reservations.reserve(SLOTS[:2])
    assert sorted(again) == SLOTS[:2]
    after = held(core)
    assert after[SLOTS[0]].metadata.uid == before[SLOTS[0]].metadata.uid
    assert after[SLOTS[1]].metadata.uid != before[SLOTS[1]].metadata.uid
    await reservations.keep(())
    assert held(core) == {}


async def test_another_controller_takes_over_what_is_there(
    reservations: Reservations, core: client.CoreV1Api, installed: ControlPlane
) -> None:
    first = await reservations.reserve(SLOTS[:2])
    uids = {pod.metadata.uid for pod in held(core).values()}
    connection = await Connection.open()
    other = Reservations(connection, "localhost/runai:1")
    following = asyncio.ensure_future(other.run())
    try:
        assert await other.reserve(SLOTS[:2]) == first
        assert {pod.metadata.uid for pod in held(core).values()} == uids
        readings = await other.readings()
        assert {slot: found.used_mib for slot, found in readings.items()} == dict.fromkeys(SLOTS[:2], 7)
    finally:
        following.cancel()
        await asyncio.wait((following,))
        await connection.close()


async def test_a_server_that_is_away_says_nothing_against_a_device(
    reservations: Reservations, installed: ControlPlane
) -> None:
    await reservations.reserve(SLOTS[:1])
    with installed.without_api_server():
        asking = asyncio.ensure_future(reservations.reserve(SLOTS[:2]))
        with pytest.raises(EngineUnavailable):
            await (await Connection.open()).get("/api/v1/nodes")
    found = await asking
    assert {slot: device.id for slot, device in found.items()} == {slot: uuid(slot) for slot in SLOTS[:2]}
    assert reservations.refusals() == {}


@pytest.fixture
def of_the_controller(
    core: client.CoreV1Api,
    installed: ControlPlane,
    monkeypatch: pytest.MonkeyPatch,
    jp_asyncio_loop: asyncio.AbstractEventLoop,
) -> Iterator[Reservations]:
    """With no other rights than the controller has."""
    monkeypatch.setenv("KUBECONFIG", str(installed.account(SYSTEM, CONTROLLER)))
    with at_work(jp_asyncio_loop) as made:
        yield made


@contextmanager
def without_its_role(cluster: ControlPlane) -> Iterator[None]:
    """As an API server that has just been started, and does not know the roles yet."""
    rules = client.RbacAuthorizationV1Api(cluster.api())
    here = rules.read_namespaced_role_binding(CONTROLLER, RESERVATIONS)
    everywhere = rules.read_cluster_role_binding(CONTROLLER)
    rules.delete_namespaced_role_binding(CONTROLLER, RESERVATIONS)
    rules.delete_cluster_role_binding(CONTROLLER)
    try:
        yield
    finally:
        for bound in (here, everywhere):
            bound.metadata.resource_version = None
        rules.create_cluster_role_binding(everywhere)
        rules.create_namespaced_role_binding(RESERVATIONS, here)


async def test_a_server_that_knows_no_roles_yet_says_nothing_against_a_device(
    of_the_controller: Reservations, installed: ControlPlane
) -> None:
    await of_the_controller.reserve(SLOTS[:1])
    connection = await Connection.open()
    with without_its_role(installed):
        await refused(connection)
        asking = asyncio.ensure_future(of_the_controller.reserve(SLOTS[:2]))
        await refused(connection)
    found = await asking
    await connection.close()
    assert {slot: device.id for slot, device in found.items()} == {slot: uuid(slot) for slot in SLOTS[:2]}
    assert of_the_controller.refusals() == {}


async def refused(connection: Connection) -> None:
    """Until it may do nothing there."""
    async with asyncio.timeout(60):
        while True:
            try:
                await connection.send("DELETE", f"/api/v1/namespaces/{RESERVATIONS}/pods/none")
            except NotAllowed:
                return
            except NotFound:
                await asyncio.sleep(0)


async def test_what_may_not_be_removed_stays_and_hurts_nobody(
    of_the_controller: Reservations, core: client.CoreV1Api, installed: ControlPlane
) -> None:
    await of_the_controller.reserve(SLOTS[:1])
    connection = await Connection.open()
    with without_its_role(installed):
        await refused(connection)
        await of_the_controller.keep(())
        assert list(held(core)) == SLOTS[:1]
    await connection.close()
    while held(core):
        await of_the_controller.keep(())


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ('{"at": 1, "notice": "The NVIDIA driver does not answer."}', "it sees no device: The NVIDIA driver"),
        ("Traceback (most recent call last):", "what it says makes no sense"),
        (reading(SLOTS[0]), "it sees device GPU-node-0-0, which device 0 is too"),
    ],
)
async def test_one_that_does_not_hold_its_device_is_refused_and_removed(
    reservations: Reservations, core: client.CoreV1Api, installed: ControlPlane, said: str, sentence: str
) -> None:
    wrong = SLOTS[1]
    say(installed, RESERVATIONS, reservation_name(wrong), [said])
    try:
        await reservations.reserve(SLOTS[:1])
        found = await reservations.reserve(SLOTS[:3])
        assert sorted(found) == [SLOTS[0], SLOTS[2]]
        assert sentence in reservations.refusal(wrong)
        assert reservations.refusal(SLOTS[0]) == ""
        assert sorted(held(core)) == [SLOTS[0], SLOTS[2]]
        # It is not tried again and again.
        assert await reservations.reserve([wrong]) == {}
    finally:
        say(installed, RESERVATIONS, reservation_name(wrong), [reading(wrong)])


async def test_a_node_that_has_no_device_for_it_says_why(
    reservations: Reservations, core: client.CoreV1Api, installed: ControlPlane
) -> None:
    asked = asyncio.ensure_future(reservations.reserve([Slot("node-9", 0)]))
    name = reservation_name(Slot("node-9", 0))
    async with asyncio.timeout(60):
        while not [pod for pod in core.list_namespaced_pod(RESERVATIONS).items if pod.metadata.name == name]:
            await asyncio.sleep(0)
    status = {"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "Allocate failed: no devices"}
    core.patch_namespaced_pod_status(name, RESERVATIONS, {"status": status})
    assert await asked == {}
    assert "UnexpectedAdmissionError: Allocate failed: no devices" in reservations.refusal(Slot("node-9", 0))


async def test_one_that_nobody_waits_for_any_more_goes_before_it_has_started(
    reservations: Reservations, core: client.CoreV1Api
) -> None:
    never = Slot("node-9", 1)
    asked = asyncio.ensure_future(reservations.reserve([never, SLOTS[0]]))
    async with asyncio.timeout(60):
        while sorted(held(core)) != [SLOTS[0], never]:
            await asyncio.sleep(0)
        # One that is not seen to be there yet goes when it is.
        while held(core):
            await reservations.keep(())
            await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await asked
