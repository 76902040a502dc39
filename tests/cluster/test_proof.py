"""Whether devices can be shared is tried, not believed; where they cannot, nobody is given a share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from kubernetes import client

from scheduler_core.kubernetes.sharing.prover import HOLDER, SHARER
from scheduler_core.kubernetes.sharing.reservation_pods import Slot
from tests.cluster.control_plane import ControlPlane, wait_until
from tests.cluster.controlled import RESERVATIONS, SYSTEM, Controller, Team, controlled, queues
from tests.cluster.logs import reading, say

HELD = reading(Slot("node-0", 0))
GIVEN = "a pod that is given NVIDIA_VISIBLE_DEVICES of one device"
NONE = '{"at": 1, "notice": "This machine has no NVIDIA GPU."}'


@pytest.fixture(scope="module")
def controller(installed: ControlPlane) -> Iterator[Controller]:
    leases, began = client.CoordinationV1Api(installed.api()), datetime.now(UTC)

    def leads() -> bool:
        """One of an earlier test may have left its lease, and left it to nobody."""
        known = [lease.spec for lease in leases.list_namespaced_lease(SYSTEM).items]
        return any(one.holder_identity and one.renew_time and one.renew_time > began for one in known)

    with controlled(installed) as controller:
        wait_until("it leads", leads)
        yield controller


@pytest.fixture
def team(installed: ControlPlane, controller: Controller) -> Iterator[Team]:
    team = Team(installed)
    yield team
    team.clear()
    hand_over(installed, HELD)
    assert "devices can be shared" in check(installed)


def hand_over(cluster: ControlPlane, *seen: str) -> None:
    """What a pod sees that is given the variable of a device."""
    say(cluster, RESERVATIONS, HOLDER, [HELD])
    say(cluster, RESERVATIONS, SHARER, seen)


def check(cluster: ControlPlane) -> str:
    command = [sys.executable, "-m", "jupyter", "runai", "cluster", "check"]
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=200).stdout


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [((NONE,), "sees no device"), ((HELD, reading(Slot("node-0", 1))), "sees 2 other devices")],
)
def test_where_no_device_is_handed_over_shares_are_refused(
    installed: ControlPlane, team: Team, seen: tuple[str, ...], sentence: str
) -> None:
    hand_over(installed, *seen)
    said = f"✗ No device of this cluster can be shared: {GIVEN} {sentence}"
    assert said in check(installed)
    refused = team.pod(annotations={"gpu-fraction": "0.5"})
    team.until_waiting(refused, f"No device of this cluster can be shared: {GIVEN} {sentence}.")
    team.until_bound(team.pod(1))
    hand_over(installed, HELD)
    assert "✓ devices can be shared" in check(installed)
    team.until_bound(refused)


def test_nobody_need_ask_for_it(installed: ControlPlane, team: Team) -> None:
    hand_over(installed, HELD)
    core = client.CoreV1Api(installed.api())
    core.delete_namespaced_config_map("sharing", RESERVATIONS)

    def is_proved() -> bool:
        found = core.list_namespaced_config_map(RESERVATIONS).items
        return [one.data.get("works") for one in found if one.metadata.name == "sharing"] == ["yes"]

    wait_until("it is proved again", is_proved)
    names = {HOLDER, SHARER}
    wait_until(
        "nothing of it is left",
        lambda: names.isdisjoint(pod.metadata.name for pod in core.list_namespaced_pod(RESERVATIONS).items),
    )


def test_it_is_in_no_project(installed: ControlPlane, team: Team) -> None:
    with queues(installed, research={"gpu": {"quota": 16}}):
        hand_over(installed, HELD)
        assert "✓ devices can be shared" in check(installed)


def test_what_was_found_holds_when_all_is_read_anew(installed: ControlPlane, team: Team) -> None:
    # Whoever tried it again now would find otherwise.
    hand_over(installed, NONE)
    with installed.without_api_server():
        # A server that was started anew keeps no changes from before.
        pass
    again = Team.again(installed, team.namespace)
    again.until_bound(again.pod(1))
    again.until_bound(again.pod(annotations={"gpu-fraction": "0.5"}))


def test_one_without_rights_sees_what_was_found(installed: ControlPlane, team: Team) -> None:
    hand_over(installed, HELD)
    check(installed)
    command = [sys.executable, "-m", "jupyter", "runai", "cluster", "check"]
    environment = {**os.environ, "KUBECONFIG": str(installed.user_of(team.namespace, "view"))}
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=100).stdout
    assert "✓ devices can be shared" in said
