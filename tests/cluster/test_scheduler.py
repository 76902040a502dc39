"""Pods that name our scheduler are placed by the planner, and those that wait are told why."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from kubernetes import watch

from tests.cluster.control_plane import ControlPlane, wait_until
from tests.cluster.controlled import (
    Team,
    allocation,
    held,
    is_bound,
    queue_status,
    queues,
    why_it_waits,
)

ROUNDS = int(os.environ.get("RUNAI_HALVES_ROUNDS", "5"))


def test_pods_get_devices_of_their_own_until_there_are_none(team: Team) -> None:
    names = [team.pod(4) for _ in range(4)]
    pods = team.until_bound(*names)
    assert Counter(pod.spec.node_name for pod in pods) == {"node-0": 2, "node-1": 2}
    assert set(held(pods).values()) == {1000}
    assert len(held(pods)) == 16
    (given, *_) = (allocation(pod) for pod in pods)
    assert (given.enforcement.level, given.devices[0].memory_mib) == ("device", 81_920)
    late = team.pod(1)
    team.until_waiting(late, "no device is free")
    team.delete(names[0])
    team.until_bound(late)


def test_sixteen_halves_at_once_are_two_a_device(team: Team) -> None:
    keeping_busy = team.pod(8, name="whole")
    (whole,) = team.until_bound(keeping_busy)
    for _ in range(ROUNDS):
        with ThreadPoolExecutor(16) as at_once:
            names = list(at_once.map(lambda _: team.pod(annotations={"gpu-fraction": "0.5"}), range(16)))
        pods = team.until_bound(*names)
        assert set(held(pods).values()) == {1000}
        assert len(held(pods)) == 8
        assert {pod.spec.node_name for pod in pods}.isdisjoint({whole.spec.node_name})
        team.delete(*names)


def test_a_gang_starts_together_or_not_at_all(team: Team) -> None:
    said = {"kai.scheduler/batch-min-member": "3"}
    team.workload("gang", tasks=3, request={"gpu": 8})
    labels = {"jupyter-runai.io/workload": "gang"}
    first, second = (team.pod(8, labels=labels, annotations=said) for _ in range(2))
    wait_until("the gang has a verdict", lambda: (team.verdict("gang") or {}).get("code") == "gang_incomplete")
    third = team.pod(8, labels=labels, annotations=said)
    wait_until("it cannot fit", lambda: (team.verdict("gang") or {}).get("code") != "gang_incomplete")
    assert not any(map(is_bound, team.pods(first, second, third)))
    team.clear()
    team.workload("gang", tasks=2, request={"gpu": 8})
    names = [team.pod(8, labels=labels, annotations={"kai.scheduler/batch-min-member": "2"}) for _ in range(2)]
    team.until_bound(*names)
    wait_until("nobody is told that it waits", lambda: team.verdict("gang") is None)


def test_a_verdict_has_no_positions_in_it(team: Team) -> None:
    team.until_bound(team.pod(8), team.pod(8))
    team.workload("late")
    team.pod(1, labels={"jupyter-runai.io/workload": "late"})
    wait_until("it has a verdict", lambda: team.verdict("late") is not None)
    verdict = team.verdict("late")
    assert verdict is not None
    assert (verdict["state"], verdict.get("position"), verdict.get("ahead", [])) == ("pending", None, [])
    assert verdict["facts"]


def test_a_queue_takes_back_what_it_deserves(installed: ControlPlane, team: Team) -> None:
    with queues(installed, rich={"gpu": {"quota": 8}}, poor={"gpu": {"quota": 8}}):
        names = [team.pod(8, labels={"kai.scheduler/queue": "rich"}) for _ in range(2)]
        team.until_bound(*names)
        wait_until("its queue's figures", lambda: queue_status(installed, "rich").get("allocated") == 16)
        claimed = team.pod(8, labels={"kai.scheduler/queue": "poor"})
        team.until_bound(claimed)
        assert len(team.pods(*names)) == 1
        wait_until("an event says so", lambda: len(team.events("Evicted")) == 1)
        (event,) = team.events("Evicted")
        assert event.message.startswith("reclaim: ")
        wait_until("both have theirs", lambda: queue_status(installed, "poor").get("allocated") == 8)
        assert queue_status(installed, "rich")["fair_share"] == 8


def test_what_goes_is_told_that_it_goes_for_others(team: Team) -> None:
    low = [team.pod(8, annotations={"jupyter-runai.io/priority": "very-low"}) for _ in range(2)]
    team.until_bound(*low)
    before = team.core.list_namespaced_pod(team.namespace).metadata.resource_version
    high = team.pod(8, annotations={"jupyter-runai.io/priority": "high"})
    team.until_bound(high)
    events = watch.Watch().stream(team.core.list_namespaced_pod, team.namespace, resource_version=before)
    gone = next(event["object"] for event in events if event["type"] == "DELETED")
    assert gone.metadata.name in low
    (condition,) = [one for one in gone.status.conditions if one.type == "DisruptionTarget"]
    assert (condition.reason, condition.status) == ("PreemptionByScheduler", "True")
    assert condition.message.startswith("preempt: ")
    (event,) = team.events("Evicted")
    assert event.message == condition.message


def test_a_queue_is_for_its_namespaces_and_has_to_be_there(installed: ControlPlane, team: Team) -> None:
    with queues(installed, ours={"gpu": {"quota": 8}}, theirs={"gpu": {"quota": 8}, "namespaces": ["elsewhere"]}):
        strange = team.pod(1, labels={"kai.scheduler/queue": "theirs"})
        team.until_waiting(strange, f"The project theirs is not for the namespace {team.namespace}.")
        lost = team.pod(1, labels={"kai.scheduler/queue": "nowhere"})
        team.until_waiting(lost, "nowhere")
        team.until_bound(team.pod(1, labels={"kai.scheduler/queue": "ours"}))
        assert not any(map(is_bound, team.pods(strange, lost)))


def test_queues_in_a_ring_stop_nobody_else(installed: ControlPlane, team: Team) -> None:
    ring: dict[str, dict[str, object]] = {"one": {"parent": "two"}, "two": {"parent": "one"}}
    with queues(installed, ours={"gpu": {"quota": 8}}, **ring):
        team.until_bound(team.pod(1, labels={"kai.scheduler/queue": "ours"}))
        team.until_waiting(team.pod(1, labels={"kai.scheduler/queue": "one"}), "one")


def test_what_makes_no_sense_is_said_and_hinders_nobody(team: Team) -> None:
    team.until_waiting(team.pod(annotations={"gpu-fraction": "1.5"}), "What it asks for makes no sense: ")
    team.until_waiting(team.pod(9), "9")
    team.until_bound(team.pod(1))


def test_what_others_use_is_taken_off_their_nodes(team: Team) -> None:
    team.pod(6, schedulerName="somebody-else", nodeName="node-0")
    by_hand = team.pod(1, nodeName="node-0")
    both = [team.pod(8), team.pod(1)]
    pods = {pod.metadata.name: pod for pod in team.until_bound(*both)}
    assert pods[both[0]].spec.node_name == "node-1"
    assert pods[both[1]].spec.node_name == "node-0"
    assert len(held(pods.values())) == 9
    late = team.pod(1)
    team.until_waiting(late, "no device is free")
    team.delete(by_hand)
    team.until_bound(late)


def test_it_is_where_it_may_be(installed: ControlPlane, team: Team) -> None:
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    names = [team.pod(2, affinity={"nodeAffinity": required}) for _ in range(3)]
    assert {pod.spec.node_name for pod in team.until_bound(*names)} == {"node-1"}
    selected = team.pod(1, nodeSelector={"kubernetes.io/hostname": "node-0"})
    assert team.until_bound(selected)[0].spec.node_name == "node-0"
    team.until_waiting(team.pod(1, nodeSelector={"disk": "ssd"}), "")
    gated = team.pod(1, schedulingGates=[{"name": "example.com/later"}])
    team.until_bound(team.pod(1))
    assert not is_bound(team.get(gated))
    assert "gate" in why_it_waits(team.get(gated)).lower()
