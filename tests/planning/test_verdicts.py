"""What a person is told: the code, and one sentence with the numbers."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler_core import Plan, Verdict
from tests.planning.build import gpu, held, node, planned, queue, task, verdict, work

ONE = gpu(1)


def told(made: Plan, workload: str = "w") -> tuple[str, str]:
    found: Verdict = verdict(made, workload)
    return found.code, found.message


def test_placed_work_is_told_where_it_starts() -> None:
    assert told(planned([node("n", gpus=1)], [work("w", request=ONE)])) == ("placed", "starts now on n")


def test_the_largest_free_share_is_named() -> None:
    nodes = [node("n1", gpus=1), node("n2", gpus=1)]
    running = [held("a", "n1", "n1-0", request=gpu("0.8")), held("b", "n2", "n2-0", request=gpu("0.9"))]
    made = planned(nodes, [*running, work("w", request=gpu("0.5"))])
    assert told(made) == ("no_node_fits", "no device has 0.5 free: the largest free share is 0.2 (n1)")
    facts = verdict(made, "w").facts
    assert facts["requested"]["gpu"] == 0.5
    assert facts["largest_free_share"] == 0.2
    assert facts["free_whole_devices"] == 0
    assert facts["nodes_ruled_out"] == {"not enough free on its devices": 2}
    assert facts["allocated"]["gpu"] == pytest.approx(1.7)


def test_enough_in_pieces_is_fragmented() -> None:
    nodes = [node("n1", gpus=1), node("n2", gpus=1)]
    running = [held(f"r{k}", f"n{k}", f"n{k}-0", request=gpu("0.6")) for k in (1, 2)]
    made = planned(nodes, [*running, work("w", request=gpu("0.5"))])
    assert told(made) == (
        "fragmented",
        "no device has 0.5 free: the largest free share is 0.4 (n1); "
        "moving running work was tried and does not make room",
    )


def test_free_devices_on_different_nodes_are_fragmented() -> None:
    nodes = [node("n1", gpus=2), node("n2", gpus=2)]
    running = [held(f"r{k}", f"n{k}", f"n{k}-0", request=ONE) for k in (1, 2)]
    made = planned(nodes, [*running, work("w", request=gpu(2))], config={"max_consolidation_victims": 0})
    assert told(made) == (
        "fragmented",
        "asks for 2 devices on one node: 2 are free in all, at most 1 on one node (n1)",
    )


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (gpu(3), "asks for 3 devices and there are 2: it can never start here"),
        (gpu("0.5", gpu_devices=3), "asks for 0.5 of a device on each of 3 devices and there are 2"),
        ({"gpu_memory_mib": 10_001}, "asks for 10001 MiB of device memory and the largest device has 10000"),
        ({"mig": {"1g.10gb": 1}}, "asks for 1 x 1g.10gb and no device is partitioned"),
        ({"cpu_milli": 65_000}, "asks for 65 CPU cores"),
        (gpu(1, memory_mib=500_001), "500001 MiB of memory"),
        (gpu(1, models=["H100"]), "1 of another GPU model"),
    ],
    ids=["devices", "several-shares", "device-memory", "slices", "cpu", "memory", "model"],
)
def test_what_would_not_fit_an_empty_cluster_never_fits(request_: dict[str, Any], sentence: str) -> None:
    busy = held("r", "n", "n-0", request=ONE)
    code, message = told(planned([node("n", gpus=2)], [busy, work("w", request=request_)]))
    assert code == "never_fits"
    assert sentence in message
    assert message.endswith("it can never start here")


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ([node("n")], "asks for 3 devices and there is no device: it can never start here"),
        (
            [node("n", gpus=1), node("m", gpus=2)],
            "asks for 3 devices and the largest node has 2: it can never start here",
        ),
    ],
    ids=["none", "several"],
)
def test_never_says_what_there_is(nodes: list[dict[str, Any]], sentence: str) -> None:
    assert told(planned(nodes, [work("w", request=gpu(3))])) == ("never_fits", sentence)


def test_never_looks_at_nodes_that_are_not_ready_too() -> None:
    nodes = [node("n1", gpus=1), node("n2", gpus=4, ready=False)]
    code, message = told(planned(nodes, [work("w", request=gpu(4))]))
    assert code == "no_node_fits"
    assert "asks for 4 devices on one node" in message


def test_a_gang_larger_than_the_cluster_never_fits() -> None:
    code, message = told(planned([node("n", gpus=3)], [work("w", request=gpu("0.6"), count=4)]))
    assert code == "never_fits"
    assert "4 tasks of 0.6 of a device together and the empty cluster holds 3" in message


def test_a_gang_that_fits_one_by_one_but_not_together_says_so() -> None:
    busy = held("r", "n", "n-0", request=ONE)
    code, message = told(planned([node("n", gpus=3)], [busy, work("w", request=ONE, count=3)]))
    assert code == "gang_does_not_fit"
    assert message == "needs 3 tasks of 1 device to start together, and 2 of them fit now"


def test_room_in_a_later_pool_counts_before_the_limit_of_an_earlier_one() -> None:
    nodes = [node("a", gpus=1, pool="fast"), node("b", gpus=1)]
    queues = [queue("q", {"quota": 1}, pools={"fast": {"gpu": {"quota": 0, "limit": 0}}})]
    busy = held("r", "b", "b-0", request=ONE)
    code, message = told(planned(nodes, [busy, work("w", request=ONE, pools=["fast", "default"])], queues))
    assert code == "no_node_fits", message


def test_room_that_went_to_others_is_a_matter_of_turn() -> None:
    made = planned([node("n", gpus=1)], [work("first", request=ONE), work("w", request=ONE, created=1)])
    code, message = told(made)
    assert code == "waiting_turn"
    assert "work ahead of it" in message
    assert verdict(made, "w").ahead == ("first",)


def test_a_queue_beyond_its_fair_share_is_told_so_when_others_run() -> None:
    queues = [queue("q", {"quota": 1}), queue("other", {"quota": 1})]
    running = [held("a", "n", "n-0", request=ONE), held("b", "n", "n-1", request=ONE) | {"queue": "other"}]
    code, message = told(planned([node("n", gpus=2)], [*running, work("w", request=ONE)], queues))
    assert code == "over_fair_share"
    assert "queue q holds 1 of its fair share of 1" in message
    code, _ = told(planned([node("n", gpus=1)], [running[0], work("w", request=ONE)]))
    assert code == "no_node_fits"


@pytest.mark.parametrize(
    ("name", "queues", "sentence"),
    [
        ("ghost", [queue("q")], "there is no queue ghost"),
        ("lost", [queue("lost", parent="ghost")], "queue lost stands under a parent that does not exist"),
        ("top", [queue("top"), queue("leaf", parent="top")], "only leaves run workloads"),
    ],
)
def test_a_queue_that_cannot_run_work_is_named(name: str, queues: list[Any], sentence: str) -> None:
    code, message = told(planned([node("n", gpus=1)], [work("w", request=ONE, queue=name)], queues))
    assert code == "queue_not_found"
    assert sentence in message


def test_causes_are_counted_by_node() -> None:
    nodes = [
        node("a", gpus=1, ready=False),
        node("b", gpus=1, taints=[{"key": "dedicated"}]),
        node("c", gpus=1, taints=[{"key": "dedicated"}]),
        node("d", gpus=1),
    ]
    made = planned(nodes, [held("r", "d", "d-0", request=ONE), work("w", request=ONE)])
    assert verdict(made, "w").facts["nodes_ruled_out"] == {
        "not enough free on its devices": 1,
        "not ready": 1,
        "tainted dedicated": 2,
    }


def test_there_is_one_verdict_for_each_workload_with_a_pending_task() -> None:
    tasks = [task("r.0", ONE, state="running", node="n", gpu_ids=["n-0"])]
    made = planned([node("n", gpus=2)], [work("r", *tasks), work("w", request=ONE), work("v", request=ONE)])
    assert [v.workload for v in made.verdicts] == ["v", "w"]


def test_partly_placed_work_is_told_what_the_rest_waits_for() -> None:
    elastic = [{"name": "default", "min_members": 1}]
    made = planned([node("n", gpus=2)], [work("w", request=ONE, count=3, groups=elastic)])
    found = verdict(made, "w")
    assert (found.state, found.code) == ("partly_placed", "no_node_fits")
