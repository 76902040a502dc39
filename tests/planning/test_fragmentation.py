"""The fragmentation policy: typical work is packed into what is free, and a task displaces the least of it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import replace

from scheduler_core import check, plan, plan_to_json
from scheduler_core.model import Placement
from tests.planning.build import gpu, held, node, planned, promises, snapshot, spots, task, verdict, work
from tests.planning.generate import snapshot as random_snapshot
from tests.planning.properties import shuffled

POLICIES = ("binpack", "spread", "fgd", "fragmentation")


def fragmentation(*typical: dict[str, Any]) -> dict[str, Any]:
    return {"placement": "fragmentation", "typical": list(typical)}


def kind(amount: Any, weight: float = 1, models: list[str] | None = None, **request: Any) -> dict[str, Any]:
    return {"request": gpu(amount, **request), "weight": weight, "models": models}


def of_model(name: str, model: str, count: int, **fields: Any) -> dict[str, Any]:
    return node(name, **fields) | {"gpus": [{"id": f"{name}-{d}", "model": model} for d in range(count)]}


def test_work_for_any_model_keeps_off_the_models_that_typical_work_asks_for() -> None:
    nodes = [of_model("a", "A100", 2), of_model("b", "L4", 2)]
    config = fragmentation(kind(1, models=["A100"]), kind(1))
    jobs = [work(f"x{k}", request=gpu(1)) for k in range(2)]
    assert set(spots(planned(nodes, jobs, config=config)).values()) == {"b: b-0", "b: b-1"}


def test_nothing_that_fits_is_refused() -> None:
    """The models are kept as long as there are others, and no longer."""
    nodes = [of_model("a", "A100", 2), of_model("b", "L4", 2)]
    config = fragmentation(kind(1, models=["A100"]))
    assert len(planned(nodes, [work(f"x{k}", request=gpu(1)) for k in range(4)], config=config).binds) == 4


def test_without_a_typical_mix_the_waiting_work_is_it() -> None:
    nodes = [of_model("a", "A100", 1), of_model("b", "L4", 1)]
    jobs = [work("any", request=gpu(1), created=0), work("picky", request=gpu(1, models=["A100"]), created=1)]
    assert spots(planned(nodes, jobs, config={"placement": "fragmentation"})) == {
        "any.0": "b: b-0",
        "picky.0": "a: a-0",
    }
    assert spots(planned(nodes, jobs)) == {"any.0": "a: a-0"}


def test_a_fifth_goes_beside_four_fifths() -> None:
    """n-0 has a half free, which is for a half; n-1 would be filled to the last."""
    running = [held("r0", "n", "n-0", request=gpu("0.5")), held("r1", "n", "n-1", request=gpu("0.8"))]
    config = fragmentation(kind("0.8"), kind("0.2"), kind("0.5"))
    made = planned([node("n", gpus=3)], [*running, work("x", request=gpu("0.2"))], config=config)
    assert spots(made) == {"x.0": "n: n-1"}


def test_a_rest_is_kept_for_the_share_that_fills_it() -> None:
    """0.6 is free on n-0 and 0.7 on n-1. A 0.4 leaves n-0 to a typical 0.6, though it is the fuller device."""
    running = [held("r0", "n", "n-0", request=gpu("0.4")), held("r1", "n", "n-1", request=gpu("0.3"))]
    jobs = [*running, work("x", request=gpu("0.4"))]
    config = fragmentation(kind("0.6"), kind("0.4"))
    assert spots(planned([node("n", gpus=2)], jobs, config=config)) == {"x.0": "n: n-1"}
    assert spots(planned([node("n", gpus=2)], jobs)) == {"x.0": "n: n-0"}


def test_work_with_little_cpu_goes_to_nodes_with_little_cpu() -> None:
    nodes = [node("a", gpus=2) | {"cpu_milli": 28_000}, node("b", gpus=2) | {"cpu_milli": 4000}]
    config = fragmentation(kind(1, cpu_milli=2000), kind(1, cpu_milli=14_000))
    light = [work(f"l{k}", request=gpu(1, cpu_milli=2000), created=k) for k in range(2)]
    heavy = [work(f"h{k}", request=gpu(1, cpu_milli=14_000), created=2 + k) for k in range(2)]
    made = planned(nodes, [*light, *heavy], config=config)
    assert {name: place[0] for name, place in spots(made).items()} == {
        "l0.0": "b",
        "l1.0": "b",
        "h0.0": "a",
        "h1.0": "a",
    }


def test_single_devices_leave_a_node_for_typical_work_on_four() -> None:
    nodes = [node("a", gpus=4), node("b", gpus=4)]
    config = fragmentation(kind(4), kind(1, weight=4))
    jobs = [work(f"x{k}", request=gpu(1), created=k) for k in range(4)]
    jobs.append(work("y", request=gpu(4), created=4))
    assert len(planned(nodes, jobs, config=config).binds) == 5


def test_work_without_devices_leaves_cpu_to_devices() -> None:
    """All of a's CPU is for its devices, and b has some over; a node without devices comes before both."""
    nodes = [node("a", gpus=2) | {"cpu_milli": 8000}, node("b", gpus=1) | {"cpu_milli": 8000}]
    config = fragmentation(kind(1, cpu_milli=4000))
    job = work("x", request={"cpu_milli": 2000})
    assert spots(planned(nodes, [job], config=config)) == {"x.0": "b"}
    assert spots(planned([*nodes, node("c") | {"cpu_milli": 2000}], [job], config=config)) == {"x.0": "c"}


@pytest.mark.parametrize("placement", POLICIES)
def test_sixteen_halves_fill_eight_devices_two_on_each(placement: str) -> None:
    halves = [work(f"w{k:02}", request=gpu("0.5")) for k in range(16)]
    places = list(spots(planned([node("n", gpus=8)], halves, config={"placement": placement})).values())
    assert {places.count(place) for place in places} == {2}
    assert len(places) == 16


@pytest.mark.parametrize("placement", POLICIES)
def test_every_policy_places_every_form_of_request(placement: str) -> None:
    cut = {"id": "cut", "mig": [{"profile": "1g.10gb", "count": 2}]}
    nodes = [node("a", gpus=3) | {"gpus": [*node("a", gpus=3)["gpus"], cut]}, node("b", gpus=2), node("c")]
    jobs = [
        work("whole", request=gpu(2), created=-1),
        work("share", request=gpu("0.3")),
        work("memory", request={"gpu_memory_mib": 4000}),
        work("several", request=gpu("0.4", gpu_devices=2)),
        work("slice", request={"mig": {"1g.10gb": 2}}),
        work("cpu", request={"cpu_milli": 100}),
        work("nothing"),
    ]
    assert len(planned(nodes, jobs, config={"placement": placement}).binds) == len(jobs)


@pytest.mark.parametrize("placement", ["fgd", "fragmentation"])
def test_a_start_now_comes_before_a_better_place_later(placement: str) -> None:
    """a's device fits x exactly, but is still being released; b's is idle."""
    leaving = work("r", task("r.0", gpu("0.5"), state="releasing", node="a", gpu_ids=["a-0"]))
    running = held("s", "a", "a-0", request=gpu("0.5"))
    jobs = [leaving, running, work("x", request=gpu("0.5"), created=1), work("y", request=gpu(1), created=2)]
    made = planned([node("a", gpus=1), node("b", gpus=1)], jobs, config={"placement": placement})
    assert spots(made) == {"x.0": "b: b-0"}
    made = planned([node("a", gpus=1)], jobs, config={"placement": placement})
    assert promises(made) == {"x.0": "a: a-0"}
    assert verdict(made, "y").state == "pending"


def test_a_mix_that_fits_nowhere_or_says_nothing_leaves_the_fullest_first() -> None:
    nodes = [node("a", gpus=2), node("b", gpus=2)]
    jobs = [held("r", "b", "b-0", request=gpu("0.5")), work("x", request=gpu("0.5"))]
    for typical in ([], [kind(64)], [{"request": {"gpu_memory_mib": 10**6}}], [{"request": {"cpu_milli": 1}}]):
        assert spots(planned(nodes, jobs, config=fragmentation(*typical))) == {"x.0": "b: b-0"}


@pytest.mark.parametrize("placement", ["fgd", "fragmentation"])
def test_the_order_of_lists_changes_nothing(placement: str) -> None:
    deal = random.Random(7)
    nodes = [
        of_model(f"n{k}", ["A100", "L4", "T4"][k % 3], 1 + k % 4) | {"cpu_milli": 8000 * (1 + k)} for k in range(9)
    ]
    asked = [gpu("0.3", cpu_milli=2000), gpu("0.8"), gpu(1, cpu_milli=9000), gpu(2), gpu("0.2", models=["L4", "A100"])]
    jobs = [work(f"w{k:02}", request=asked[k % 5] | {"memory_mib": deal.randrange(1000)}) for k in range(40)]
    expected = plan_to_json(plan(snapshot(nodes, jobs, config={"placement": placement})))
    for _ in range(5):
        deal.shuffle(nodes)
        deal.shuffle(jobs)
        assert plan_to_json(plan(snapshot(nodes, jobs, config={"placement": placement}))) == expected


@pytest.mark.parametrize("placement", ["fgd", "fragmentation"])
@pytest.mark.parametrize("seed", range(40))
def test_random_clusters_get_valid_plans_in_whatever_order_they_are_listed(seed: int, placement: Placement) -> None:
    made = random_snapshot(seed)
    start = replace(made, config=replace(made.config, placement=placement))
    expected = plan(start)
    assert check(start, expected) == []
    assert plan_to_json(plan(shuffled(start, seed))) == plan_to_json(expected)
