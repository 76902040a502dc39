"""What somebody does to a workload, on its way into the audit log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from scheduler_core.audit import ENGINE, AuditAction, AuditEntry
from scheduler_core.model import MILLI, Eviction, TaskRequest
from scheduler_core.workload import Scale, Workload


class Act(Struct, frozen=True, kw_only=True):
    """What `user` does, and for which workload's sake; it is told of the workload once it is decided."""

    action: AuditAction
    user: str = ENGINE
    detail: str = ""
    sake: Workload | None = None

    def entry(self, workload: Workload, at: float) -> AuditEntry:
        """The entry for what was done to this workload, at `at` seconds since the epoch."""
        sake = self.sake
        return AuditEntry(
            seq=0,
            at=at,
            user=self.user,
            action=self.action,
            workload=workload.id,
            name=workload.name,
            owner=workload.owner,
            project=workload.queue,
            for_workload="" if sake is None else sake.id,
            for_name="" if sake is None else sake.name,
            for_owner="" if sake is None else sake.owner,
            for_project="" if sake is None else sake.queue,
            detail=self.detail,
        )


def evictions(
    evicted: Mapping[int, Eviction], tasks: int, workload: Callable[[str], Workload | None]
) -> tuple[Act, ...]:
    """One act for each workload for whose sake some of so many `tasks` go."""
    of_each: dict[tuple[str | None, str], list[int]] = {}
    for index, eviction in sorted(evicted.items()):
        of_each.setdefault((eviction.beneficiary, f"{eviction.action}: {eviction.reason}"), []).append(index)
    return tuple(
        Act(
            action="evict",
            detail=why if len(indices) == tasks else f"{why} ({len(indices)} of {tasks} tasks)",
            sake=None if beneficiary is None else workload(beneficiary),
        )
        for (beneficiary, why), indices in of_each.items()
    )


def asked(request: TaskRequest) -> str:
    """What a task asks for of devices: `gpu 0.5`."""
    if request.gpu_memory_mib:
        return f"gpu_memory_mib {_up_to(request.gpu_memory_mib, request.gpu_memory_limit_mib)}"
    if request.mig:
        return "mig " + ", ".join(f"{count} x {name}" for name, count in request.mig.items())
    amount = request.whole_devices * MILLI + request.portion_milli
    return f"gpu {_up_to(amount / MILLI, request.limit_milli / MILLI)}"


def counted(scale: Scale) -> str:
    """How many tasks: `4 tasks`, `2 to 8 tasks`."""
    fewest = "" if scale.min_tasks is None else f"{scale.min_tasks} to "
    return f"{fewest}{scale.tasks} tasks"


def acted(acts: Iterable[Act], workload: Workload, at: float) -> list[AuditEntry]:
    """The entries of what was done to a workload."""
    return [act.entry(workload, at) for act in acts]


def _up_to(amount: float, limit: float) -> str:
    return f"{amount:g}, limit {limit:g}" if limit else f"{amount:g}"
