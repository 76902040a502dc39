"""Rules on placements, capacity, quotas and gangs: a plan that breaks one, beside its smallest valid neighbour."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from scheduler_core.model import (
    GpuQuota,
    Group,
    HostQuota,
    MigSlice,
    PoolQuota,
    Queue,
    Taint,
    Toleration,
    Topology,
)
from tests.planning.plans import FREE, at, broken, evict, gpu, node, on, sliced, snap, task, work

# Placements, one by one


def test_tasks_of_placements_exist_and_wait() -> None:
    """A strange task, a running one and one placed twice are each found."""
    state = snap(node("n", 3), work("w", task("t")), work("r", on("n.2", task("r"))))
    assert broken(state, ("x@n.0",)) == ["unknown_task"]
    assert broken(state, ("r@n.1",)) == ["task_state"]
    assert broken(state, (), ("r@n.1",)) == ["task_state"]
    assert broken(state, ("t@n.0",), ("t@n.1",)) == ["task_twice"]
    assert broken(state, ("t@n.0",)) == []


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ("unknown_node", {}, {"bind": "t@elsewhere"}),
        ("not_ready", {}, {"node": {"ready": False}}),
        ("node_names", {"task": {"node_names": ("n", "gone")}}, {"task": {"node_names": ("m",)}}),
        ("selector", {"node": {"labels": {"disk": "ssd"}}}, {"node": {"labels": {"disk": "hdd"}}}),
        ("taint", {"node": {"taints": (Taint(key="k", effect="PreferNoSchedule"),)}}, {}),
        ("taint", {"task": {"tolerations": (Toleration(key="k", operator="Exists"),)}}, {}),
        ("pool", {"work": {"pools": ("default", "p")}}, {"work": {"pools": ("p",)}}),
        ("queue", {}, {"work": {"queue": "nowhere"}}),
        ("queue", {}, {"work": {"queue": "top"}}),
        ("queue", {}, {"work": {"queue": "orphan"}}),
        ("devices", {"task": {"gpu": 2}, "bind": "t@n.0+n.1"}, {"task": {"gpu": 2}, "bind": "t@n.0"}),
        ("devices", {"task": {"gpu": 2}, "bind": "t@n.0+n.1"}, {"task": {"gpu": 2}, "bind": "t@n.0+n.0"}),
        ("unknown_device", {"bind": "t@n.0"}, {"bind": {"task": "t", "node": "n", "gpu_ids": ("m.0",)}}),
        (
            "device_form",
            {"task": {"gpu": 1}},
            {"task": {"gpu": "0.5"}, "node": {"gpus": (gpu("n.0", shareable=False),)}},
        ),
        ("device_form", {}, {"node": {"gpus": (sliced("n.0", _1g=7),)}}),
        ("model", {"task": {"models": ("L4", "")}}, {"task": {"models": ("L4",)}}),
    ],
)
def test_place_serves_the_task(rule: str, good: dict[str, Any], bad: dict[str, Any]) -> None:
    """Node, queue and devices must be ones the task may use; `good` and `bad` differ in one thing."""
    base: dict[str, Any] = {"task": {}, "node": {}, "work": {}, "bind": "t@n.0"}
    if rule == "selector":
        base["task"] = {"node_selector": {"disk": "ssd"}}
    if rule == "taint":
        base["node"] = {"taints": (Taint(key="k"),)}
    for case, expected in ((good, []), (bad, [rule])):
        fields = base | case
        amount = fields["task"].get("gpu", 1)
        rest = {key: value for key, value in fields["task"].items() if key != "gpu"}
        state = snap(
            node("n", **{"devices": 2} | fields["node"]),
            node("m", pool="other"),
            Queue(name="top", gpu=FREE),
            Queue(name="q", parent="top", gpu=FREE),
            Queue(name="orphan", parent="missing", gpu=FREE),
            work("w", task("t", amount, **rest), **fields["work"]),
        )
        assert broken(state, (fields["bind"],)) == expected


def test_memory_needs_a_device_of_known_memory() -> None:
    """A request by memory never goes to a device of memory 0."""
    state = snap(node("n", gpus=(gpu("n.0", memory_mib=0), gpu("n.1"))), work("w", task("t", 0, gpu_memory_mib=10)))
    assert "device_form" in broken(state, ("t@n.0",))
    assert broken(state, ("t@n.1",)) == []


def test_slices_match_the_request() -> None:
    """Profiles and counts are those asked for, each on a device that has them."""
    state = snap(node("n", gpus=(sliced("n.0", _1g=2, _3g=1),)), work("w", task("t", 0, mig={"1g.10gb": 2})))
    small, large = MigSlice(gpu="n.0", profile="1g.10gb"), MigSlice(gpu="n.0", profile="3g.10gb")
    assert broken(state, (at("t@n", mig_slices=(small, large)),)) == ["slices"]
    assert broken(state, (at("t@n", mig_slices=(small, small)),)) == []


# Capacity


@pytest.mark.parametrize(
    ("fields", "request_fields"),
    [({"cpu_milli": 1000}, {"cpu_milli": 600}), ({"memory_mib": 1000}, {"memory_mib": 600}), ({"max_tasks": 1}, {})],
)
def test_node_is_not_overfilled(fields: dict[str, int], request_fields: dict[str, int]) -> None:
    """Two tasks that fit one by one do not fit together."""
    pair = [work(name, task(name, 0, **request_fields)) for name in ("a", "b")]
    assert broken(snap(node("n", **fields), *pair), ("a@n", "b@n")) == ["node_full"]
    assert broken(snap(node("n", **fields), *pair), ("a@n",)) == []


def test_excess_of_the_start_may_stay_but_not_grow() -> None:
    """A shrunk node takes what adds nothing to the amount that is over."""
    over = on("n", task("over", 0, cpu_milli=9000))
    state = snap(node("n"), work("r", over), work("a", task("a", 0, cpu_milli=1)), work("b", task("b", 0)))
    assert broken(state, ("a@n",)) == ["node_full"]
    assert broken(state, ("b@n",)) == []


def test_shares_fill_a_device_exactly() -> None:
    """Ten tenths, or three thirds by memory, fill a device; one thousandth more is too much."""
    tenths = [work(f"t{i}", task(f"t{i}", "0.1")) for i in range(10)]
    thirds = [work(f"m{i}", task(f"m{i}", 0, gpu_memory_mib=3000)) for i in range(3)]
    last = work("last", task("last", "0.001"))
    tenths_at, thirds_at = (tuple(f"{w.id}@n.{i}" for w in part) for i, part in enumerate((tenths, thirds)))
    state = snap(node("n", gpus=(gpu("n.0"), gpu("n.1", memory_mib=9000))), *tenths, *thirds, last)
    assert broken(state, tenths_at + thirds_at) == []
    for name in ("n.0", "n.1"):
        assert broken(state, (*tenths_at, *thirds_at, f"last@{name}")) == ["device_full"]


def test_whole_and_shared_do_not_meet() -> None:
    """A device held whole takes no share."""
    state = snap(node("n", 2), work("r", on("n.0", task("r"))), work("w", task("t", "0.1")))
    assert broken(state, ("t@n.0",)) == ["device_full"]
    assert broken(state, ("t@n.1",)) == []


def test_slices_run_out() -> None:
    """A device has only so many slices of a profile, and an empty partition has none."""
    piece = MigSlice(gpu="n.0", profile="1g.10gb")
    pair = [work(name, task(name, 0, mig={"1g.10gb": 1})) for name in ("a", "b")]
    binds = tuple(at(f"{name}@n", mig_slices=(piece,)) for name in ("a", "b"))
    assert broken(snap(node("n", gpus=(sliced("n.0", _1g=1),)), *pair), binds) == ["slice_full"]
    assert broken(snap(node("n", gpus=(gpu("n.0", mig=()),)), *pair), binds[:1]) == ["slice_full"]
    assert broken(snap(node("n", gpus=(sliced("n.0", _1g=2),)), *pair), binds) == []


def test_a_repartitioned_device_takes_nothing_beside_its_old_work() -> None:
    """Slices and whole or shared work never meet, whichever came first."""
    piece = MigSlice(gpu="n.0", profile="1g.10gb")
    pieces = task("t", 0, mig={"1g.10gb": 1})
    old_share = snap(node("n", gpus=(sliced("n.0", _1g=7),)), work("r", on("n.0", task("r", "0.1"))), work("w", pieces))
    assert broken(old_share, (at("t@n", mig_slices=(piece,)),)) == ["device_full"]
    waiting = replace(pieces, id="r")
    running = replace(on("n", waiting), mig_slices=(piece,))
    for old, expected in ((running, ["device_full"]), (waiting, [])):
        assert broken(snap(node("n"), work("r", old), work("w", task("t", "0.1"))), ("t@n.0",)) == expected


@pytest.mark.parametrize(
    ("held", "may_bind", "may_nominate"), [("running", 0, 0), ("releasing", 0, 1), ("stuck", 0, 0)]
)
def test_held_devices(held: str, may_bind: bool, may_nominate: bool) -> None:
    """Binds wait for all that is held; nominations look past what is releasing, not past what is stuck."""
    state = snap(node("n"), work("r", on("n.0", task("r"), held)), work("w", task("t")))
    assert broken(state, ("t@n.0",)) == ([] if may_bind else ["device_full"])
    assert broken(state, (), ("t@n.0",)) == ([] if may_nominate else ["device_full"])


def test_nominations_fit_beside_binds() -> None:
    """What this plan binds is no longer there to be promised."""
    state = snap(node("n", 2), work("a", task("a")), work("b", task("b")))
    assert broken(state, ("a@n.0",), ("b@n.0",)) == ["device_full"]
    assert broken(state, ("a@n.0",), ("b@n.1",)) == []


def test_vanished_tasks_occupy_nothing() -> None:
    """A task whose device or node is gone leaves its node free, and still counts in its queue."""
    gone = on("n.9", task("r", cpu_milli=4000))
    waiting = work("w", task("t", cpu_milli=4000))
    limited = Queue(name="q", gpu=GpuQuota(quota=None, limit=1))
    assert broken(snap(node("n"), work("r", gone), waiting), ("t@n.0",)) == []
    assert broken(snap(node("n"), work("r", gone), waiting, limited), ("t@n.0",)) == ["limit"]


# Limits and quotas


def two_levels(**above: Any) -> tuple[Queue, Queue]:
    return Queue(name="top", **{"gpu": FREE} | above), Queue(name="q", parent="top", gpu=FREE)


@pytest.mark.parametrize(("limit", "expected"), [(1.0, ["limit"]), (1.5, []), (None, [])])
def test_limits_hold_above_the_leaf(limit: float | None, expected: list[str]) -> None:
    """The limit of a parent counts the work of all its leaves."""
    queues = two_levels(gpu=GpuQuota(quota=None, limit=limit))
    other = Queue(name="other", parent="top", gpu=FREE)
    state = snap(
        node("n", 2), *queues, other, work("r", on("n.0", task("r")), queue="other"), work("w", task("t", "0.5"))
    )
    assert broken(state, ("t@n.1",)) == expected


def test_quotas_are_decimal() -> None:
    """Three tenths by portion fit a limit of 0.3 exactly."""
    queue = Queue(name="q", gpu=GpuQuota(quota=None, limit=0.3))
    jobs = [work(name, task(name, "0.1")) for name in "abcd"]
    state = snap(node("n"), queue, *jobs)
    assert broken(state, ("a@n.0", "b@n.0", "c@n.0")) == []
    assert broken(state, ("a@n.0", "b@n.0", "c@n.0", "d@n.0")) == ["limit"]


def test_limits_of_cpu_and_memory() -> None:
    """Host resources have limits too; a resource the work does not ask for is not tested."""
    queue = Queue(name="q", gpu=FREE, cpu_milli=HostQuota(limit=100), memory_mib=HostQuota(limit=0))
    jobs = work("a", task("a", 0, cpu_milli=100)), work("b", task("b", 0, cpu_milli=1)), work("c", task("c", 1))
    assert broken(snap(node("n"), queue, *jobs), ("a@n", "c@n.0")) == []
    assert broken(snap(node("n"), queue, *jobs), ("a@n", "b@n", "c@n.0")) == ["limit"]


@pytest.mark.parametrize(("priority", "quota", "expected"), [(100, 1, ["quota"]), (100, 2, []), (99, 1, [])])
def test_non_preemptible_work_stays_within_quota(priority: int, quota: float, expected: list[str]) -> None:
    """At every level, counting non-preemptible work alone."""
    running = work("r", on("n.0", task("r")), priority=100)
    surplus = work("s", on("n.2", task("s")))
    state = snap(
        node("n", 3), *two_levels(gpu=GpuQuota(quota=quota)), running, surplus, work("w", task("t"), priority=priority)
    )
    assert broken(state, ("t@n.1",)) == expected


def test_slices_and_memory_are_charged_at_placement() -> None:
    """3g counts three devices; memory counts by the device chosen, not by the largest one."""
    queue = Queue(name="q", gpu=GpuQuota(quota=None, limit=1))
    piece = MigSlice(gpu="n.0", profile="3g.10gb")
    slices = snap(node("n", gpus=(sliced("n.0", _3g=1),)), queue, work("w", task("t", 0, mig={"3g.10gb": 1})))
    assert broken(slices, (at("t@n", mig_slices=(piece,)),)) == ["limit"]
    memory = task("t", 0, gpu_memory_mib=10_000, gpu_devices=2)
    devices = tuple(gpu(f"n.{i}", memory_mib=size) for i, size in enumerate((20_000, 20_000, 10_000)))
    assert broken(snap(node("n", gpus=devices), queue, work("w", memory)), ("t@n.0+n.1",)) == []
    assert broken(snap(node("n", gpus=devices), queue, work("w", memory)), ("t@n.0+n.2",)) == ["limit"]


def test_pools_have_their_own_limits() -> None:
    """Work in another pool is not counted, and that pool's own limit is used."""
    queue = Queue(name="q", gpu=GpuQuota(quota=None, limit=1), pools={"p": PoolQuota(gpu=GpuQuota(limit=1))})
    running = work("r", on("n.0", task("r")))
    jobs = [work(name, task(name), pools=("p",)) for name in ("a", "b")]
    state = snap(node("n"), node("m", 2, pool="p"), queue, running, *jobs)
    assert broken(state, ("a@m.0",)) == []
    assert broken(state, ("a@m.0", "b@m.1")) == ["limit"]


def test_a_pool_that_is_not_named_has_no_gpu_quota() -> None:
    """Non-preemptible work needs a quota in the pool where it lands."""
    for pools, expected in (({}, ["quota"]), ({"p": PoolQuota(gpu=FREE)}, [])):
        queue = Queue(name="q", gpu=FREE, pools=pools)
        state = snap(node("m", pool="p"), queue, work("w", task("t"), pools=("p",), priority=100))
        assert broken(state, ("t@m.0",)) == expected


def test_limits_are_tested_without_the_victims_only_for_their_beneficiary() -> None:
    """A victim's share of the limit goes to the work it was taken for; other work is tested beside the victim."""
    queue = Queue(name="q", gpu=GpuQuota(quota=None, limit=1))
    victim, gainer = work("v", on("n.0", task("v"))), work("w", task("t"), priority=60)
    other = work("o", task("o"), priority=60)
    state = snap(node("n", 3), queue, victim, gainer, other)
    preempted = (evict("v/v>w", "preempt"),)
    assert broken(state, (), ("t@n.1",), preempted) == []
    assert broken(state, (), ("t@n.1", "o@n.2"), preempted) == ["limit"]
    assert broken(state, (), ("o@n.2",)) == ["limit"]


def test_a_moved_victim_adds_nothing_to_its_queue() -> None:
    """Consolidation inside a queue whose limit was lowered is no new work."""
    queue = Queue(name="q", gpu=GpuQuota(quota=None, limit=0)), Queue(name="o", gpu=FREE)
    victim, gainer = work("v", on("n.0", task("v", "0.5"))), work("w", task("t"), queue="o")
    state = snap(node("n", 1), node("m", 1), *queue, victim, gainer)
    assert broken(state, (), ("t@n.0", "v@m.0"), (evict("v/v>w", "consolidate"),)) == []


# Gangs, pools and topology


def test_gangs_reach_their_minimum() -> None:
    """A group that receives tasks counts running and placed ones, and nothing else."""
    for state, expected in {"running": [], "releasing": ["gang"], "stuck": ["gang"], "pending": ["gang"]}.items():
        first = task("a") if state == "pending" else on("n.1", task("a"), state)
        assert broken(snap(node("n", 2), work("w", first, task("b"))), ("b@n.0",)) == expected
    elastic = work("w", task("a"), task("b"), groups=(Group(name="default", min_members=1),))
    assert broken(snap(node("n", 2), elastic), ("b@n.0",)) == []


@pytest.mark.parametrize(("needed", "expected"), [(None, ["gang"]), (2, ["gang"]), (1, [])])
def test_nested_groups(needed: int | None, expected: list[str]) -> None:
    """A parent asks for k of its subgroups, or for all of them."""
    leaves = (Group(name=name, min_members=1, parent="all") for name in ("x", "y"))
    groups = (Group(name="all", min_members=0, min_subgroups=needed), *leaves)
    state = snap(node("n", 2), work("w", task("a", group="x"), task("b", group="y"), groups=groups))
    assert broken(state, ("a@n.0",)) == expected
    assert broken(state, ("a@n.0", "b@n.1")) == []


def test_all_groups_without_parent_start_together() -> None:
    """A launcher does not start without its workers."""
    groups = Group(name="x", min_members=1), Group(name="y", min_members=1)
    state = snap(node("n", 2), work("w", task("a", group="x"), task("b", group="y"), groups=groups))
    assert broken(state, ("a@n.0",)) == ["gang"]
    assert broken(state, ("a@n.0",), ("b@n.1",)) == []


def test_a_workload_stays_in_one_pool() -> None:
    """Tasks join those that run, and each other, in one pool."""
    elastic = {"pools": ("default", "p"), "groups": (Group(name="default", min_members=1),)}
    nodes = node("n", 2), node("m", 2, pool="p")
    queue = Queue(name="q", gpu=FREE, pools={"p": PoolQuota(gpu=FREE)})
    fresh = snap(*nodes, queue, work("w", task("a"), task("b"), **elastic))
    grown = snap(*nodes, queue, work("w", on("n.0", task("a")), task("b"), **elastic))
    assert broken(fresh, ("a@n.0", "b@m.0")) == ["pool_span"]
    assert broken(fresh, ("a@m.1", "b@m.0")) == []
    assert broken(grown, ("b@m.0",)) == ["pool_span"]
    assert broken(grown, ("b@n.1",)) == []


def test_required_topology() -> None:
    """One value of the label for the workload, or for a group; a node without it is out."""
    near, none = Topology(levels=("rack",), required="rack"), Topology(levels=("rack",), preferred="rack")
    nodes = [node(name, 2, labels={"rack": rack} if rack else {}) for name, rack in (("n", "1"), ("m", "2"), ("o", ""))]
    group = Group(name="default", min_members=2)
    for fields in ({"topology": near}, {"groups": (replace(group, topology=near),)}):
        state = snap(*nodes, work("w", task("a"), task("b"), **fields))
        assert broken(state, ("a@n.0", "b@m.0")) == ["topology"]
        assert broken(state, ("a@o.0", "b@o.1")) == ["topology"]
        assert broken(state, ("a@n.0", "b@n.1")) == []
    assert broken(snap(*nodes, work("w", task("a"), task("b"), topology=none)), ("a@n.0", "b@m.0")) == []
