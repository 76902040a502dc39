"""Fragmentation gradient descent on examples small enough to work out by hand.

F is what typical work cannot use of a node's free thousandths, d how much F drops; the score is
trunc(100 / (1 + exp(-d / 1000))), and the highest wins, then the first node by name or device by list order.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.planning.build import gpu, held, node, planned, spots, work


def fgd(*typical: tuple[Any, float], models: dict[int, list[str]] | None = None) -> dict[str, Any]:
    """The configuration with these requests and weights; `models` by position."""
    kinds = [
        {"request": request if isinstance(request, dict) else gpu(request), "weight": weight}
        | ({"models": models[k]} if models and k in models else {})
        for k, (request, weight) in enumerate(typical)
    ]
    return {"placement": "fgd", "typical": kinds}


def test_a_share_joins_another_where_an_idle_device_is_worth_more_whole() -> None:
    """On a: F goes from 0 to 800 / 2, d = -400, score 40. On b: from 600 / 2 to 400 / 2, d = 100, score 52."""
    nodes = [node("a", gpus=1), node("b", gpus=1)]
    jobs = [held("r", "b", "b-0", request=gpu("0.4")), work("x", request=gpu("0.2"))]
    assert spots(planned(nodes, jobs, config=fgd((1, 1), ("0.2", 1)))) == {"x.0": "b: b-0"}


def test_the_device_is_the_one_whose_rest_is_of_use() -> None:
    """n-0 keeps 400, enough for a typical 0.4: d = 0, score 50. n-1 would keep a useless 200: d = -200, score 45."""
    running = [held("r0", "n", "n-0", request=gpu("0.3")), held("r1", "n", "n-1", request=gpu("0.5"))]
    jobs = [*running, work("x", request=gpu("0.3"))]
    assert spots(planned([node("n", gpus=2)], jobs, config=fgd(("0.4", 1)))) == {"x.0": "n: n-0"}
    assert spots(planned([node("n", gpus=2)], jobs)) == {"x.0": "n: n-1"}


def test_near_ties_go_to_the_first_node() -> None:
    """On a a rest of 30 becomes useless, on b one of 20: d = -30 and -20 are both a score of 49."""
    nodes = [node("a", gpus=1), node("b", gpus=1)]
    running = [held("ra", "a", "a-0", request=gpu("0.95")), held("rb", "b", "b-0", request=gpu("0.96"))]
    jobs = [*running, work("x", request=gpu("0.02"))]
    assert spots(planned(nodes, jobs, config=fgd(("0.04", 1)))) == {"x.0": "a: a-0"}


def test_work_that_takes_any_model_goes_where_typical_work_cannot() -> None:
    """On a: F is 0 before and after, score 50. On b all of 1000 was useless, and none is left: d = 1000, score 73."""
    a = node("a") | {"gpus": [{"id": "a-0", "model": "A100"}]}
    b = node("b") | {"gpus": [{"id": "b-0", "model": "L4"}]}
    config = fgd((1, 1), models={0: ["A100"]})
    assert spots(planned([a, b], [work("x", request=gpu(1))], config=config)) == {"x.0": "b: b-0"}


def test_cpu_is_not_taken_from_devices_that_typical_work_could_use() -> None:
    """2000 of a's 4000 leave its device useless: d = -1000, score 26. b has 6000 left: d = 0, score 50."""
    nodes = [node("a", gpus=1) | {"cpu_milli": 4000}, node("b", gpus=1) | {"cpu_milli": 8000}]
    config = fgd((gpu("0.5", cpu_milli=4000), 1))
    assert spots(planned(nodes, [work("x", request={"cpu_milli": 2000})], config=config)) == {"x.0": "b"}


def test_the_weights_are_shares_whatever_their_sum() -> None:
    """x leaves a 0.4 on a, useless to the 0.5, or 0.5 on b, useless to the 0.6: the frequent kind decides."""
    nodes = [node("a", gpus=1), node("b", gpus=1)]
    running = [held("ra", "a", "a-0", request=gpu("0.5")), held("rb", "b", "b-0", request=gpu("0.4"))]
    jobs = [*running, work("x", request=gpu("0.1"))]
    assert spots(planned(nodes, jobs, config=fgd(("0.5", 30), ("0.6", 10)))) == {"x.0": "b: b-0"}
    assert spots(planned(nodes, jobs, config=fgd(("0.5", 10), ("0.6", 30)))) == {"x.0": "a: a-0"}


def test_without_a_typical_mix_the_tasks_of_the_snapshot_are_it() -> None:
    """Four 0.4, two 0.3 and one 0.5 run or wait. n-0 would lose 400 to the 0.5 (d = -400 / 7, score 48); n-1 would
    lose 200 to all (d = -200, score 45)."""
    running = [held(f"m{k}", "m", f"m-{k % 2}", request=gpu("0.4")) for k in range(4)]
    running += [held("r0", "n", "n-0", request=gpu("0.3")), held("r1", "n", "n-1", request=gpu("0.5"))]
    jobs = [*running, work("x", request=gpu("0.3"))]
    made = planned([node("m", gpus=2), node("n", gpus=2)], jobs, config={"placement": "fgd"})
    assert spots(made) == {"x.0": "n: n-0"}


def test_kinds_beyond_the_most_frequent_95_percent_do_not_count() -> None:
    """Nineteen 0.5 are 95 % of the tasks. Were the whole device a twentieth of the mix, a would lose 500 / 20 with its
    last idle device (score 49), and b would win at 50."""
    nodes = [node("a", gpus=1), node("b", gpus=1)]
    jobs = [held("r", "b", "b-0", request=gpu("0.5"))]
    jobs += [work("x", request=gpu("0.5"), created=1), work("many", request=gpu("0.5"), count=17, created=2)]
    rare = work("rare", request=gpu(1), created=3)
    assert spots(planned(nodes, [*jobs, rare], config={"placement": "fgd"}))["x.0"] == "a: a-0"
    frequent = [work(f"rare{k}", request=gpu(1), created=3) for k in range(2)]
    assert spots(planned(nodes, [*jobs, *frequent], config={"placement": "fgd"}))["x.0"] == "b: b-0"


def test_the_same_share_on_several_devices_takes_those_that_score_best() -> None:
    """Each of n-0 and n-2 keeps a useful 400; n-1 would keep a useless 200."""
    running = [held(f"r{d}", "n", f"n-{d}", request=gpu(share)) for d, share in enumerate(["0.3", "0.5", "0.3"])]
    jobs = [*running, work("x", request=gpu("0.3", gpu_devices=2))]
    assert spots(planned([node("n", gpus=3)], jobs, config=fgd(("0.4", 1)))) == {"x.0": "n: n-0 n-2"}


def test_requests_by_memory_are_measured_in_shares_of_the_device() -> None:
    """5000 MiB are half of a's device, which keeps a useful half: score 50. They are a quarter of b's, which keeps a
    useless quarter beside the half that is held: d = -250, score 43."""
    a, b = (
        node(name) | {"gpus": [{"id": f"{name}-0", "memory_mib": mib}]} for name, mib in (("a", 10_000), ("b", 20_000))
    )
    jobs = [held("r", "b", "b-0", request=gpu("0.5")), work("x", request={"gpu_memory_mib": 5000})]
    assert spots(planned([b, a], jobs, config=fgd(("0.5", 1)))) == {"x.0": "a: a-0"}


@pytest.mark.parametrize("typical", [[], [{"request": {}, "weight": 0}], [{"request": {"mig": {"1g.10gb": 1}}}]])
def test_a_mix_that_says_nothing_leaves_the_order_of_names(typical: list[Any]) -> None:
    nodes = [node("b", gpus=1), node("a", gpus=2)]
    made = planned(nodes, [work("x", request=gpu("0.5"))], config={"placement": "fgd", "typical": typical})
    assert spots(made) == {"x.0": "a: a-0"}
