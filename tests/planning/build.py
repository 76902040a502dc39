"""Snapshots in a few words, and the plan of one through the public door."""

from __future__ import annotations

from typing import Any

import msgspec

from scheduler_core import Plan, Snapshot, Verdict, check, plan, snapshot_from_json

Json = dict[str, Any]

ALL = {"quota": None}
"""A queue that owns everything."""


def node(name: str, gpus: int = 0, **fields: Any) -> Json:
    """A roomy machine; its devices are NAME-0, NAME-1 .. of 10,000 MiB each."""
    devices = [{"id": f"{name}-{d}", "memory_mib": 10_000} for d in range(gpus)]
    return {"name": name, "cpu_milli": 64_000, "memory_mib": 500_000, "gpus": devices, **fields}


def queue(name: str = "q", gpu: Json | None = None, **fields: Any) -> Json:
    return {"name": name, "gpu": ALL if gpu is None else gpu, **fields}


def work(name: str, *tasks: Json, request: Json | None = None, count: int = 1, **fields: Any) -> Json:
    """A workload of the given tasks, or of `count` equal ones called NAME.0, NAME.1 .."""
    made = list(tasks) or [task(f"{name}.{k}", request) for k in range(count)]
    return {"id": name, "queue": "q", "created": 0, "tasks": made, **fields}


def task(name: str, request: Json | None = None, **fields: Any) -> Json:
    return {"id": name, "request": request or {}, **fields}


def gpu(amount: Any, **fields: Any) -> Json:
    return {"gpu": amount, **fields}


def held(name: str, on: str, *gpu_ids: str, request: Json, state: str = "running") -> Json:
    """A workload of one task that has its place already."""
    return work(name, task(f"{name}.0", request, state=state, node=on, gpu_ids=list(gpu_ids)), queue="q")


def snapshot(
    nodes: list[Json], workloads: list[Json], queues: list[Json] | None = None, config: Json | None = None
) -> Snapshot:
    whole = {
        "time": 1000,
        "config": config or {},
        "nodes": nodes,
        "queues": [queue()] if queues is None else queues,
        "workloads": workloads,
    }
    return snapshot_from_json(msgspec.json.encode(whole))


def planned(
    nodes: list[Json], workloads: list[Json], queues: list[Json] | None = None, config: Json | None = None
) -> Plan:
    """The plan, after the independent check has found nothing wrong with it."""
    given = snapshot(nodes, workloads, queues, config)
    made = plan(given)
    assert check(given, made) == []
    return made


def spots(made: Plan) -> dict[str, str]:
    """Where each bound task goes: "node", or "node: devices"."""
    return {bind.task: _spot(bind.node, bind.gpu_ids or [s.gpu for s in bind.mig_slices]) for bind in made.binds}


def promises(made: Plan) -> dict[str, str]:
    """The same for nominations."""
    return {each.task: _spot(each.node, each.gpu_ids) for each in made.nominations}


def verdict(made: Plan, workload: str) -> Verdict:
    return next(each for each in made.verdicts if each.workload == workload)


def codes(made: Plan) -> dict[str, str]:
    return {each.workload: each.code for each in made.verdicts}


def _spot(name: str, gpu_ids: Any) -> str:
    return f"{name}: {' '.join(gpu_ids)}" if gpu_ids else name
