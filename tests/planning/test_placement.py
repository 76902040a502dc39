"""Where single tasks go: requests of every form, rules of nodes, and the two orders."""

from __future__ import annotations

from typing import Any

import pytest

from tests.planning.build import gpu, held, node, planned, spots, task, verdict, work

SPREAD = {"placement": "spread"}


def test_sixteen_halves_fill_eight_devices_two_on_each() -> None:
    made = planned([node("n", gpus=8)], [work(f"w{k:02}", request=gpu("0.5")) for k in range(16)])
    places = list(spots(made).values())
    assert len(places) == 16
    assert {places.count(place) for place in places} == {2}


def test_ten_tenths_fill_one_device_exactly() -> None:
    made = planned([node("n", gpus=2)], [work(f"w{k}", request=gpu(0.1)) for k in range(10)])
    assert set(spots(made).values()) == {"n: n-0"}


def test_three_thirds_by_memory_fit_one_device() -> None:
    """1000 of 3000 MiB, three times, is exactly one device; doubles would see 1.0000000000000002."""
    devices = [{"id": "d", "memory_mib": 3000}]
    made = planned([node("n") | {"gpus": devices}], [work(f"w{k}", request={"gpu_memory_mib": 1000}) for k in range(4)])
    assert len(made.binds) == 3


def test_memory_and_portions_share_a_device_in_exact_arithmetic() -> None:
    made = planned(
        [node("n", gpus=1)],
        [work("a", request=gpu("0.7")), work("b", request={"gpu_memory_mib": 3000}), work("c", request=gpu("0.001"))],
    )
    assert set(spots(made)) == {"a.0", "b.0"}


def test_no_request_by_memory_fits_a_device_of_unknown_memory() -> None:
    made = planned([node("n") | {"gpus": [{"id": "d"}]}], [work("a", request={"gpu_memory_mib": 1})])
    assert verdict(made, "a").code == "never_fits"


def test_the_same_share_on_several_devices_takes_different_devices_of_one_node() -> None:
    made = planned([node("n1", gpus=1), node("n2", gpus=2)], [work("a", request=gpu("0.4", gpu_devices=2))])
    assert spots(made) == {"a.0": "n2: n2-0 n2-1"}


def test_a_device_that_is_not_shareable_is_given_whole_only() -> None:
    devices = [{"id": "d", "shareable": False}]
    made = planned([node("n") | {"gpus": devices}], [work("share", request=gpu("0.5")), work("whole", request=gpu(1))])
    assert spots(made) == {"whole.0": "n: d"}


def test_slices_come_from_partitioned_devices_only_and_are_counted() -> None:
    devices = [{"id": "plain"}, {"id": "cut", "mig": [{"profile": "1g.10gb", "count": 2}]}]
    made = planned(
        [node("n") | {"gpus": devices}],
        [work(f"s{k}", request={"mig": {"1g.10gb": 1}}) for k in range(3)]
        + [work("w1", request=gpu(1)), work("w2", request=gpu(1)), work("half", request=gpu("0.5"))],
    )
    assert spots(made) == {"s0.0": "n: cut", "s1.0": "n: cut", "half.0": "n: plain"}
    assert {bind.task for bind in made.binds if bind.mig_slices} == {"s0.0", "s1.0"}


def test_binpack_takes_the_fullest_node_and_the_most_used_device_that_fits() -> None:
    nodes = [node("a", gpus=2), node("b", gpus=2)]
    running = [
        held("r1", "b", "b-0", request=gpu("0.2")),
        held("r2", "b", "b-1", request=gpu("0.6")),
    ]
    made = planned(nodes, [*running, work("x", request=gpu("0.4")), work("y", request=gpu("0.5"))])
    assert spots(made) == {"x.0": "b: b-1", "y.0": "b: b-0"}


def test_spread_takes_the_emptiest_node_and_device() -> None:
    nodes = [node("a", gpus=2), node("b", gpus=2)]
    running = [held("r", "a", "a-0", request=gpu("0.2"))]
    halves = [work(f"w{k}", request=gpu("0.5")) for k in range(4)]
    made = planned(nodes, [*running, *halves], config=SPREAD)
    assert spots(made) == {"w0.0": "b: b-0", "w1.0": "a: a-1", "w2.0": "b: b-1", "w3.0": "a: a-0"}


@pytest.mark.parametrize(("config", "expected"), [({}, "b"), (SPREAD, "c")])
def test_whole_devices_go_by_free_devices(config: dict[str, Any], expected: str) -> None:
    """Packed, by their number; spread, by the free part of the node, so that one of two is as free as two of four."""
    nodes = [node("d", gpus=4), node("c", gpus=3), node("b", gpus=2)]
    busy = [held("r", "b", "b-0", request=gpu(1)), held("s", "d", "d-0", "d-1", request=gpu(2))]
    made = planned(nodes, [*busy, work("w", request=gpu(1))], config=config)
    assert made.binds[0].node == expected
    if config == SPREAD:
        made = planned(nodes[::2], [*busy, work("w", request=gpu(1))], config=config)
        assert made.binds[0].node == "b"


def test_work_without_devices_prefers_nodes_without_devices() -> None:
    made = planned([node("a", gpus=1), node("b")], [work("w", request={"cpu_milli": 1000})])
    assert spots(made) == {"w.0": "b"}


@pytest.mark.parametrize(
    "fields",
    [
        {"ready": False},
        {"max_tasks": 0},
        {"cpu_milli": 999},
        {"memory_mib": 999},
        {"pool": "other"},
        {"taints": [{"key": "dedicated", "value": "x"}]},
        {"taints": [{"key": "dedicated", "effect": "NoExecute"}]},
        {"labels": {"disk": "hdd"}},
        {"gpus": [{"id": "a-0", "model": "L4"}]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_node_that_does_not_qualify_is_passed_over(fields: dict[str, Any]) -> None:
    qualified = node("z", labels={"disk": "ssd"}) | {"gpus": [{"id": "z-0", "model": "H100"}]}
    unqualified = node("a", labels={"disk": "ssd"}) | {"gpus": [{"id": "a-0", "model": "H100"}]} | fields
    asked = gpu(1, cpu_milli=1000, memory_mib=1000, models=["A100", "H100"])
    picky = task("w.0", asked, node_selector={"disk": "ssd"})
    assert spots(planned([unqualified, qualified], [work("w", picky)])) == {"w.0": "z: z-0"}
    assert spots(planned([unqualified], [work("w", picky)])) == {}
    assert verdict(planned([unqualified], [work("w", picky)]), "w").state == "pending"


def test_tolerations_open_tainted_nodes() -> None:
    tainted = node("n", gpus=1, taints=[{"key": "k", "value": "v"}])
    for toleration in ({"key": "k", "value": "v"}, {"key": "k", "operator": "Exists"}, {"operator": "Exists"}):
        made = planned([tainted], [work("w", task("w.0", gpu(1), tolerations=[toleration]))])
        assert spots(made) == {"w.0": "n: n-0"}, toleration
    for toleration in ({"key": "k", "value": "u"}, {"key": "k", "operator": "Exists", "effect": "NoExecute"}):
        assert not planned([tainted], [work("w", task("w.0", gpu(1), tolerations=[toleration]))]).binds


def test_preferring_to_stay_away_is_no_refusal() -> None:
    soft = node("n", gpus=1, taints=[{"key": "k", "effect": "PreferNoSchedule"}])
    assert planned([soft], [work("w", request=gpu(1))]).binds


def test_only_named_nodes_are_used_and_unknown_names_match_nothing() -> None:
    nodes = [node("a", gpus=1), node("b", gpus=1)]
    made = planned(nodes, [work("w", task("w.0", gpu(1), node_names=["ghost", "b"]))])
    assert spots(made) == {"w.0": "b: b-0"}


def test_what_is_over_already_stays_over_and_takes_nothing_new() -> None:
    """Two tasks sit on one device, one of them whole: the plan leaves them and adds nothing there."""
    running = [held("r1", "n", "n-0", request=gpu(1)), held("r2", "n", "n-0", request=gpu("0.5"))]
    made = planned([node("n", gpus=1)], [*running, work("w", request=gpu("0.1"))])
    assert not made.binds
    assert not made.evictions


def test_resources_of_vanished_nodes_and_devices_are_not_needed() -> None:
    made = planned([node("n", gpus=1)], [held("r", "gone", "gone-0", request=gpu(1)), work("w", request=gpu(1))])
    assert spots(made) == {"w.0": "n: n-0"}


def test_pools_are_tried_in_order_and_each_has_its_own_quota() -> None:
    nodes = [node("a", gpus=1, pool="fast"), node("b", gpus=2)]
    queues = [{"name": "q", "gpu": {"quota": 1, "limit": 1}, "pools": {"fast": {"gpu": {"quota": 1, "limit": 1}}}}]
    jobs = [work(f"w{k}", request=gpu(1), pools=["fast", "default"], created=k) for k in range(3)]
    made = planned(nodes, jobs, queues)
    assert spots(made) == {"w0.0": "a: a-0", "w1.0": "b: b-0"}
    assert verdict(made, "w2").code == "over_limit"


def test_a_request_by_memory_is_charged_the_device_it_gets() -> None:
    """Limit half a device: 5000 MiB is half of the large device and all of the small one."""
    small = node("a") | {"gpus": [{"id": "small", "memory_mib": 5000}]}
    large = node("b") | {"gpus": [{"id": "large", "memory_mib": 10_000}]}
    queues = [{"name": "q", "gpu": {"quota": None, "limit": 0.5}}]
    made = planned([small, large], [work("w", request={"gpu_memory_mib": 5000})], queues)
    assert spots(made) == {"w.0": "b: large"}


def test_a_gang_charged_by_memory_finds_the_devices_that_keep_it_within_its_limit() -> None:
    small = node("a") | {"gpus": [{"id": "small", "memory_mib": 6000}]}
    large = node("b") | {"gpus": [{"id": "large", "memory_mib": 12_000}]}
    queues = [{"name": "q", "gpu": {"quota": None, "limit": 0.5}}]
    made = planned([small, large], [work("w", request={"gpu_memory_mib": 3000}, count=2)], queues)
    assert spots(made) == {"w.0": "b: large", "w.1": "b: large"}


def test_a_share_joins_a_shared_device_before_it_opens_one_on_a_fuller_node() -> None:
    nodes = [node("a", gpus=2), node("b", gpus=4)]
    running = [held("r1", "a", "a-0", request=gpu(1)), held("r2", "b", "b-0", request=gpu("0.5"))]
    assert spots(planned(nodes, [*running, work("w", request=gpu("0.5"))])) == {"w.0": "b: b-0"}


def test_a_start_in_a_later_pool_comes_before_a_wait_in_an_earlier_one() -> None:
    nodes = [node("a", gpus=1, pool="fast"), node("b", gpus=1)]
    leaving = work("r", task("r.0", gpu(1), state="releasing", node="a", gpu_ids=["a-0"]))
    queues = [{"name": "q", "gpu": {"quota": None}, "pools": {"fast": {"gpu": {"quota": None}}}}]
    made = planned(nodes, [leaving, work("w", request=gpu(1), pools=["fast", "default"])], queues)
    assert spots(made) == {"w.0": "b: b-0"}


def test_device_memories_that_share_no_measure_change_nothing() -> None:
    """Exact units then exceed 64 bits: the same work still goes to the same places."""
    nodes = [node("a", gpus=2), node("b", gpus=3), node("c")]
    jobs = [work(f"w{k}", request=gpu(["0.3", 1, "0.6"][k % 3]), created=k) for k in range(6)]
    jobs.append(work("by-memory", request={"gpu_memory_mib": 2500}))
    jobs.append(work("cpu", request={"cpu_milli": 10}))
    primes = [9973, 9967, 9949, 9941, 9931, 9929]
    odd = node("odd", ready=False) | {"gpus": [{"id": f"p{prime}", "memory_mib": prime} for prime in primes]}
    for config in ({}, SPREAD):
        plain, exact = (planned([*nodes, *more], jobs, config=config) for more in ([], [odd]))
        assert spots(exact) == spots(plain)
        assert len(plain.binds) == 8
