"""Each rule of the checker: a plan that breaks only that rule, beside its smallest valid neighbour."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from scheduler_core.model import (
    Bind,
    Config,
    Eviction,
    Gpu,
    GpuQuota,
    Group,
    HostQuota,
    MigProfile,
    MigSlice,
    Node,
    Nomination,
    Plan,
    PlannedWorkload,
    PoolQuota,
    Queue,
    Snapshot,
    Taint,
    Task,
    TaskRequest,
    Toleration,
    Topology,
    Verdict,
)
from scheduler_core.planning.check import check
from tests.planning.generate import snapshot as random_snapshot

NOW = 1000.0
FREE = GpuQuota(quota=None)


def node(name: str, devices: int = 1, **fields: Any) -> Node:
    gpus = fields.pop("gpus", tuple(gpu(f"{name}.{index}") for index in range(devices)))
    return Node(**{"name": name, "cpu_milli": 4000, "memory_mib": 4000, "gpus": gpus} | fields)


def gpu(name: str, **fields: Any) -> Gpu:
    given: dict[str, Any] = {"id": name, "memory_mib": 10_000} | fields
    return Gpu(**given)


def sliced(name: str, **profiles: int) -> Gpu:
    return gpu(name, mig=tuple(MigProfile(profile=f"{size[1:]}.10gb", count=n) for size, n in profiles.items()))


def task(name: str, gpu: float | str = 1, /, **fields: Any) -> Task:
    """A task that asks for `gpu`; fields of its request may be given beside its own."""
    names = set(TaskRequest.__struct_fields__)
    request = {"gpu": gpu} | {key: value for key, value in fields.items() if key in names}
    return Task(id=name, request=TaskRequest(**request), **{k: v for k, v in fields.items() if k not in names})


def on(where: str, task: Task, state: Any = "running") -> Task:
    """The task running at "node", "node.0" or "node.0+node.1"."""
    gpus = tuple(where.split("+")) if "." in where else ()
    return replace(task, state=state, node=where.split(".", maxsplit=1)[0], gpu_ids=gpus)


def work(name: str, *tasks: Task, **fields: Any) -> PlannedWorkload:
    given: dict[str, Any] = {"id": name, "queue": "q", "created": 0.0, "tasks": tasks} | fields
    return PlannedWorkload(**given)


def snap(*parts: Node | Queue | PlannedWorkload, **config: Any) -> Snapshot:
    """A snapshot of its parts, with a queue "q" that may use everything unless queues are given."""
    queues = tuple(part for part in parts if isinstance(part, Queue)) or (Queue(name="q", gpu=FREE),)
    return Snapshot(
        time=NOW,
        config=Config(**config),
        nodes=tuple(part for part in parts if isinstance(part, Node)),
        queues=queues,
        workloads=tuple(part for part in parts if isinstance(part, PlannedWorkload)),
    )


def at(entry: str, **fields: Any) -> dict[str, Any]:
    """ "t@n.0+n.1" as the fields of a bind or nomination."""
    name, where = entry.split("@")
    gpus = tuple(where.split("+")) if "." in where else ()
    return {"task": name, "node": where.split(".")[0], "gpu_ids": gpus} | fields


def evict(entry: str, action: Any = "reclaim") -> Eviction:
    """ "victim task/its workload>beneficiary"."""
    victim, beneficiary = entry.split(">")
    name, workload = victim.split("/")
    return Eviction(task=name, workload=workload, action=action, beneficiary=beneficiary or None, reason="room")


def broken(
    snapshot: Snapshot,
    binds: tuple[Any, ...] = (),
    nominated: tuple[Any, ...] = (),
    evicted: tuple[Eviction, ...] = (),
) -> list[str]:
    """The rules that a plan breaks whose verdicts say what it does."""
    plan = Plan(
        binds=tuple(Bind(**(at(b) if isinstance(b, str) else b)) for b in binds),
        nominations=tuple(Nomination(**(at(n) if isinstance(n, str) else n)) for n in nominated),
        evictions=evicted,
    )
    verdicts = tuple(verdict for w in snapshot.workloads if (verdict := verdict_on(w, plan)))
    return [violation.rule for violation in check(snapshot, replace(plan, verdicts=verdicts))]


def verdict_on(workload: PlannedWorkload, plan: Plan) -> Verdict | None:
    waiting = {task.id for task in workload.tasks if task.state == "pending"}
    bound = waiting & {bind.task for bind in plan.binds}
    state: Any = "nominated" if waiting & {n.task for n in plan.nominations} else "pending"
    if bound:
        state = "placed" if bound == waiting else "partly_placed"
    return Verdict(workload=workload.id, state=state, code="placed", message="") if waiting else None


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
