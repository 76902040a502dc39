"""Seeded small snapshots, so crowded that somebody has to make room: `case(seed)` is a pure function of its seed."""

from __future__ import annotations

import random
from typing import Any

from msgspec.structs import replace

from scheduler_core.model import (
    Config,
    Gpu,
    GpuQuota,
    Group,
    HostQuota,
    Node,
    Placement,
    PlannedWorkload,
    Queue,
    Snapshot,
    Task,
    TaskRequest,
)

NOW = 100_000.0
_PALETTES: tuple[tuple[int | str, ...], ...] = (
    (1, 1, 1, 2),
    (1, 2, 2, 3),
    ("0.5", "0.5", "0.25", "0.75"),
    (1, "0.5", "0.5", "0.3", "0.7"),
    ("0.3", "0.4", "0.6", "0.7", "0.5"),
    (1, 1, 2, "0.5"),
)
_TREES: tuple[dict[str, str | None], ...] = (
    {"a": None, "b": None},
    {"a": None, "b": None, "c": None},
    {"p": None, "a": "p", "b": "p"},
    {"p": None, "a": "p", "b": "p", "c": None},
    {"p": None, "a": "p", "r": None, "b": "r"},
    {"c": None, "p": None, "a": "p", "b": "p"},
)
_MOST_RUNNING = 10


def case(seed: int) -> Snapshot:
    """The snapshot of a seed; its actions are left at the default."""
    return _Maker(random.Random(seed)).snapshot()


def gang_case(seed: int) -> Snapshot:
    """One gang that waits, mostly of unequal tasks, and devices that are taken in part by work that stays."""
    maker = _Maker(random.Random(seed))
    fixed = []
    for node in maker.nodes:
        for gpu in node.gpus:
            if maker.maybe(0.6):
                held = TaskRequest(gpu=maker.pick(("0.25", "0.3", "0.5", 1)))
                fixed.append(Task(id=f"f.{gpu.id}", state="running", node=node.name, gpu_ids=(gpu.id,), request=held))
    count = maker.pick((2, 2, 3, 3, 4))
    requests = [maker.request()] * count if maker.maybe(0.3) else [maker.request() for _ in range(count)]
    waiting = [Task(id=f"x.{k}", request=request) for k, request in enumerate(requests)]
    works = [*(PlannedWorkload(id=t.id, queue="q", created=NOW, tasks=(t,)) for t in fixed)]
    works.append(PlannedWorkload(id="x", queue="q", created=NOW, tasks=tuple(waiting)))
    return Snapshot(
        time=NOW,
        config=Config(placement="spread" if maker.maybe(0.3) else "binpack", actions=("allocate",)),
        nodes=tuple(maker.nodes),
        queues=(Queue(name="q", gpu=GpuQuota(quota=None)),),
        workloads=tuple(works),
    )


class _Maker:
    """One snapshot in the making."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.style = self.pick(("any", "reclaim", "preempt", "consolidate"))
        self.palette = self.pick(_PALETTES[2:] if self.style == "consolidate" else _PALETTES)
        self.asks_cpu = self.maybe(0.25)
        self.plain = self.maybe(0.3)
        self.nodes = [self._node(f"n{index}") for index in range(chance.choice((2, 2, 2, 3, 3, 4)))]
        self.free = {gpu.id: 1000 for node in self.nodes for gpu in node.gpus}
        self.cpu = {node.name: node.cpu_milli for node in self.nodes}
        tree = self.pick(_TREES)
        self.leaves = [name for name in tree if name not in tree.values()]
        self.queues = [self._queue(name, parent, len(self.leaves)) for name, parent in tree.items()]
        self.running = 0

    def pick(self, choices: Any) -> Any:
        return self.chance.choice(choices)

    def maybe(self, probability: float) -> bool:
        return self.chance.random() < probability

    def rarely(self, probability: float) -> bool:
        """Something unusual; never in a plain snapshot."""
        return self.maybe(probability) and not self.plain

    def snapshot(self) -> Snapshot:
        counts = (3, 4, 4, 5) if self.style == "consolidate" else (2, 3, 4, 4, 5, 6, 7, 8)
        busy = [self._busy(f"w{index}") for index in range(self.pick(counts))]
        workloads = [workload for workload in busy if workload is not None]
        workloads += [self._waiting(f"x{index}") for index in range(self.pick((1, 1, 2)))]
        nodes = tuple(replace(node, ready=not self.rarely(0.04)) for node in self.nodes)
        return Snapshot(
            time=NOW, config=self._config(), nodes=nodes, queues=tuple(self.queues), workloads=tuple(workloads)
        )

    def _config(self) -> Config:
        placement: Placement = "spread" if self.maybe(0.3) else "binpack"
        return Config(
            placement=placement,
            max_consolidation_victims=self.pick((-1, 0, 1, 1, 2)) if self.rarely(0.4) else 16,
            allow_consolidating_reclaim=not self.maybe(0.4),
        )

    def _node(self, name: str) -> Node:
        gpus = tuple(
            Gpu(id=f"{name}.{d}", memory_mib=10_000, shareable=not self.rarely(0.04))
            for d in range(self.pick((1, 1, 2, 2, 2, 3)))
        )
        cpu = self.pick((2000, 4000, 8000)) if self.asks_cpu else 64_000
        slots = self.chance.randint(1, 3) if self.rarely(0.05) else 110
        return Node(name=name, cpu_milli=cpu, memory_mib=64_000, max_tasks=slots, gpus=gpus)

    def _queue(self, name: str, parent: str | None, leaves: int) -> Queue:
        devices = len(self.free)
        fair = round(devices / leaves) * (2 if parent is None and name in "pr" else 1)
        quota: Any = self.pick((fair, fair, fair, fair - 1, fair + 1, 0, 1, 1.5, devices, None))
        limit = self.pick((1, 2, 3, 1.5, devices)) if self.rarely(0.15) else None
        weight = self.pick((0, 1, 2)) if self.rarely(0.3) else 1
        cpu = HostQuota()
        if self.asks_cpu and self.maybe(0.4):
            cpu = HostQuota(quota=self.pick((0, 2000, 4000)), limit=self.pick((None, None, 4000, 6000)))
        return Queue(
            name=name,
            parent=parent,
            priority=self.pick((50, 100, 100, 200)) if self.rarely(0.3) else 100,
            created=float(self.chance.randint(0, 3)),
            gpu=GpuQuota(quota=None if quota is None else max(0, quota), limit=limit, weight=weight),
            cpu_milli=cpu,
            preempt_min_runtime_s=self.pick((0.0, 60.0, 3600.0)) if self.rarely(0.2) else None,
            reclaim_min_runtime_s=self.pick((0.0, 60.0, 3600.0)) if self.rarely(0.2) else None,
        )

    def request(self) -> TaskRequest:
        gpu = self.pick(self.palette)
        several = isinstance(gpu, str) and self.rarely(0.06)
        cpu = self.pick((0, 500, 1000, 2000)) if self.asks_cpu else 0
        return TaskRequest(gpu=gpu, gpu_devices=2 if several else 1, cpu_milli=cpu)

    def _requests(self, count: int) -> list[TaskRequest]:
        """Mostly equal ones."""
        if self.rarely(0.3):
            return [self.request() for _ in range(count)]
        return [self.request()] * count

    def _busy(self, name: str) -> PlannedWorkload | None:
        """Work that runs, as far as there is room for it; an elastic one may have more that waits."""
        count = self.pick((1, 1, 1, 1, 2, 2, 3))
        least = self.chance.randint(0, count) if self.maybe(0.5) else count
        tasks = [self._started(self._task(f"{name}.{k}", request)) for k, request in enumerate(self._requests(count))]
        runs = sum(task.node is not None for task in tasks)
        if not runs:
            return None
        if runs < count and not self.rarely(0.1):
            tasks = [task for task in tasks if task.node is not None]
            least = min(least, runs)
        return self._work(name, tasks, least, started=NOW - self.pick((10, 1000, 10_000)))

    def _waiting(self, name: str) -> PlannedWorkload:
        count = self.pick((1, 1, 1, 2, 2, 3))
        least = self.chance.randint(0, count) if self.maybe(0.2) else count
        tasks = [self._task(f"{name}.{k}", request) for k, request in enumerate(self._requests(count))]
        if self.rarely(0.08):
            tasks[0] = self._started(tasks[0])
        return self._work(name, tasks, least)

    def _work(self, name: str, tasks: list[Task], least: int, started: float | None = None) -> PlannedWorkload:
        return PlannedWorkload(
            id=name,
            queue=self._leaf(waits=started is None),
            created=NOW - self.chance.randint(0, 12),
            tasks=tuple(tasks),
            priority=self._priority(waits=started is None),
            preemptible=self.pick((True, False)) if self.rarely(0.08) else None,
            started=started,
            groups=None if least == len(tasks) else (Group(name="default", min_members=least),),
        )

    def _leaf(self, waits: bool) -> str:
        """Any leaf; for reclaim and preempt mostly the first, and for reclaim another one for what waits."""
        if self.style in ("any", "consolidate") or self.maybe(0.3):
            return str(self.pick(self.leaves))
        leaf: str = self.leaves[-1 if waits and self.style == "reclaim" else 0]
        return leaf

    def _priority(self, waits: bool) -> int:
        usual = (25, 50, 50, 75, 75, 90)
        if self.style == "preempt":
            return int(self.pick((*usual, 75, 90, 100, 100) if waits else (*usual, 25, 50)))
        return int(self.pick((*usual, 100 if self.maybe(0.6) else 50)))

    def _task(self, name: str, request: TaskRequest) -> Task:
        names = tuple(node.name for node in self.nodes)
        return Task(
            id=name,
            priority=self.chance.randint(-1, 1) if self.rarely(0.08) else 0,
            request=request,
            node_names=tuple(self.chance.sample(names, 2)) if self.rarely(0.06) else None,
        )

    def _started(self, task: Task) -> Task:
        """The task at some place that has room, if there is one."""
        request = task.request
        share = request.portion_milli or 1000
        count = request.gpu_devices if request.portion_milli else request.whole_devices
        nodes = self.chance.sample(self.nodes, len(self.nodes))
        for node in nodes if self.running < _MOST_RUNNING and not self.maybe(0.05) else ():
            open_ = [g.id for g in node.gpus if self.free[g.id] >= share and (g.shareable or not request.portion_milli)]
            if len(open_) < count or self.cpu[node.name] < request.cpu_milli:
                continue
            chosen = self.chance.sample(open_, count)
            for gpu in chosen:
                self.free[gpu] -= share
            self.cpu[node.name] -= request.cpu_milli
            self.running += 1
            state: Any = self.pick(("releasing", "stuck")) if self.rarely(0.05) else "running"
            return replace(task, state=state, node=node.name, gpu_ids=tuple(chosen))
        return task
