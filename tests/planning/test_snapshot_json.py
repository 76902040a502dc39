"""JSON in and out: strict, with the path of what is wrong; the same bytes for the same question."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from scheduler_core import BadSnapshot, plan, plan_to_json, snapshot_from_json
from tests.planning.build import gpu, node, queue, snapshot, task, work


def bad(**fields: Any) -> str:
    """The refusal of a snapshot with these fields."""
    with pytest.raises(BadSnapshot) as caught:
        snapshot_from_json(msgspec.json.encode({"time": 0, **fields}))
    return str(caught.value)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"nodse": []}, "$"),
        ({"time": "noon"}, "$.time"),
        ({"version": 2}, "$.version"),
        ({"config": {"placement": "tetris"}}, "$.config.placement"),
        ({"config": {"actions": ["dance"]}}, "$.config.actions[0]"),
        ({"nodes": [{"name": "n", "cpu_milli": -1}]}, "$.nodes[0].cpu_milli"),
        ({"nodes": [{"name": "n", "cpu_milli": 1.5}]}, "$.nodes[0].cpu_milli"),
        ({"nodes": [node("n"), node("n")]}, "$.nodes[1].name"),
        (
            {"nodes": [node("a") | {"gpus": [{"id": "x"}]}, node("b") | {"gpus": [{"id": "x"}]}]},
            "$.nodes[1].gpus[0].id",
        ),
        ({"nodes": [node("a") | {"gpus": [{"id": "x", "mig": [{"profile": "big", "count": 1}]}]}]}, "mig[0].profile"),
        ({"queues": [queue("q"), queue("q")]}, "$.queues[1].name"),
        ({"queues": [queue("a", parent="b"), queue("b", parent="a")]}, "$.queues[0].parent"),
        ({"queues": [queue("a", parent="a")]}, "$.queues[0].parent"),
        ({"queues": [queue("q", {"quota": -1})]}, "$.queues[0].gpu.quota"),
        ({"workloads": [work("w"), work("w", task("t"))]}, "$.workloads[1].id"),
        ({"workloads": [work("w", task("t")), work("v", task("t"))]}, "$.workloads[1].tasks[0].id"),
        ({"workloads": [work("w", task("t", group="x"))]}, "$.workloads[0].tasks[0].group"),
        ({"workloads": [work("w", groups=[])]}, "$.workloads[0].tasks[0].group"),
        ({"workloads": [work("w", task("t", {"mig": {"big": 1}}))]}, "$.workloads[0].tasks[0].request.mig"),
    ],
)
def test_a_bad_snapshot_is_refused_with_the_path(fields: dict[str, Any], path: str) -> None:
    assert path in bad(**fields)


@pytest.mark.parametrize(
    "request_",
    [
        {"gpu": 1.5},
        {"gpu": -1},
        {"gpu": "nan"},
        {"gpu": "1e-3"},
        {"gpu": "0"},
        {"gpu": 0.0005},
        {"gpu": "0.33333"},
        {"gpu": True},
        {"gpu": 1, "gpu_memory_mib": 5},
        {"gpu": 1, "mig": {"1g.10gb": 1}},
        {"gpu": 2, "gpu_devices": 2},
        {"mig": {"1g.10gb": 0}},
    ],
    ids=str,
)
def test_a_request_that_is_none_of_the_four_forms_is_refused(request_: dict[str, Any]) -> None:
    assert "$.workloads[0].tasks[0].request" in bad(workloads=[work("w", task("t", request_))])


@pytest.mark.parametrize(
    "groups",
    [
        [{"name": "default", "min_members": 1, "parent": "ghost"}],
        [{"name": "default", "min_members": 1}, {"name": "default", "min_members": 1}],
        [{"name": "default", "min_members": 0, "parent": "x"}, {"name": "x", "min_members": 0, "parent": "default"}],
    ],
    ids=["parent-unknown", "twice", "ring"],
)
def test_groups_form_trees(groups: list[Any]) -> None:
    assert "$.workloads[0].groups" in bad(workloads=[work("w", groups=groups)])


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"time": NaN}', b"\xff", b'{"time": 1e999}'])
def test_what_is_no_snapshot_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(BadSnapshot):
        snapshot_from_json(data)


def test_an_empty_snapshot_has_an_empty_plan() -> None:
    encoded = plan_to_json(plan(snapshot_from_json(b'{"time": 0}')))
    assert msgspec.json.decode(encoded) == {
        "binds": [],
        "nominations": [],
        "evictions": [],
        "verdicts": [],
        "shares": [],
    }


def test_numbers_and_nulls_of_the_shares_are_plain_json() -> None:
    encoded = plan_to_json(plan(snapshot([node("n", gpus=1)], [work("w", request=gpu("0.5"))])))
    row = msgspec.json.decode(encoded)["shares"][0]
    assert row == {
        "queue": "q",
        "pool": "default",
        "resource": "gpu",
        "quota": None,
        "fair_share": 0.5,
        "allocated": 0.5,
        "requested": 0.5,
        "limit": None,
    }


def test_shuffled_lists_give_the_same_bytes() -> None:
    nodes = [node(f"n{k}", gpus=k % 4) for k in range(8)]
    queues = [queue(f"q{k}", {"quota": k}) for k in range(4)]
    workloads = [
        work(f"w{k:02}", request=gpu(["0.3", 1, 2][k % 3]), queue=f"q{k % 4}", count=1 + k % 2) for k in range(20)
    ]
    expected = plan_to_json(plan(snapshot(nodes, workloads, queues)))
    for seed in range(5):
        shuffle = random.Random(seed)
        for entries in (nodes, queues, workloads):
            shuffle.shuffle(entries)
        assert plan_to_json(plan(snapshot(nodes, workloads, queues))) == expected
