"""Snapshots and plans in a few words, and the rules that a plan breaks."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from scheduler_core.model import (
    Bind,
    Config,
    Eviction,
    Gpu,
    GpuQuota,
    MigProfile,
    Node,
    Nomination,
    Plan,
    PlannedWorkload,
    Queue,
    Snapshot,
    Task,
    TaskRequest,
    Verdict,
)
from scheduler_core.planning.check import check

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
