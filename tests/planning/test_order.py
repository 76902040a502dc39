"""Whose turn it is, and the gates of limit and quota."""

from __future__ import annotations

from typing import Any

import pytest

from tests.planning.build import codes, gpu, held, node, planned, queue, spots, task, verdict, work

ONE = gpu(1)


def jobs(*names: str, **fields: Any) -> list[dict[str, Any]]:
    return [work(name, request=ONE, created=k, **fields) for k, name in enumerate(names)]


def test_queues_take_turns_by_share_and_ties_go_to_the_older() -> None:
    """Two nodes of two devices, quota 1 each: b1 first (its queue is below quota), then a1, b2; b3 waits."""
    queues = [queue("A", {"quota": 1}, created=1), queue("B", {"quota": 1}, created=2)]
    running = held("a0", "n0", "n0-0", request=ONE) | {"queue": "A"}
    pending = [work("a1", request=ONE, queue="A", created=1), *jobs("b1", "b2", "b3", queue="B")]
    made = planned([node("n0", gpus=2), node("n1", gpus=2)], [running, *pending], queues)
    assert {task_id: bind.split(":")[0] for task_id, bind in spots(made).items()} == {
        "a1.0": "n1",
        "b1.0": "n0",
        "b2.0": "n1",
    }
    waiting = verdict(made, "b3")
    assert (waiting.code, waiting.position, waiting.queue_position) == ("waiting_turn", 4, 3)
    assert waiting.ahead == ("b1", "a1", "b2")


def test_workloads_of_a_queue_go_by_priority_then_age_then_id() -> None:
    made = planned(
        [node("n", gpus=1)],
        [
            work("old", request=ONE, created=1),
            work("b", request=ONE, created=5, priority=80),
            work("a", request=ONE, created=5, priority=80),
        ],
    )
    order = sorted(made.verdicts, key=lambda v: v.position or 0)
    assert [v.workload for v in order] == ["a", "b", "old"]
    assert list(spots(made)) == ["a.0"]


def test_the_queue_of_higher_priority_goes_first_when_all_are_within_quota() -> None:
    queues = [queue("low", {"quota": 4}, priority=1), queue("top", {"quota": 4}, priority=2)]
    made = planned([node("n", gpus=1)], [*jobs("l", queue="low"), *jobs("t", queue="top")], queues)
    assert list(spots(made)) == ["t.0"]


def test_a_queue_within_its_quota_goes_before_one_of_higher_priority_beyond_it() -> None:
    queues = [queue("rich", {"quota": 1}), queue("beyond", {"quota": 0}, priority=900)]
    made = planned([node("n", gpus=1)], [*jobs("r", queue="rich"), *jobs("b", queue="beyond")], queues)
    assert list(spots(made)) == ["r.0"]


def test_departments_take_turns_before_their_projects_do() -> None:
    """One department has three projects, the other one: each department gets two of four devices."""
    queues = [
        queue("d1", {"quota": 2}),
        queue("d2", {"quota": 2}),
        *(queue(f"p{k}", {"quota": 0}, parent="d1") for k in range(3)),
        queue("solo", {"quota": 0}, parent="d2"),
    ]
    pending = [job for k in range(3) for job in jobs(f"p{k}a", f"p{k}b", queue=f"p{k}")]
    made = planned([node("n", gpus=4)], [*pending, *jobs("s1", "s2", "s3", queue="solo")], queues)
    assert sum(name.startswith("s") for name in spots(made)) == 2


@pytest.mark.parametrize("level", ["leaf", "parent"])
def test_a_limit_holds_at_every_level(level: str) -> None:
    limits = {"leaf": None, "parent": None} | {level: 1.5}
    queues = [
        queue("parent", {"quota": None, "limit": limits["parent"]}),
        queue("leaf", {"quota": None, "limit": limits["leaf"]}, parent="parent"),
    ]
    made = planned([node("n", gpus=4)], jobs("a", "b", queue="leaf"), queues)
    assert codes(made) == {"a": "placed", "b": "over_limit"}
    assert f"queue {level} holds 1 of its limit of 1.5" in verdict(made, "b").message
    assert (verdict(made, "b").position, verdict(made, "b").queue_position) == (None, None)


def test_shares_fill_a_limit_exactly() -> None:
    queues = [queue("q", {"quota": None, "limit": 0.3})]
    pending = [work(f"w{k}", request=gpu("0.1")) for k in range(4)]
    assert len(planned([node("n", gpus=1)], pending, queues).binds) == 3


@pytest.mark.parametrize("level", ["leaf", "parent"])
def test_non_preemptible_work_stays_within_quota_at_every_level(level: str) -> None:
    quotas = {"leaf": 4, "parent": 4} | {level: 1}
    queues = [
        queue("parent", {"quota": quotas["parent"]}),
        queue("leaf", {"quota": quotas["leaf"]}, parent="parent"),
    ]
    pending = [*jobs("a", "b", queue="leaf", priority=100), *jobs("c", queue="leaf")]
    made = planned([node("n", gpus=4)], pending, queues)
    assert codes(made) == {"a": "placed", "b": "non_preemptible_over_quota", "c": "placed"}


def test_preemptible_work_does_not_use_up_the_quota_of_non_preemptible_work() -> None:
    running = held("r", "n", "n-0", request=ONE)
    made = planned([node("n", gpus=2)], [running, *jobs("w", priority=100)], [queue("q", {"quota": 1})])
    assert codes(made) == {"w": "placed"}


def test_a_limit_on_cpu_stops_only_work_that_asks_for_cpu() -> None:
    queues = [queue("q", cpu_milli={"quota": None, "limit": 0})]
    made = planned(
        [node("n", gpus=2)], [work("a", request=gpu(1, cpu_milli=1)), work("b", request=ONE, created=1)], queues
    )
    assert codes(made) == {"a": "over_limit", "b": "placed"}


def test_work_that_is_blocked_is_not_ahead_of_anyone() -> None:
    queues = [queue("q", {"quota": 0})]
    pending = [work("fixed", request=ONE, priority=100), work("huge", request=gpu(9)), work("w", request=ONE)]
    made = planned([node("n", gpus=1)], pending, queues)
    assert (verdict(made, "w").position, verdict(made, "w").ahead) == (1, ())


def test_only_the_nearest_ten_ahead_are_named() -> None:
    made = planned([node("n", gpus=1)], jobs(*(f"w{k:02}" for k in range(15))))
    last = verdict(made, "w14")
    assert last.position == 15
    assert last.ahead == tuple(f"w{k:02}" for k in range(4, 14))


def test_without_actions_nothing_moves_and_everyone_still_has_a_position() -> None:
    made = planned([node("n", gpus=4)], jobs("a", "b"), config={"actions": []})
    assert (made.binds, made.nominations) == ((), ())
    assert [(v.workload, v.code, v.position) for v in made.verdicts] == [
        ("a", "waiting_turn", 1),
        ("b", "waiting_turn", 2),
    ]
    assert made.shares[0].fair_share == 2


def test_shares_stand_for_every_queue_pool_and_resource() -> None:
    nodes = [node("a", gpus=4, pool="default"), node("b", gpus=2, pool="fast")]
    queues = [
        {"name": "dep", "gpu": {"quota": 3, "limit": 4}},
        {"name": "p", "parent": "dep", "gpu": {"quota": 1}, "pools": {"fast": {"gpu": {"quota": 2}}}},
    ]
    tasks = [task("r.0", gpu("0.5"), state="running", node="b", gpu_ids=["b-0"]), task("r.1", gpu("0.25"))]
    made = planned(nodes, [work("r", *tasks, queue="p", pools=["fast"]), *jobs("x", queue="p")], queues)
    rows = {(row.queue, row.pool): row for row in made.shares if row.resource == "gpu"}
    assert len(made.shares) == 12
    assert (rows["dep", "default"].quota, rows["dep", "default"].limit) == (3, 4)
    assert (rows["dep", "fast"].quota, rows["dep", "fast"].limit) == (0, None)
    assert (rows["p", "fast"].requested, rows["p", "fast"].allocated, rows["p", "fast"].fair_share) == (
        0.75,
        0.75,
        0.75,
    )
    assert (rows["dep", "default"].requested, rows["dep", "default"].fair_share) == (1, 1)
    cpu = next(row for row in made.shares if row.resource == "cpu_milli")
    assert (cpu.quota, cpu.limit) == (None, None)


def test_gated_and_releasing_tasks_are_not_requested() -> None:
    tasks = [
        task("w.0", ONE),
        task("w.1", ONE, state="gated"),
        task("w.2", ONE, state="releasing", node="n", gpu_ids=["n-0"]),
    ]
    made = planned([node("n", gpus=2)], [work("w", *tasks, groups=[{"name": "default", "min_members": 0}])])
    row = made.shares[0]
    assert (row.requested, row.allocated) == (1, 1)


def test_memory_requests_count_by_the_smallest_device_and_slices_by_their_size() -> None:
    devices = [
        {"id": "s", "memory_mib": 5000},
        {"id": "l", "memory_mib": 10_000},
        {"id": "m", "memory_mib": 20_000, "mig": [{"profile": "3g.40gb", "count": 2}]},
    ]
    pending = [work("a", request={"gpu_memory_mib": 4000}), work("b", request={"mig": {"3g.40gb": 1}})]
    made = planned([node("n") | {"gpus": devices}], pending, config={"actions": []})
    assert made.shares[0].requested == pytest.approx(0.8 + 3)
    assert made.shares[0].fair_share == pytest.approx(3.8)
