"""Limits and quotas: at every level of the queue tree, for each pool and resource."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from scheduler_core.model import (
    MILLI,
    RESOURCES,
    Gpu,
    GpuQuota,
    HostQuota,
    PlannedWorkload,
    PoolQuota,
    Queue,
    Resource,
    Task,
    TaskRequest,
)
from scheduler_core.planning.check_state import Spot, State, Violation, devices_asked, whole_and_milli

Number: TypeAlias = int | Fraction
Key: TypeAlias = tuple[str, str]
"""A queue and a pool."""

_UNNAMED_POOL = PoolQuota()
_PROFILE_SIZE = re.compile(r"([0-9]+)g\.")


class _Charge(NamedTuple):
    """What work costs its queue; devices in thousandths, so that portions stay whole numbers."""

    gpu: Number = 0
    cpu_milli: Number = 0
    memory_mib: Number = 0

    def plus(self, other: _Charge) -> _Charge:
        return _Charge(self.gpu + other.gpu, self.cpu_milli + other.cpu_milli, self.memory_mib + other.memory_mib)

    def above(self, other: _Charge) -> _Charge:
        """What this costs more than `other`, resource by resource."""
        gpu, cpu, memory = self.gpu - other.gpu, self.cpu_milli - other.cpu_milli, self.memory_mib - other.memory_mib
        return _Charge(max(gpu, 0), max(cpu, 0), max(memory, 0))


class _Entry(NamedTuple):
    """A task's charge to its leaf queue in one pool, and the part of it that is new to them."""

    task: Task
    workload: PlannedWorkload
    pool: str
    charge: _Charge
    new: _Charge


def check_queues(state: State) -> Iterator[Violation]:
    """Limits for all work, quotas for non-preemptible work.

    Work that no eviction is for must fit while the victims still count; all of it once they are taken off.
    """
    running = list(_running_entries(state))
    start = {entry.task.id: entry for entry in running}
    placed = [_placed_entry(state, spot, start) for spot in (*state.binds, *state.nominations)]
    before = [e for e in placed if e.workload.id not in state.beneficiaries and e.task.id not in state.evictions]
    staying = [entry for entry in running if entry.task.id not in state.evictions]
    found: dict[tuple[str, str, str, str], Violation] = {}
    for held, added in ((running, before), (staying, placed)):
        for violation_key, violation in _over(state, held, added):
            found.setdefault(violation_key, violation)
    yield from found.values()


def _over(
    state: State, held: list[_Entry], added: list[_Entry]
) -> Iterator[tuple[tuple[str, str, str, str], Violation]]:
    for rule, bound, counts in _RULES:
        new = _by_queue(state, ((e, e.new) for e in added if counts(e.workload)))
        if not new:
            continue
        totals = _by_queue(state, ((e, e.charge) for e in (*held, *added) if counts(e.workload)))
        for (queue, pool), more in new.items():
            for resource in RESOURCES:
                allowed = bound(_quota(state.queues[queue], pool, resource))
                if allowed is None or getattr(more, resource) <= 0:
                    continue
                total, unit = getattr(totals[queue, pool], resource), MILLI if resource == "gpu" else 1
                if total > _exact(allowed) * unit:
                    message = (
                        f"Queue {queue}, pool {pool} would have {_amount(total, unit)} {resource}, "
                        f"{_amount(getattr(more, resource), unit)} of it new, over its {rule} of {allowed:g}."
                    )
                    yield (rule, queue, pool, resource), Violation(rule, queue, message)


def _limit(quota: GpuQuota | HostQuota) -> float | None:
    return quota.limit


def _deserved(quota: GpuQuota | HostQuota) -> float | None:
    return quota.quota


def _any_work(workload: PlannedWorkload) -> bool:
    return True


def _non_preemptible(workload: PlannedWorkload) -> bool:
    return not workload.is_preemptible


_Bound: TypeAlias = Callable[[GpuQuota | HostQuota], float | None]
_RULES: tuple[tuple[str, _Bound, Callable[[PlannedWorkload], bool]], ...] = (
    ("limit", _limit, _any_work),
    ("quota", _deserved, _non_preemptible),
)


def _by_queue(state: State, charges: Iterable[tuple[_Entry, _Charge]]) -> dict[Key, _Charge]:
    """Sums for each queue and pool, parents included; queues without a root are left out."""
    leaves: dict[Key, _Charge] = {}
    for entry, charge in charges:
        key = entry.workload.queue, entry.pool
        leaves[key] = leaves.get(key, _Charge()).plus(charge)
    sums: dict[Key, _Charge] = {}
    for (leaf, pool), charge in leaves.items():
        for queue in state.path(leaf) or ():
            key = queue.name, pool
            sums[key] = sums.get(key, _Charge()).plus(charge)
    return sums


def _quota(queue: Queue, pool: str, resource: Resource) -> GpuQuota | HostQuota:
    source = queue if pool == "default" else queue.pools.get(pool, _UNNAMED_POOL)
    quota: GpuQuota | HostQuota = getattr(source, resource)
    return quota


def _running_entries(state: State) -> Iterator[_Entry]:
    smallest = min((gpu.memory_mib for _, gpu in state.devices.values() if gpu.memory_mib), default=0)
    for workload in state.snapshot.workloads:
        for task in workload.tasks:
            if task.state != "running":
                continue
            home = state.homes.get(task.id)
            node = state.nodes.get(task.node or "")
            pool = node.pool if node is not None else workload.pools[0]
            charge = _charge(task.request, home.gpus if home else (), smallest)
            yield _Entry(task, workload, pool, charge, _Charge())


def _placed_entry(state: State, spot: Spot, start: dict[str, _Entry]) -> _Entry:
    """What a placement charges; a victim that is re-placed in its pool adds only what it costs more there."""
    charge = _charge(spot.task.request, spot.gpus, 0)
    before = start.get(spot.task.id)
    same_pool = before is not None and before.pool == spot.node.pool
    new = charge.above(before.charge) if before is not None and same_pool else charge
    return _Entry(spot.task, spot.workload, spot.node.pool, charge, new)


def _charge(request: TaskRequest, gpus: tuple[Gpu, ...], smallest: int) -> _Charge:
    return _Charge(_gpu_charge(request, gpus, smallest), request.cpu_milli, request.memory_mib)


def _gpu_charge(request: TaskRequest, gpus: tuple[Gpu, ...], smallest: int) -> Number:
    """Thousandths of devices; memory is measured on the devices held, else on the smallest one."""
    if request.mig:
        return MILLI * sum(_profile_devices(profile) * count for profile, count in request.mig.items())
    whole, milli = whole_and_milli(request)
    if not request.gpu_memory_mib:
        return MILLI * whole + milli * request.gpu_devices
    sizes = [gpu.memory_mib or smallest for gpu in gpus] or [smallest] * devices_asked(request)
    return sum((Fraction(MILLI * request.gpu_memory_mib, size) if size else MILLI for size in sizes), Fraction(0))


def _profile_devices(profile: str) -> int:
    match = _PROFILE_SIZE.match(profile)
    return int(match[1]) if match else 1


@lru_cache(maxsize=4096)
def _exact(value: float) -> Fraction:
    """A quota as it is written: 0.3 is three tenths, not the nearest double."""
    return Fraction(str(value))


def _amount(value: Number, unit: int) -> str:
    return f"{float(Fraction(value) / unit):.6g}"
