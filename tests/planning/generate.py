"""Seeded random snapshots for property tests: valid by the contract, many tiny, some large, all features mixed.

`snapshot(seed)` is a pure function of its seed. `python tests/planning/generate.py` prints the spread of sizes.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from scheduler_core.model import (
    ACTIONS,
    Config,
    Gpu,
    GpuQuota,
    Group,
    HostQuota,
    MigProfile,
    MigSlice,
    Node,
    Placement,
    PlannedWorkload,
    PoolQuota,
    Queue,
    Snapshot,
    Taint,
    Task,
    TaskRequest,
    Toleration,
    Topology,
    TypicalTask,
    Usage,
)

T = TypeVar("T")

NOW = 1_000_000.0
_POOLS = ("default", "fast", "spare")
_MODELS = ("A100", "H100", "L4")
_MEMORIES = (16_384, 24_576, 40_960, 81_920)
_PARTITIONS = ((("1g.10gb", 7),), (("1g.10gb", 2), ("2g.20gb", 1), ("3g.40gb", 1)), (("1g.10gb", 0),), ())
_LEVELS = ("zone", "rack")
_SIZES = (
    (45, (1, 2), (1, 3), (1, 5)),
    (30, (1, 6), (2, 6), (3, 14)),
    (18, (5, 16), (3, 8), (12, 40)),
    (7, (16, 40), (5, 8), (40, 110)),
)
"""Weight, then the ranges of nodes, queues and workloads."""


def snapshot(seed: int) -> Snapshot:
    """The snapshot of a seed: the same each time."""
    return _Generator(random.Random(seed)).snapshot()


class _Room(NamedTuple):
    """What a node still has; generated running work stays within it."""

    node: Node
    amounts: dict[str, int]
    devices: dict[str, Fraction]
    slices: Counter[tuple[str, str]]


class _Generator:
    """One snapshot in the making; every choice draws from the one source of chance."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        weights = [size[0] for size in _SIZES]
        _, nodes, queues, workloads = chance.choices(_SIZES, weights)[0]
        self.node_count = chance.randint(*nodes)
        self.queue_count = chance.randint(*queues)
        self.workload_count = chance.randint(*workloads)
        self.pools = _POOLS[: chance.choices((1, 2, 3), (6, 2, 1))[0]]
        self.plain = self.maybe(0.25)
        self.leaves: list[str] = []
        self.rooms: list[_Room] = []

    def snapshot(self) -> Snapshot:
        nodes = tuple(self._node(index) for index in range(self.node_count))
        self.rooms = [_room(node) for node in nodes]
        queues = self._queues()
        workloads = [self._workload(index) for index in range(self.workload_count)]
        if self.maybe(0.15):
            nodes = tuple(self._shrunk(node) for node in nodes)
        for entries in (workloads, queues):
            self.chance.shuffle(entries)
        return Snapshot(time=NOW, config=self._config(), nodes=nodes, queues=tuple(queues), workloads=tuple(workloads))

    def maybe(self, probability: float) -> bool:
        return self.chance.random() < probability

    def rare(self, probability: float, make: Callable[[], T], otherwise: T) -> T:
        """An unusual value now and then; never in a plain snapshot."""
        return make() if not self.plain and self.maybe(probability) else otherwise

    def _config(self) -> Config:
        pick = self.chance.choice
        placements: tuple[Placement, ...] = ("binpack", "spread", "fgd", "fragmentation")
        typical = tuple(
            TypicalTask(request=self._request(), weight=float(self.chance.randint(0, 5)))
            for _ in range(self.chance.randint(1, 3))
        )
        return Config(
            placement=self.chance.choices(placements, (4, 2, 1, 2))[0],
            typical=self.rare(0.1, lambda: typical, None),
            max_consolidation_victims=self.rare(0.3, lambda: pick((-1, 0, 1, 2)), 16),
            allow_consolidating_reclaim=self.rare(0.15, lambda: False, True),
            stale_gang_grace_s=self.rare(0.3, lambda: pick((-1.0, 0.0, 5.0)), 60.0),
            usage_weight_k=self.rare(0.2, lambda: pick((0.0, 0.5, 2.0)), 1.0),
            actions=self.rare(0.1, lambda: tuple(a for a in ACTIONS if self.maybe(0.6)), ACTIONS),
        )

    def _node(self, index: int) -> Node:
        pool = self.chance.choice(self.pools)
        count = self.chance.choice((0, 1, 2, 2, 4, 8))
        memory = self.chance.choice(_MEMORIES)
        model = _MODELS[_POOLS.index(pool)] if self.maybe(0.8) else self.chance.choice(_MODELS)
        labels = {"zone": f"z{index % 2}", "rack": f"r{index % 5}", "disk": self.chance.choice(("ssd", "hdd"))}
        if not self.plain and self.maybe(0.1):
            del labels[self.chance.choice(_LEVELS)]
        return Node(
            name=f"n{index:02d}",
            cpu_milli=1000 * self.chance.choice((2, 8, 32, 64)),
            memory_mib=1024 * self.chance.choice((8, 64, 256)),
            max_tasks=self.rare(0.1, lambda: self.chance.randint(0, 4), 110),
            gpus=tuple(self._gpu(f"n{index:02d}-g{device}", memory, model) for device in range(count)),
            labels=labels,
            taints=self.rare(0.12, lambda: (self._taint(),), ()),
            pool=pool,
            ready=self.rare(0.07, lambda: False, True),
        )

    def _gpu(self, name: str, memory: int, model: str) -> Gpu:
        partition = self.rare(0.12, lambda: self.chance.choice(_PARTITIONS), None)
        mig = None if partition is None else tuple(MigProfile(profile=p, count=n) for p, n in partition)
        memory = self.rare(0.05, lambda: 0, memory)
        return Gpu(id=name, memory_mib=memory, model=model, shareable=self.rare(0.08, lambda: False, True), mig=mig)

    def _taint(self) -> Taint:
        effect = self.chance.choice(("NoSchedule", "NoExecute", "PreferNoSchedule"))
        return Taint(key=self.chance.choice(("team", "broken")), value=self.chance.choice(("", "red")), effect=effect)

    def _shrunk(self, node: Node) -> Node:
        """A node that holds more than it has, or lost a device under its tasks."""
        if self.maybe(0.5):
            return node
        if node.gpus and self.maybe(0.5):
            return replace(node, gpus=node.gpus[1:])
        return replace(node, cpu_milli=node.cpu_milli // 2, memory_mib=node.memory_mib // 2)

    def _queues(self) -> list[Queue]:
        """A forest of up to three levels; its leaves run the work."""
        depth: dict[str, int] = {}
        parents: dict[str, str | None] = {}
        for name in (f"q{index}" for index in range(self.queue_count)):
            candidates = [above for above, level in depth.items() if level < 3]
            parent = self.chance.choice(candidates) if candidates and self.maybe(0.7) else None
            parents[name], depth[name] = parent, 1 if parent is None else depth[parent] + 1
        self.leaves = [name for name in parents if name not in parents.values()]
        queues = [self._queue(name, parent) for name, parent in parents.items()]
        if not self.plain and self.maybe(0.05) and self.queue_count < 8:
            queues.append(Queue(name="orphan", parent="missing"))
            self.leaves.append("orphan")
        return queues

    def _queue(self, name: str, parent: str | None) -> Queue:
        pick = self.chance.choice
        usage = Usage(gpu=self.chance.random(), cpu_milli=self.chance.random())
        return Queue(
            name=name,
            parent=parent,
            priority=self.rare(0.3, lambda: pick((50, 100, 200)), 100),
            created=float(self.chance.randint(0, 5)),
            gpu=self._gpu_quota(),
            cpu_milli=self._host_quota(1000),
            memory_mib=self._host_quota(1024),
            pools={pool: PoolQuota(gpu=self._gpu_quota()) for pool in self.pools[1:] if self.maybe(0.7)},
            preempt_min_runtime_s=self.rare(0.2, lambda: pick((0.0, 60.0, 3600.0)), None),
            reclaim_min_runtime_s=self.rare(0.2, lambda: pick((0.0, 60.0, 3600.0)), None),
            usage=self.rare(0.1, lambda: usage, None),
        )

    def _gpu_quota(self) -> GpuQuota:
        quota = self.chance.choice((None, 0.0, 0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 0.3))
        limit = self.rare(0.2, lambda: self.chance.choice((0.0, 0.5, 1.0, 3.0, 8.0)), None)
        return GpuQuota(quota=quota, limit=limit, weight=float(self.chance.choice((0, 1, 1, 1, 2, 3))))

    def _host_quota(self, unit: int) -> HostQuota:
        quota = self.rare(0.15, lambda: float(unit * self.chance.randint(0, 32)), None)
        limit = self.rare(0.1, lambda: float(unit * self.chance.randint(1, 64)), None)
        return HostQuota(quota=quota, limit=limit)

    def _workload(self, index: int) -> PlannedWorkload:
        name = f"w{index:03d}"
        groups, members = self._gang()
        request = self._request()
        tasks = [
            self._task(f"{name}-t{number:02d}", group, request if self.maybe(0.85) else self._request())
            for number, group in enumerate(members)
        ]
        queue = self.rare(0.03, lambda: "nowhere", self.chance.choice(self.leaves))
        pools = tuple(self.chance.sample(self.pools, self.chance.randint(1, len(self.pools))))
        if self.maybe(0.45):
            tasks = self._started(tasks, pools)
        runs = any(task.state == "running" for task in tasks)
        ago = float(self.chance.choice((0, 10, 100, 10_000)))
        stale = runs and self.maybe(0.2)
        return PlannedWorkload(
            id=name,
            queue=queue,
            priority=self.chance.choice((0, 50, 50, 50, 75, 100, 125)),
            preemptible=self.rare(0.2, lambda: self.maybe(0.5), None),
            created=NOW - self.chance.randint(0, 20),
            started=NOW - ago if runs and self.maybe(0.95) else None,
            stale_since=NOW - ago / 2 if stale else None,
            groups=groups,
            pools=pools,
            topology=self.rare(0.08, self._topology, None),
            tasks=tuple(tasks),
            estimate_s=self.rare(0.1, lambda: 600.0, None),
        )

    def _gang(self) -> tuple[tuple[Group, ...] | None, list[str]]:
        """The groups of a workload and the group of each of its tasks."""
        count = self.chance.choices((1, 2, 3, 4, 8), (12, 4, 2, 2, 1))[0]
        kind = self.chance.choices(("default", "elastic", "two", "nested", "short"), (10, 3, 2, 2, 1))[0]
        members = ["default"] * count
        if self.plain or kind == "default":
            return None, members
        if kind == "elastic":
            return (Group(name="default", min_members=self.chance.randint(0, count)),), members
        if kind == "short":
            return (Group(name="default", min_members=count + 1),), members
        parent = "all" if kind == "nested" else None
        topology = self.rare(0.1, self._topology, None)
        leaves = tuple(
            Group(name=name, min_members=self.chance.randint(0, count), parent=parent, topology=topology)
            for name in ("a", "b")
        )
        names = [group.name for group in leaves for _ in range(count)]
        if parent is None:
            return leaves, names
        return (Group(name=parent, min_members=0, min_subgroups=self.chance.choice((None, 1, 2))), *leaves), names

    def _topology(self) -> Topology:
        required = self.chance.choice((None, *_LEVELS))
        return Topology(levels=_LEVELS, required=required, preferred=self.chance.choice((None, "rack")))

    def _task(self, name: str, group: str, request: TaskRequest) -> Task:
        names = [room.node.name for room in self.rooms] + ["gone"]
        tolerations = (Toleration(key="team", operator="Exists"), Toleration(operator="Exists"))
        return Task(
            id=name,
            group=group,
            state=self.rare(0.06, lambda: self.chance.choice(("gated", "done", "failed")), "pending"),
            priority=self.rare(0.1, lambda: self.chance.randint(-2, 2), 0),
            request=request,
            node_selector=self.rare(0.06, lambda: {"disk": "ssd"}, {}),
            tolerations=self.rare(0.2, lambda: (self.chance.choice(tolerations),), ()),
            node_names=self.rare(0.05, lambda: tuple(self.chance.sample(names, min(3, len(names)))), None),
        )

    def _request(self) -> TaskRequest:
        """One of the forms a request takes, CPU only included."""
        pick = self.chance.choice
        form = self.chance.choices(("whole", "share", "memory", "mig", "cpu"), (6, 6, 3, 1.5, 2))[0]
        request = TaskRequest(
            cpu_milli=pick((0, 500, 1000, 4000)),
            memory_mib=pick((0, 512, 4096)),
            models=self.rare(0.08, lambda: tuple(self.chance.sample(_MODELS, 2)), None),
        )
        devices = self.rare(0.15, lambda: pick((2, 3)), 1)
        if form == "whole":
            return replace(request, gpu=pick((1, 1, 1, 2, 4, 8, 9)))
        if form == "share":
            return replace(
                request, gpu=pick(("0.1", "0.25", 0.5, "0.35", "0.333", "0.7", "0.999")), gpu_devices=devices
            )
        if form == "memory":
            return replace(request, gpu_memory_mib=pick((1, 4096, 8192, 13_653, 30_000, 90_000)), gpu_devices=devices)
        if form == "mig":
            return replace(request, mig=pick(({"1g.10gb": 1}, {"1g.10gb": 2}, {"2g.20gb": 1}, {"7g.80gb": 1})))
        return request

    def _started(self, tasks: list[Task], pools: tuple[str, ...]) -> list[Task]:
        """Let tasks run where there is room, in one pool; what does not fit stays pending."""
        pool = self.chance.choice(pools)
        rooms = [room for room in self.rooms if room.node.pool == pool]
        self.chance.shuffle(rooms)
        return [self._started_task(task, rooms) if task.state == "pending" else task for task in tasks]

    def _started_task(self, task: Task, rooms: list[_Room]) -> Task:
        for room in rooms:
            placed = None if self.maybe(0.1) else _take(room, task)
            if placed is not None:
                state = self.rare(0.12, lambda: self.chance.choice(("releasing", "stuck")), "running")
                lost = self.rare(0.02, lambda: "gone", None)
                return replace(placed, state=state, node=lost or placed.node)
        return task


def _room(node: Node) -> _Room:
    amounts = {"cpu_milli": node.cpu_milli, "memory_mib": node.memory_mib, "tasks": node.max_tasks}
    slices = Counter({(gpu.id, piece.profile): piece.count for gpu in node.gpus for piece in gpu.mig or ()})
    return _Room(node, amounts, {gpu.id: Fraction(1) for gpu in node.gpus}, slices)


def _take(room: _Room, task: Task) -> Task | None:
    """Place a task in a room and use it up; None where it does not fit. Taints are ignored: they may be newer."""
    request = task.request
    needs = {"cpu_milli": request.cpu_milli, "memory_mib": request.memory_mib, "tasks": 1}
    if any(room.amounts[unit] < value for unit, value in needs.items()):
        return None
    if any(room.node.labels.get(key) != value for key, value in task.node_selector.items()):
        return None
    devices, slices = _devices(room, request), _slices(room, request)
    if devices is None or slices is None:
        return None
    for unit, value in needs.items():
        room.amounts[unit] -= value
    for name, load in devices.items():
        room.devices[name] -= load
    room.slices.subtract((piece.gpu, piece.profile) for piece in slices)
    return replace(task, node=room.node.name, gpu_ids=tuple(devices), mig_slices=tuple(slices))


def _devices(room: _Room, request: TaskRequest) -> dict[str, Fraction] | None:
    """The load on each device the request would take, first fit."""
    share = bool(request.portion_milli or request.gpu_memory_mib)
    count = request.gpu_devices if share else request.whole_devices
    found: dict[str, Fraction] = {}
    for gpu in room.node.gpus:
        load = _load(gpu, request)
        serves = gpu.mig is None and (gpu.shareable or not share) and _serves_model(gpu, request)
        if len(found) < count and serves and load is not None and load <= room.devices[gpu.id]:
            found[gpu.id] = load
    return found if len(found) == count else None


def _load(gpu: Gpu, request: TaskRequest) -> Fraction | None:
    if request.gpu_memory_mib:
        return Fraction(request.gpu_memory_mib, gpu.memory_mib) if gpu.memory_mib else None
    return Fraction(request.portion_milli or 1000, 1000)


def _slices(room: _Room, request: TaskRequest) -> list[MigSlice] | None:
    found: list[MigSlice] = []
    for profile, count in request.mig.items():
        free = [
            MigSlice(gpu=gpu.id, profile=profile)
            for gpu in room.node.gpus
            if _serves_model(gpu, request)
            for _ in range(room.slices[gpu.id, profile])
        ]
        if len(free) < count:
            return None
        found += free[:count]
    return found


def _serves_model(gpu: Gpu, request: TaskRequest) -> bool:
    return request.models is None or gpu.model in request.models


def describe(seeds: Iterable[int]) -> str:
    """The spread of sizes over many seeds, and how often each task state and request form occurs."""
    snapshots = [snapshot(seed) for seed in seeds]
    sizes = {
        "nodes": [len(s.nodes) for s in snapshots],
        "devices": [sum(len(node.gpus) for node in s.nodes) for s in snapshots],
        "queues": [len(s.queues) for s in snapshots],
        "workloads": [len(s.workloads) for s in snapshots],
        "tasks": [sum(len(w.tasks) for w in s.workloads) for s in snapshots],
    }
    lines = [f"{'':10}   min   25%   50%   75%   max"]
    for name, values in sizes.items():
        ordered = sorted(values)
        quantiles = (ordered[round(part * (len(ordered) - 1))] for part in (0, 0.25, 0.5, 0.75, 1))
        lines.append(f"{name:10}" + "".join(f"{value:6d}" for value in quantiles))
    tasks = [task for s in snapshots for w in s.workloads for task in w.tasks]
    lines.append(f"states: {dict(Counter(task.state for task in tasks).most_common())}")
    lines.append(f"forms: {dict(Counter(_form(task.request) for task in tasks).most_common())}")
    return "\n".join(lines)


def _form(request: TaskRequest) -> str:
    forms = {"mig": request.mig, "memory": request.gpu_memory_mib, "share": request.portion_milli}
    return next((name for name, amount in forms.items() if amount), "whole" if request.whole_devices else "cpu")


if __name__ == "__main__":
    print(describe(range(1000)))
