"""Whatever fails, nothing is bound twice, nothing is lost, and what can be placed is placed again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ConflictException

from tests.cluster.control_plane import ControlPlane, wait_until
from tests.cluster.controlled import Controller, Team, controlled, held, is_bound, set_up
from tests.cluster.logs import let_devices_speak


@pytest.fixture(scope="module")
def own() -> Iterator[ControlPlane]:
    """A cluster of its own, whose parts fail: two nodes of eight devices."""
    made = ControlPlane(Path(tempfile.mkdtemp(prefix="runai-cluster-")))
    try:
        made.start()
        made.add_nodes(2, 8)
        set_up(made)
        let_devices_speak(made, 2, 8)
        yield made
    finally:
        made.remove()


@pytest.fixture
def controller(own: ControlPlane) -> Iterator[Controller]:
    with controlled(own) as controller:
        yield controller


@pytest.fixture
def team(own: ControlPlane) -> Iterator[Team]:
    team = Team(own)
    yield team
    Team.again(own, team.namespace).clear()


def leader(own: ControlPlane) -> str:
    leases = client.CoordinationV1Api(own.api())
    found = leases.list_namespaced_lease("jupyter-runai").items
    return found[0].spec.holder_identity or "" if found else ""


def test_one_that_is_killed_in_the_middle_leaves_nothing_undone(
    own: ControlPlane, controller: Controller, team: Team
) -> None:
    names = [team.pod(annotations={"gpu-fraction": "0.25"}) for _ in range(60)]
    wait_until("some run", lambda: any(map(is_bound, team.pods())))
    controller.kill()
    with controlled(own):
        pods = team.until_bound(*names)
    assert max(held(pods).values()) <= 1000
    assert sum(held(pods).values()) == 15_000
    controller.start()


def test_of_two_one_acts_and_the_other_takes_over_at_once(
    own: ControlPlane, controller: Controller, team: Team
) -> None:
    team.until_bound(team.pod(1))
    first = leader(own)
    with controlled(own) as other:
        names = [team.pod(1) for _ in range(15)]
        pods = team.until_bound(*names)
        assert set(held(team.pods()).values()) == {1000}
        assert len(held(team.pods())) == 16
        assert leader(own) == first
        assert controller.stop() == 0
        team.delete(*names[:4])
        team.until_bound(*(team.pod(1) for _ in range(4)))
        assert leader(own) not in ("", first)
        assert "leads" in other.said
        assert len(pods) == 15
    controller.start()


def test_a_server_that_was_away_finds_all_as_it_left_it(own: ControlPlane, controller: Controller, team: Team) -> None:
    waiting = team.pod(8, annotations={"jupyter-runai.io/priority": "very-low"}, schedulingGates=[{"name": "a.b/c"}])
    before = [team.pod(1) for _ in range(8)]
    team.until_bound(*before)
    with own.without_api_server():
        pass
    team = Team.again(own, team.namespace)
    after = [team.pod(1) for _ in range(8)]
    pods = team.until_bound(*before, *after)
    assert len(held(pods)) == 16
    assert set(held(pods).values()) == {1000}
    assert not is_bound(team.get(waiting))


def test_a_pod_that_was_deleted_by_hand_leaves_its_devices_to_others(controller: Controller, team: Team) -> None:
    names = [team.pod(8) for _ in range(2)]
    team.until_bound(*names)
    late = team.pod(1)
    team.until_waiting(late, "no device is free")
    team.core.delete_namespaced_pod(names[1], team.namespace, grace_period_seconds=0)
    team.until_bound(late)


def test_a_pod_of_the_same_name_is_another_pod(controller: Controller, team: Team) -> None:
    for _ in range(10):
        team.pod(1, name="again")
        team.core.delete_namespaced_pod("again", team.namespace, grace_period_seconds=0)
    team.pod(1, name="again")
    (pod,) = team.until_bound("again")
    assert sum(held([pod]).values()) == 1000
    assert "Traceback" not in controller.said


def test_what_somebody_else_binds_at_the_same_time_is_bound_once(controller: Controller, team: Team) -> None:
    names = [team.pod(1) for _ in range(12)]
    for name in names:
        target = {"apiVersion": "v1", "kind": "Node", "name": "node-0"}
        body = {"metadata": {"name": name}, "target": target}
        # The controller may have been faster.
        with suppress(ConflictException):
            team.core.create_namespaced_pod_binding(name, team.namespace, body, _preload_content=False)
    team.until_bound(*names)
    late = [team.pod(4)]
    team.until_bound(*late)
    assert "Traceback" not in controller.said


def test_a_gang_whose_node_dies_starts_again_elsewhere(own: ControlPlane, controller: Controller, team: Team) -> None:
    batch = client.BatchV1Api(own.api())
    team.until_bound(team.pod(4, name="beside", nodeSelector={"kubernetes.io/hostname": "node-1"}))
    container = {"name": "main", "image": "localhost/python:3", "command": ["/bin/sleep", "1000"]}
    limits = {"resources": {"limits": {"nvidia.com/gpu": "2"}}}
    template = {
        "metadata": {"annotations": {"kai.scheduler/batch-min-member": "2"}},
        "spec": {
            "schedulerName": "jupyter-runai",
            "restartPolicy": "Never",
            "containers": [{**container, **limits}],
            "nodeSelector": {"rack": "a"},
        },
    }
    for node in ("node-0", "node-1"):
        team.core.patch_node(node, {"metadata": {"labels": {"rack": "a" if node == "node-0" else None}}})
    spec = {"completions": 2, "parallelism": 2, "completionMode": "Indexed", "backoffLimit": 9, "template": template}
    batch.create_namespaced_job(team.namespace, {"metadata": {"name": "gang"}, "spec": spec})

    def members() -> list[client.V1Pod]:
        found = [pod for pod in team.pods() if pod.metadata.name.startswith("gang-")]
        return [pod for pod in found if not pod.metadata.deletion_timestamp and pod.status.phase != "Failed"]

    wait_until("the gang runs", lambda: len(members()) == 2 and all(map(is_bound, members())))
    before = {pod.metadata.uid for pod in members()}
    assert {pod.spec.node_name for pod in members()} == {"node-0"}
    team.core.patch_node("node-1", {"metadata": {"labels": {"rack": "a"}}})
    team.core.delete_node("node-0")
    for pod in members():
        team.core.delete_namespaced_pod(pod.metadata.name, team.namespace, grace_period_seconds=0)
    wait_until(
        "it runs elsewhere",
        lambda: {pod.spec.node_name for pod in members()} == {"node-1"} and len(members()) == 2,
    )
    assert before.isdisjoint({pod.metadata.uid for pod in members()})
    batch.delete_namespaced_job("gang", team.namespace, propagation_policy="Background")
    own.add_nodes(1, 8)
