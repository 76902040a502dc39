"""From this machine's books and measurements to the planner's snapshot, and from a bind to an allocation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from msgspec import Struct

from scheduler_core.local.machine.ledger import Claim
from scheduler_core.local.record.records import Record, TaskId, TaskRecord
from scheduler_core.model import (
    MILLI,
    Bind,
    Config,
    Gpu,
    GpuQuota,
    Node,
    PlannedWorkload,
    Queue,
    Snapshot,
    Task,
    TaskRequest,
)
from scheduler_core.nvml import PhysicalDevice, Sample
from scheduler_core.planned import planned_workload
from scheduler_core.workload import Allocation, Device, HeldDevice, Holder

OTHERS_QUEUE = "(others)"
"""Holds what is not ours, so that the planner sees it as taken; no workload can name it."""

IGNORED_FOREIGN_MILLI = 50
"""A desktop or a monitor on a device is shown, but below a twentieth of the memory it takes no share."""


class Machine(Struct, frozen=True, kw_only=True):
    """What one moment shows: the host, its devices, a reading of each, and what others hold of them.

    `foreign_mib` is the memory of each device that processes of no engine hold.
    """

    node: str
    cpu_milli: int
    memory_mib: int
    physical: tuple[PhysicalDevice, ...]
    samples: Mapping[str, Sample]
    claims: tuple[Claim, ...]
    foreign_mib: Mapping[str, int]

    def device(self, device_id: str) -> PhysicalDevice | None:
        return next((device for device in self.physical if device.id == device_id), None)

    def is_ready(self, device_id: str) -> bool:
        sample = self.samples.get(device_id)
        return sample is not None and sample.ready


def host_size() -> tuple[int, int]:
    """(thousandths of a core, MiB of memory) of this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return cores * 1000, memory // (1024 * 1024)


def build_snapshot(
    machine: Machine,
    records: Iterable[Record],
    queues: Iterable[Queue],
    now: float,
    extra: tuple[PlannedWorkload, ...] = (),
    config: Config | None = None,
) -> Snapshot:
    """The planner's view of this machine: one node, the queues, what others hold, and `extra` work."""
    gpus = tuple(
        Gpu(id=device.id, memory_mib=device.memory_mib, model=device.model)
        for device in machine.physical
        if machine.is_ready(device.id)
    )
    node = Node(
        name=machine.node, cpu_milli=machine.cpu_milli, memory_mib=machine.memory_mib, gpus=gpus, max_tasks=4096
    )
    others = Queue(name=OTHERS_QUEUE, gpu=GpuQuota(quota=None))
    ours = [planned(record, machine.node) for record in records if _is_planned(record)]
    return Snapshot(
        time=now,
        config=config or Config(),
        nodes=(node,),
        queues=(*queues, others),
        workloads=(*ours, *extra, *_held_by_others(machine)),
    )


def allocation_of(bind: Bind, request: TaskRequest, machine: Machine) -> Allocation:
    """What a bind gives: the share of each device and the memory that goes with it."""
    devices = tuple(held_device(machine, device_id, request) for device_id in bind.gpu_ids)
    return Allocation(node=bind.node, devices=devices)


def show_devices(machine: Machine, records: Iterable[Record], simulated: bool) -> tuple[Device, ...]:
    """Every device with who holds it."""
    holders: dict[str, list[Holder]] = {device.id: [] for device in machine.physical}
    for record in records:
        for held in _holds(record):
            holders.setdefault(held.id, []).append(
                Holder(
                    kind="workload",
                    owner=record.workload.owner,
                    name=record.workload.name,
                    portion_milli=held.portion_milli,
                    memory_mib=held.memory_mib,
                    workload=record.workload.id,
                )
            )
    return tuple(
        Device(
            id=device.id,
            index=device.index,
            node=machine.node,
            model=device.model,
            memory_mib=device.memory_mib,
            ready=machine.is_ready(device.id),
            simulated=simulated,
            holders=(*holders[device.id], *_other_holders(machine, device)),
            used_mib=machine.samples[device.id].used_mib,
            utilization=machine.samples[device.id].utilization,
        )
        for device in machine.physical
    )


def _is_planned(record: Record) -> bool:
    return record.workload.state in ("pending", "initializing", "running", "degraded", "suspending")


def planned(record: Record, node: str) -> PlannedWorkload:
    """A workload as the planner sees it, on this node where it runs."""
    workload = record.workload
    tasks = [_task(record, TaskId(workload.id, index), task, node) for index, task in enumerate(record.tasks)]
    shown = tuple(task for task in tasks if task is not None)
    done = sum(task.state == "done" for task in shown)
    fewest = max(0, record.spec.fewest_tasks - done)
    return planned_workload(workload.id, record.spec, workload.created, workload.started, shown, fewest)


def _task(record: Record, name: TaskId, task: TaskRecord, node: str) -> Task | None:
    """A task as the planner sees it: of a gang also one that is done, which the others need not wait for."""
    request = record.spec.request
    if task.allocation is not None and task.is_alive:
        return Task(
            id=str(name),
            state="running" if record.then is None and task.then is None else "releasing",
            node=node,
            gpu_ids=tuple(device.id for device in task.allocation.devices),
            request=request,
        )
    if task.state == "pending":
        return Task(id=str(name), state="pending" if record.then is None else "gated", request=request)
    return Task(id=str(name), state="done", request=request) if record.spec.gang else None


def _held_by_others(machine: Machine) -> list[PlannedWorkload]:
    found = [
        _running(f"{claim.engine}/{claim.workload}/{claim.device}", machine, claim.device, _request_of(claim))
        for claim in machine.claims
        if machine.is_ready(claim.device)
    ]
    for device in machine.physical:
        milli = _foreign_milli(machine, device)
        if milli > IGNORED_FOREIGN_MILLI and machine.is_ready(device.id):
            request = TaskRequest(gpu=1 if milli >= MILLI else milli / MILLI)
            found.append(_running(f"foreign/{device.id}", machine, device.id, request))
    return found


def _running(name: str, machine: Machine, device_id: str, request: TaskRequest) -> PlannedWorkload:
    task = Task(id=name, state="running", node=machine.node, gpu_ids=(device_id,), request=request)
    return PlannedWorkload(id=name, queue=OTHERS_QUEUE, created=0.0, preemptible=False, tasks=(task,))


def _request_of(claim: Claim) -> TaskRequest:
    if claim.memory_mib:
        return TaskRequest(gpu_memory_mib=claim.memory_mib)
    return TaskRequest(gpu=1 if claim.milli >= MILLI else claim.milli / MILLI)


def _foreign_milli(machine: Machine, device: PhysicalDevice) -> int:
    if not device.memory_mib:
        return 0
    return min(MILLI, -(-machine.foreign_mib.get(device.id, 0) * MILLI // device.memory_mib))


def held_device(machine: Machine, device_id: str, request: TaskRequest) -> HeldDevice:
    """What a request takes of this device."""
    device = machine.device(device_id)
    assert device is not None  # noqa: S101 (check accepted the bind: the device is in the snapshot)
    if request.gpu_memory_mib:
        milli = -(-request.gpu_memory_mib * MILLI // device.memory_mib)
        memory_mib = request.gpu_memory_mib
    else:
        milli = request.portion_milli or MILLI
        memory_mib = device.memory_mib * milli // MILLI
    limit_milli, limit_mib = _limit(request, device)
    return HeldDevice(
        id=device_id,
        index=device.index,
        model=device.model,
        portion_milli=milli,
        memory_mib=memory_mib,
        limit_milli=limit_milli,
        limit_mib=limit_mib,
    )


def _limit(request: TaskRequest, device: PhysicalDevice) -> tuple[int | None, int | None]:
    if request.gpu_memory_limit_mib:
        limit_mib = min(request.gpu_memory_limit_mib, device.memory_mib)
        return -(-limit_mib * MILLI // device.memory_mib), limit_mib
    if request.limit_milli:
        return request.limit_milli, device.memory_mib * request.limit_milli // MILLI
    return None, None


def _holds(record: Record) -> tuple[HeldDevice, ...]:
    allocation = record.workload.allocation
    return () if allocation is None or record.workload.has_ended else allocation.devices


def _other_holders(machine: Machine, device: PhysicalDevice) -> list[Holder]:
    found = []
    for claim in machine.claims:
        if claim.device == device.id:
            share = claim.share(device.memory_mib)
            found.append(
                Holder(
                    kind="other_engine",
                    owner=claim.owner,
                    name=claim.name,
                    portion_milli=-(-share.numerator * MILLI // share.denominator),
                    memory_mib=int(share * device.memory_mib),
                )
            )
    foreign_mib = machine.foreign_mib.get(device.id, 0)
    if foreign_mib:
        portion = _foreign_milli(machine, device)
        found.append(
            Holder(kind="foreign", owner="", name="other processes", portion_milli=portion, memory_mib=foreign_mib)
        )
    return found
