"""Rules on evictions and verdicts: a plan that breaks only that rule, beside its smallest valid neighbour."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from scheduler_core.model import (
    Bind,
    Group,
    Nomination,
    Plan,
    Queue,
    Snapshot,
    Verdict,
)
from scheduler_core.planning.check import check
from tests.planning.generate import snapshot as random_snapshot
from tests.planning.plans import FREE, NOW, at, broken, evict, node, on, snap, task, work

# Evictions

BOTH = Queue(name="q", gpu=FREE), Queue(name="v", gpu=FREE)


def taken(*, config: dict[str, Any] | None = None, queues: tuple[Queue, ...] = BOTH, **victim: Any) -> Snapshot:
    """Two nodes of one device; "v" runs on the first in queue v and "w" waits in queue q."""
    fields: dict[str, Any] = {"queue": "v", "started": NOW - 50} | victim
    tasks = fields.pop("tasks", (on("n.0", task("v")),))
    return snap(node("n"), node("m"), *queues, work("v", *tasks, **fields), work("w", task("t")), **(config or {}))


def test_evictions_name_running_tasks() -> None:
    """Of the right workload, once, on devices that exist."""
    state = taken()
    good = evict("v/v>w")
    assert broken(state, (), ("t@n.0",), (good,)) == []
    assert broken(state, (), ("t@n.0",), (good, good)) == ["evict_twice"]
    assert broken(state, (), ("t@n.0",), (good, evict("x/v>w"))) == ["evict_unknown"]
    assert broken(state, (), ("t@n.0",), (good, evict("t/w>w"))) == ["evict_state"]
    assert broken(state, (), ("t@n.0",), (evict("v/w>w"),)) == ["evict_workload"]
    gone = taken(tasks=(on("n.9", task("v")),))
    assert broken(gone, (), ("t@n.0",), (good,)) == ["evict_state"]


def test_non_preemptible_work_is_no_victim() -> None:
    """Unless it is a stale gang."""
    assert broken(taken(preemptible=False), (), ("t@n.0",), (evict("v/v>w"),)) == ["evict_non_preemptible"]
    assert broken(taken(preemptible=True, priority=100), (), ("t@n.0",), (evict("v/v>w"),)) == []
    below: dict[str, Any] = {"groups": (Group(name="default", min_members=2),), "stale_since": NOW - 60}
    assert broken(taken(preemptible=False, **below), (), (), (evict("v/v>", "stale_gang"),)) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"stale_since": NOW - 59}, ["evict_stale"]),
        ({"stale_since": None}, ["evict_stale"]),
        ({"stale_since": None, "config": {"stale_gang_grace_s": 0.0}}, []),
        ({"config": {"stale_gang_grace_s": -1.0}}, ["evict_stale"]),
        ({"groups": None}, ["evict_stale"]),
        ({"tasks": (on("n.0", task("v")), replace(task("d"), state="done"))}, ["evict_stale"]),
        ({"tasks": (on("n.0", task("v")), on("m.0", task("r"), "releasing"))}, ["evict_stale"]),
    ],
)
def test_stale_gangs(change: dict[str, Any], expected: list[str]) -> None:
    """A gang is stale when it is below its minimum for the grace and none of its tasks is done."""
    stale: dict[str, Any] = {"groups": (Group(name="default", min_members=2),), "stale_since": NOW - 60} | change
    assert broken(taken(**stale), (), (), (evict("v/v>", "stale_gang"),)) == expected


@pytest.mark.parametrize(("started", "expected"), [(NOW - 59, ["evict_protected"]), (NOW - 60, []), (None, [])])
def test_minimum_runtime_protects(started: float | None, expected: list[str]) -> None:
    """Until it is over; consolidation respects the value for reclaim."""
    queues = BOTH[0], replace(BOTH[1], reclaim_min_runtime_s=60.0)
    state = taken(started=started, queues=queues)
    assert broken(state, (), ("t@n.0",), (evict("v/v>w"),)) == expected
    assert broken(state, (), ("t@n.0", "v@m.0"), (evict("v/v>w", "consolidate"),)) == expected


def test_reclaim_protection_starts_below_the_common_ancestor() -> None:
    """What the victim's leaf says counts only where the two queues part there."""
    far = Queue(name="side", gpu=FREE), Queue(name="v", parent="side", gpu=FREE, reclaim_min_runtime_s=60.0), BOTH[0]
    near = (*far[:2], Queue(name="q", parent="side", gpu=FREE))
    assert broken(taken(queues=far), (), ("t@n.0",), (evict("v/v>w"),)) == []
    assert broken(taken(queues=near), (), ("t@n.0",), (evict("v/v>w"),)) == ["evict_protected"]


def test_preempt_protection_is_inherited_from_the_leaf_upwards() -> None:
    """The first value set on the way up counts."""
    above = Queue(name="top", gpu=FREE, preempt_min_runtime_s=60.0)
    for own, expected in ((None, ["evict_protected"]), (10.0, [])):
        leaf = Queue(name="q", parent="top", gpu=FREE, preempt_min_runtime_s=own)
        state = taken(queue="q", priority=40, queues=(above, leaf))
        assert broken(state, (), ("t@n.0",), (evict("v/v>w", "preempt"),)) == expected


def test_surplus_is_not_protected() -> None:
    """A protected workload may be trimmed down to its minimum, no further."""
    queues = BOTH[0], replace(BOTH[1], reclaim_min_runtime_s=60.0)
    tasks = on("n.0", task("v")), on("m.0", task("u"))
    for minimum, expected in ((1, []), (2, ["evict_protected"])):
        state = taken(tasks=tasks, queues=queues, groups=(Group(name="default", min_members=minimum),))
        assert broken(state, (), ("t@n.0",), (evict("v/v>w"),)) == expected


def test_evictions_have_a_nominated_beneficiary() -> None:
    """Somebody waits for each victim's place, and is nominated rather than bound."""
    state = taken()
    assert broken(state, (), (), (evict("v/v>w"),)) == ["evict_beneficiary"]
    assert broken(state, (), ("t@n.0",), (evict("v/v>nobody"),)) == ["evict_beneficiary"]
    assert broken(state, (), ("t@n.0",), (evict("v/v>w"),)) == []


def test_work_that_needs_an_eviction_is_never_bound() -> None:
    """Also where one of its tasks would go to an idle device."""
    gang = work("w", task("a"), task("b"))
    state = snap(node("n"), node("m"), *BOTH, work("v", on("n.0", task("v")), queue="v"), gang)
    assert broken(state, ("b@m.0",), ("a@n.0",), (evict("v/v>w"),)) == ["bound_beneficiary"]
    assert broken(state, (), ("a@n.0", "b@m.0"), (evict("v/v>w"),)) == []


@pytest.mark.parametrize(
    ("action", "queue", "priority", "expected"),
    [
        ("reclaim", "v", 50, []),
        ("reclaim", "q", 50, ["evict_scope"]),
        ("preempt", "q", 49, []),
        ("preempt", "q", 50, ["evict_scope"]),
        ("preempt", "v", 49, ["evict_scope"]),
    ],
)
def test_actions_have_their_victims(action: str, queue: str, priority: int, expected: list[str]) -> None:
    """Reclaim takes from other queues, preempt from lower priorities of the same one."""
    assert broken(taken(queue=queue, priority=priority), (), ("t@n.0",), (evict("v/v>w", action),)) == expected


def test_consolidation_is_for_preemptible_work() -> None:
    """Non-preemptible work moves nobody."""
    for priority, expected in ((100, ["evict_scope"]), (99, [])):
        gainer = work("w", task("t"), priority=priority)
        state = snap(node("n"), node("m"), work("v", on("n.0", task("v"))), gainer)
        assert broken(state, (), ("t@n.0", "v@m.0"), (evict("v/v>w", "consolidate"),)) == expected


def test_consolidation_places_what_it_moves() -> None:
    """Elsewhere, and no more workloads than the configuration allows."""
    moved = (evict("v/v>w", "consolidate"),)
    assert broken(taken(), (), ("t@n.0", "v@m.0"), moved) == []
    assert broken(taken(), (), ("t@n.0",), moved) == ["consolidation"]
    assert broken(taken(config={"max_consolidation_victims": 0}), (), ("t@n.0", "v@m.0"), moved) == ["consolidation"]
    assert broken(taken(), (), ("t@m.0", "v@n.0"), moved) == ["evict_in_place"]


def test_reclaim_may_re_place_its_victims_where_allowed() -> None:
    """allow_consolidating_reclaim decides."""
    for allowed, expected in ((True, []), (False, ["consolidation"])):
        state = taken(config={"allow_consolidating_reclaim": allowed})
        assert broken(state, (), ("t@n.0", "v@m.0"), (evict("v/v>w"),)) == expected


def test_actions_that_are_off_do_nothing() -> None:
    """Evictions, binds and nominations each need an action that makes them."""
    cases: list[tuple[tuple[str, ...], list[str], list[str], list[str]]] = [
        (("allocate", "reclaim"), [], [], []),
        (("allocate",), ["action_off"], [], []),
        (("reclaim",), [], ["action_off"], []),
        (("stale_gang",), ["action_off"] * 2, ["action_off"], ["action_off"]),
    ]
    for actions, evicting, binding, nominating in cases:
        state = taken(config={"actions": actions})
        assert broken(state, (), ("t@n.0",), (evict("v/v>w"),)) == evicting
        assert broken(state, ("t@m.0",)) == binding
        assert broken(state, (), ("t@m.0",)) == nominating


# Verdicts


def test_verdicts_tell_what_the_plan_does() -> None:
    """One for each workload that waits, none for others, in the state the placements say."""
    elastic = {"groups": (Group(name="default", min_members=0),)}
    state = snap(node("n", 3), work("w", task("a"), task("b"), **elastic), work("r", on("n.2", task("r"))))
    both = Bind(**at("a@n.0")), Bind(**at("b@n.1"))

    def rules(plan: Plan, **verdicts: Any) -> list[str]:
        entries = tuple(Verdict(workload=w, state=s, code="placed", message="") for w, s in verdicts.items())
        return [violation.rule for violation in check(state, replace(plan, verdicts=plan.verdicts + entries))]

    assert rules(Plan()) == ["verdict_missing"]
    assert rules(Plan(), w="pending", r="pending") == ["verdict_extra"]
    twice = Plan(verdicts=(Verdict(workload="w", state="pending", code="placed", message=""),))
    assert rules(twice, w="pending") == ["verdict_twice"]
    nominated = Plan(nominations=(Nomination(**at("a@n.0")),))
    half, whole = Plan(binds=both[:1]), Plan(binds=both)
    plans = {"pending": Plan(), "nominated": nominated, "partly_placed": half, "placed": whole}
    for said in plans:
        for true, plan in plans.items():
            assert rules(plan, w=said) == ([] if said == true else ["verdict_state"])


# Random snapshots


@pytest.mark.parametrize("block", range(4))
def test_doing_nothing_is_valid(block: int) -> None:
    """Whatever the start state looks like; and the generator keeps to the contract."""
    for seed in range(block * 50, block * 50 + 50):
        state = random_snapshot(seed)
        assert msgspec.json.decode(msgspec.json.encode(state), type=Snapshot) == state
        assert broken(state) == []


def test_order_of_the_snapshot_does_not_matter() -> None:
    """Shuffled lists give the same violations of a plan that binds at random."""
    chance = random.Random(7)
    found = 0
    for seed in range(60):
        state = random_snapshot(seed)
        waiting = [t for w in state.workloads for t in w.tasks if t.state == "pending"]
        binds = tuple(Bind(task=t.id, node=chance.choice(state.nodes).name) for t in waiting)
        lists = {
            name: chance.sample(entries, len(entries))
            for name in ("nodes", "queues", "workloads")
            if (entries := getattr(state, name))
        }
        shuffled = replace(state, **{name: tuple(entries) for name, entries in lists.items()})
        first, second = (check(s, Plan(binds=binds)) for s in (state, shuffled))
        assert sorted(first, key=repr) == sorted(second, key=repr)
        found += len(first)
    assert found > 1000
