"""Gangs: all or nothing, subgroups, elastic growth, topology, and places held on releasing resources."""

from __future__ import annotations

from typing import Any

import pytest

from tests.planning.build import codes, gpu, held, node, planned, promises, queue, spots, task, verdict, work

ONE = gpu(1)


def group(name: str, min_members: int = 0, **fields: Any) -> dict[str, Any]:
    return {"name": name, "min_members": min_members, **fields}


def test_a_gang_that_does_not_fit_leaves_its_room_to_others() -> None:
    nodes = [node("a", gpus=2), node("b", gpus=1)]
    made = planned(nodes, [work("gang", request=ONE, count=4, created=1), work("small", request=ONE, created=2)])
    assert list(spots(made)) == ["small.0"]
    assert codes(made) == {"gang": "never_fits", "small": "placed"}


def test_a_gang_waits_for_tasks_that_are_not_there() -> None:
    made = planned([node("n", gpus=4)], [work("w", request=ONE, count=2, groups=[group("default", 3)])])
    assert not made.binds
    assert verdict(made, "w").code == "gang_incomplete"
    assert "2 of the 3 tasks" in verdict(made, "w").message


def test_a_gang_whose_missing_tasks_are_gated_says_so() -> None:
    tasks = [task("w.0", ONE), task("w.1", ONE, state="gated")]
    made = planned([node("n", gpus=4)], [work("w", *tasks)])
    assert (not made.binds, verdict(made, "w").code) == (True, "gated")


def test_a_gang_reaches_its_minimum_with_the_tasks_that_run() -> None:
    tasks = [task("w.0", ONE, state="running", node="n", gpu_ids=["n-0"]), task("w.1", ONE)]
    assert spots(planned([node("n", gpus=2)], [work("w", *tasks)])) == {"w.1": "n: n-1"}


def test_elastic_work_grows_one_task_at_a_time_so_that_others_come_in_between() -> None:
    """Both start at their minimum of one, then take turns by share until three devices are used up."""
    elastic = [group("default", 1)]
    queues = [queue("q1", {"quota": 1}), queue("q2", {"quota": 1})]
    made = planned(
        [node("n", gpus=4)],
        [
            work("a", request=ONE, count=4, groups=elastic, queue="q1"),
            work("b", request=ONE, count=4, groups=elastic, queue="q2"),
        ],
        queues,
    )
    assert sorted(spots(made)) == ["a.0", "a.1", "b.0", "b.1"]
    assert {v.workload: v.state for v in made.verdicts} == {"a": "partly_placed", "b": "partly_placed"}


def test_tasks_of_higher_priority_are_the_ones_that_start() -> None:
    tasks = [task("w.0", ONE), task("w.1", ONE, priority=5), task("w.2", ONE, priority=1)]
    made = planned([node("n", gpus=2)], [work("w", *tasks, groups=[group("default", 0)])])
    assert sorted(spots(made)) == ["w.1", "w.2"]


def test_one_of_two_subgroups_is_enough_where_the_parent_says_so() -> None:
    """The first subgroup asks for more than there is; the second one carries the workload."""
    groups = [group("top", min_subgroups=1), group("big", 3, parent="top"), group("small", 1, parent="top")]
    big = [task(f"big.{k}", ONE, group="big") for k in range(3)]
    made = planned([node("n", gpus=2)], [work("w", *big, task("small.0", ONE, group="small"), groups=groups)])
    assert list(spots(made)) == ["small.0"]


def test_all_subgroups_are_needed_unless_said_otherwise() -> None:
    groups = [group("top"), group("x", 1, parent="top"), group("y", 2, parent="top")]
    tasks = [task("x.0", ONE, group="x"), task("y.0", ONE, group="y"), task("y.1", ONE, group="y")]
    assert not planned([node("n", gpus=2)], [work("w", *tasks, groups=groups)]).binds
    assert len(planned([node("n", gpus=3)], [work("w", *tasks, groups=groups)]).binds) == 3


def test_a_further_subgroup_joins_whole_or_not_at_all() -> None:
    groups = [group("top", min_subgroups=1), group("x", 2, parent="top"), group("y", 2, parent="top")]
    tasks = [task(f"{name}.{k}", ONE, group=name) for name in "xy" for k in range(2)]
    assert sorted(spots(planned([node("n", gpus=3)], [work("w", *tasks, groups=groups)]))) == ["x.0", "x.1"]
    assert len(planned([node("n", gpus=4)], [work("w", *tasks, groups=groups)]).binds) == 4


def racks(**free: int) -> list[dict[str, Any]]:
    """Nodes named ZONE_RACK with so many devices."""
    return [node(name, gpus=count, labels={"zone": name[0], "rack": name}) for name, count in free.items()]


def topology(**fields: str) -> dict[str, Any]:
    return {"levels": ["zone", "rack"], **fields}


def test_the_zone_with_least_room_is_taken_and_in_it_the_fewest_racks() -> None:
    nodes = racks(A1=2, A2=1, A3=1, A4=1, B1=2, B2=2, B3=2)
    made = planned(nodes, [work("w", request=ONE, count=3, topology=topology(required="zone", preferred="rack"))])
    assert sorted(bind.node for bind in made.binds) == ["A1", "A1", "A2"]


def test_the_preferred_level_is_kept_where_it_fits() -> None:
    made = planned(
        racks(A1=2, A2=1, B1=3),
        [work("w", request=ONE, count=3, topology=topology(required="zone", preferred="rack"))],
    )
    assert {bind.node for bind in made.binds} == {"B1"}


def test_a_required_domain_that_is_too_small_is_never_split() -> None:
    work_of_four = work("w", request=ONE, count=4, topology=topology(required="zone"))
    made = planned(racks(A1=3, B1=3), [work_of_four])
    assert not made.binds
    assert verdict(made, "w").code == "never_fits"
    busy = held("r", "A1", "A1-0", request=ONE)
    made = planned(racks(A1=4, B1=3), [busy, work_of_four], config={"max_consolidation_victims": 0})
    assert not made.binds
    assert verdict(made, "w").code == "topology_does_not_fit"


def test_nodes_without_the_label_are_out_and_preference_alone_excludes_nothing() -> None:
    nodes = [node("bare", gpus=2)]
    assert not planned(nodes, [work("w", request=ONE, topology=topology(required="zone"))]).binds
    assert planned(nodes, [work("w", request=ONE, topology=topology(preferred="rack"))]).binds


def test_new_tasks_join_the_domain_in_which_the_others_run() -> None:
    tasks = [task("w.0", ONE, state="running", node="B1", gpu_ids=["B1-0"]), task("w.1", ONE)]
    made = planned(racks(A1=1, B1=2), [work("w", *tasks, topology=topology(required="zone"))])
    assert spots(made) == {"w.1": "B1: B1-1"}


def test_subgroups_may_each_have_a_rack_of_their_own() -> None:
    rack = topology(required="rack")
    groups = [group("x", 2, topology=rack), group("y", 2, topology=rack)]
    tasks = [task(f"{name}.{k}", ONE, group=name) for name in "xy" for k in range(2)]
    made = planned(racks(A1=3, A2=2), [work("w", *tasks, groups=groups)])
    homes = {bind.task: bind.node for bind in made.binds}
    assert homes["x.0"] == homes["x.1"] != homes["y.0"] == homes["y.1"]


def test_work_waits_in_place_for_resources_that_are_releasing() -> None:
    leaving = held("r", "n", "n-0", request=ONE, state="releasing")
    made = planned([node("n", gpus=1)], [leaving, work("w", request=ONE)])
    assert (spots(made), promises(made)) == ({}, {"w.0": "n: n-0"})
    assert (verdict(made, "w").state, verdict(made, "w").code) == ("nominated", "waiting_release")


def test_a_gang_that_needs_one_releasing_device_is_nominated_as_a_whole() -> None:
    leaving = held("r", "n", "n-0", request=ONE, state="releasing")
    made = planned(
        [node("n", gpus=2)], [leaving, work("gang", request=ONE, count=2), work("late", request=ONE, created=9)]
    )
    assert (spots(made), promises(made)) == ({}, {"gang.0": "n: n-1", "gang.1": "n: n-0"})
    assert verdict(made, "late").state == "pending"


def test_nothing_is_nominated_on_a_stuck_task() -> None:
    stuck = held("r", "n", "n-0", request=ONE, state="stuck")
    made = planned([node("n", gpus=1)], [stuck, work("w", request=ONE)])
    assert (made.binds, made.nominations) == ((), ())


def test_a_share_starts_on_an_idle_device_rather_than_wait_for_a_shared_one() -> None:
    leaving = held("r", "n", "n-0", request=gpu("0.5"), state="releasing")
    staying = held("s", "n", "n-0", request=gpu("0.5"))
    made = planned([node("n", gpus=2)], [leaving, staying, work("w", request=gpu("0.5"))])
    assert spots(made) == {"w.0": "n: n-1"}


@pytest.mark.parametrize("state", ["done", "failed"])
def test_ended_tasks_hold_nothing_and_count_for_nothing(state: str) -> None:
    tasks = [task("w.0", ONE, state=state, node="n", gpu_ids=["n-0"]), task("w.1", ONE)]
    made = planned([node("n", gpus=1)], [work("w", *tasks)])
    assert verdict(made, "w").code == "gang_incomplete"
    made = planned([node("n", gpus=1)], [work("w", *tasks, groups=[group("default", 1)])])
    assert spots(made) == {"w.1": "n: n-0"}


def test_unequal_tasks_find_the_packing_that_list_order_misses() -> None:
    """0.3 and 0.3 first would share a device and leave no room for the second 0.7."""
    sizes = ["0.3", "0.3", "0.7", "0.7"]
    tasks = [task(f"w.{k}", gpu(size)) for k, size in enumerate(sizes)]
    assert len(planned([node("n", gpus=2)], [work("w", *tasks)]).binds) == 4
