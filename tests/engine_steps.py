"""What the contract of engines asks for, and waits for."""

from __future__ import annotations

from contextlib import aclosing
from itertools import pairwise

from scheduler_core.engine import Engine
from scheduler_core.model import TaskRequest
from scheduler_core.workload import (
    EngineState,
    State,
    Workload,
    WorkloadChanged,
    WorkloadSpec,
)

FAILS = ("/bin/false",)
RUNS = ("/bin/sleep", "1000")


def says(*words: str) -> tuple[str, ...]:
    return ("/bin/echo", *words)


def asked(command: tuple[str, ...], gpu: float | str = 0, **fields: object) -> WorkloadSpec:
    return WorkloadSpec(command=command, cwd="/", request=TaskRequest(gpu=gpu), grace_s=1, **fields)  # type: ignore[arg-type]


async def until(engine: Engine, workload_id: str, *states: State) -> Workload:
    """Wait until the workload is in one of these states."""
    async with aclosing(engine.watch()) as events:
        async for event in events:
            seen = event.workloads if isinstance(event, EngineState) else ()
            for workload in (event.workload,) if isinstance(event, WorkloadChanged) else seen:
                if workload.id == workload_id and workload.state in states:
                    return workload
    raise AssertionError("the stream has ended")


async def until_tasks(engine: Engine, workload_id: str, *states: State) -> None:
    """Wait until the tasks of a workload are in these states."""
    async with aclosing(engine.watch()) as events:
        async for _ in events:
            if tuple(task.state for task in await engine.tasks(workload_id)) == states:
                return


async def output(engine: Engine, workload_id: str, **options: object) -> bytes:
    pieces = [piece async for piece in engine.logs(workload_id, **options)]  # type: ignore[arg-type]
    assert all(first.offset + len(first.data) == then.offset for first, then in pairwise(pieces))
    assert all(piece.data for piece in pieces)
    return b"".join(piece.data for piece in pieces)
