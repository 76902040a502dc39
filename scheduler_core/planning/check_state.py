"""A snapshot and a plan, indexed: what the checks look things up in. Nothing is judged here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from scheduler_core.model import (
    Bind,
    Eviction,
    Gpu,
    MigSlice,
    Node,
    Plan,
    PlannedWorkload,
    Queue,
    Snapshot,
    Task,
    TaskRequest,
    gpu_amount,
)

HOLDING = frozenset({"running", "releasing", "stuck"})
"""States of a task that keeps its resources occupied."""


class Violation(Struct, frozen=True):
    """One broken rule: a short code, the name of what broke it, and a sentence with the numbers."""

    rule: str
    subject: str
    message: str


class Spot(NamedTuple):
    """A task at a place: where it runs, or where the plan puts it."""

    task: Task
    workload: PlannedWorkload
    node: Node
    gpus: tuple[Gpu, ...]
    slices: tuple[MigSlice, ...]

    @property
    def place(self) -> tuple[str, frozenset[str], frozenset[tuple[str, str]]]:
        """The place alone, for comparing two spots of one task."""
        slices = frozenset((piece.gpu, piece.profile) for piece in self.slices)
        return self.node.name, frozenset(gpu.id for gpu in self.gpus), slices


class State:
    """Indexes over one snapshot and one plan.

    Entries of the plan that name nothing real are left out here and reported by the checks of placements and evictions,
    so that one mistake is one violation.
    """

    def __init__(self, snapshot: Snapshot, plan: Plan) -> None:
        self.snapshot = snapshot
        self.plan = plan
        self.nodes = {node.name: node for node in snapshot.nodes}
        self.devices = {gpu.id: (node, gpu) for node in snapshot.nodes for gpu in node.gpus}
        self.queues = {queue.name: queue for queue in snapshot.queues}
        self.parents = {queue.parent for queue in snapshot.queues if queue.parent is not None}
        self.workloads = {workload.id: workload for workload in snapshot.workloads}
        self.tasks = {task.id: (task, workload) for workload in snapshot.workloads for task in workload.tasks}
        self._paths: dict[str, tuple[Queue, ...] | None] = {}

        self.homes = {spot.task.id: spot for spot in self._held()}
        self.evictions = self._real_evictions()
        self.beneficiaries = {e.beneficiary for e in self.evictions.values() if e.action != "stale_gang"} - {None}
        self.bound: dict[str, Bind] = {}
        self.nominated: dict[str, Bind] = {}
        self._read_placements()
        self.binds = [spot for bind in self.bound.values() if (spot := self.spot(bind))]
        self.nominations = [spot for bind in self.nominated.values() if (spot := self.spot(bind))]

    def spot(self, bind: Bind) -> Spot | None:
        """Where a bind or nomination puts its task; None without a known node, strange devices are left out."""
        node = self.nodes.get(bind.node)
        if node is None:
            return None
        task, workload = self.tasks[bind.task]
        gpus = tuple(gpu for name in bind.gpu_ids if (gpu := self.device_on(node, name)))
        slices = tuple(piece for piece in bind.mig_slices if self.device_on(node, piece.gpu))
        return Spot(task, workload, node, gpus, slices)

    def device_on(self, node: Node, gpu_id: str) -> Gpu | None:
        """The device of that name, if it sits in that node."""
        found = self.devices.get(gpu_id)
        return found[1] if found is not None and found[0] is node else None

    def path(self, queue_name: str) -> tuple[Queue, ...] | None:
        """The queues from this one up to its root; None where one of them is missing."""
        if queue_name not in self._paths:
            self._paths[queue_name] = self._walk_up(queue_name)
        return self._paths[queue_name]

    def placed_by_workload(self) -> dict[str, list[Task]]:
        """The tasks the plan binds or nominates, by workload."""
        placed: dict[str, list[Task]] = defaultdict(list)
        for task_id in (*self.bound, *self.nominated):
            task, workload = self.tasks[task_id]
            placed[workload.id].append(task)
        return placed

    def staying(self, workload: PlannedWorkload) -> Iterator[Task]:
        """The running tasks that the plan does not evict."""
        return (task for task in workload.tasks if task.state == "running" and task.id not in self.evictions)

    def _held(self) -> Iterator[Spot]:
        for workload in self.snapshot.workloads:
            for task in workload.tasks:
                if task.state in HOLDING and (spot := self._home(task, workload)):
                    yield spot

    def _home(self, task: Task, workload: PlannedWorkload) -> Spot | None:
        node = self.nodes.get(task.node) if task.node is not None else None
        if node is None:
            return None
        gpus = tuple(gpu for name in task.gpu_ids if (gpu := self.device_on(node, name)))
        slices = tuple(piece for piece in task.mig_slices if self.device_on(node, piece.gpu))
        vanished = len(gpus) < len(task.gpu_ids) or len(slices) < len(task.mig_slices)
        return None if vanished else Spot(task, workload, node, gpus, slices)

    def _real_evictions(self) -> dict[str, Eviction]:
        real: dict[str, Eviction] = {}
        for eviction in self.plan.evictions:
            known = self.tasks.get(eviction.task)
            if known is not None and known[0].state == "running":
                real.setdefault(eviction.task, eviction)
        return real

    def _read_placements(self) -> None:
        for bind in self.plan.binds:
            known = self.tasks.get(bind.task)
            if known is not None and known[0].state == "pending":
                self.bound.setdefault(bind.task, bind)
        for nomination in self.plan.nominations:
            known = self.tasks.get(nomination.task)
            if known is None or nomination.task in self.bound:
                continue
            if known[0].state == "pending" or nomination.task in self.evictions:
                self.nominated.setdefault(nomination.task, nomination)

    def _walk_up(self, queue_name: str) -> tuple[Queue, ...] | None:
        path: list[Queue] = []
        name: str | None = queue_name
        while name is not None:
            queue = self.queues.get(name)
            # A ring of parents has no root; without this it would be walked for ever.
            if queue is None or queue in path:
                return None
            path.append(queue)
            name = queue.parent
        return tuple(path)


@lru_cache(maxsize=4096)
def _gpu_form(gpu: int | float | str) -> tuple[int, int]:
    return gpu_amount(gpu)


def whole_and_milli(request: TaskRequest) -> tuple[int, int]:
    """Whole devices and thousandths of a device asked for; parsed once for each distinct amount."""
    return _gpu_form(request.gpu)


def devices_asked(request: TaskRequest) -> int:
    """How many different devices the request takes, MIG aside."""
    whole, milli = whole_and_milli(request)
    return request.gpu_devices if milli or request.gpu_memory_mib else whole
