"""The devices of a cluster, each with who holds it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from scheduler_core.kubernetes.state.cluster import Cluster
from scheduler_core.kubernetes.state.nodes import Machine
from scheduler_core.kubernetes.state.slots import allocation_on, device_id
from scheduler_core.kubernetes.state.snapshot import View
from scheduler_core.model import MILLI
from scheduler_core.workload import Device, Holder

_OTHERS = "other pods"


def shown_devices(cluster: Cluster, seen: View) -> tuple[Device, ...]:
    """All devices, by node and index; those that pods of other schedulers have are held by them whole."""
    holders = _holders(cluster, seen)
    planned = {gpu.id for node in seen.snapshot.nodes for gpu in node.gpus}
    return tuple(
        device
        for machine in sorted(cluster.machines.values(), key=lambda one: one.name)
        for device in _devices(machine, planned, holders)
    )


def _devices(machine: Machine, planned: set[str], holders: dict[str, list[Holder]]) -> Iterator[Device]:
    others = Holder(kind="foreign", owner="", name=_OTHERS, portion_milli=MILLI, memory_mib=machine.device_memory_mib)
    for index in range(machine.devices):
        name = device_id(machine.name, index)
        yield Device(
            id=name,
            index=index,
            node=machine.name,
            model=machine.model,
            memory_mib=machine.device_memory_mib,
            ready=machine.ready,
            simulated=False,
            holders=tuple(holders[name]) if name in planned else (others,),
        )


def _holders(cluster: Cluster, seen: View) -> dict[str, list[Holder]]:
    found: dict[str, list[Holder]] = defaultdict(list)
    for workload in seen.snapshot.workloads:
        known = cluster.workloads.get(workload.id)
        for task in workload.tasks:
            machine = cluster.machines.get(task.node or "")
            if machine is None:
                continue
            for held in allocation_on(machine, task.gpu_ids, task.request).devices:
                found[held.id].append(
                    Holder(
                        kind="workload",
                        owner=known.owner if known is not None else "",
                        name=known.shown_name if known is not None else workload.id,
                        portion_milli=held.portion_milli,
                        memory_mib=held.memory_mib,
                        workload=known.name if known is not None else None,
                    )
                )
    return found
