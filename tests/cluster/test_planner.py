"""Plans are made in a process of their own, and are what they would be here; no cluster is needed to see that."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from msgspec.structs import replace

from scheduler_core.errors import EngineDefect
from scheduler_core.kubernetes.scheduling.planner import Planner
from scheduler_core.model import Config, Gpu, GpuQuota, Node, PlannedWorkload, Queue, Snapshot, Task, TaskRequest
from scheduler_core.planning.plan import plan

TASKS = tuple(
    Task(id=f"task-{number}", request=TaskRequest(gpu="0.5", cpu_milli=100), state="pending") for number in range(3)
)
SNAPSHOT = Snapshot(
    time=1.0,
    config=Config(),
    nodes=(Node(name="node", cpu_milli=8000, memory_mib=8000, gpus=(Gpu(id="node/0", memory_mib=8000),)),),
    queues=(Queue(name="default", gpu=GpuQuota(quota=None)),),
    workloads=tuple(PlannedWorkload(id=task.id, queue="default", created=1.0, tasks=(task,)) for task in TASKS),
)


def children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()}


async def test_a_plan_is_what_it_would_be_here() -> None:
    planner = Planner()
    try:
        made, violations = await planner.plan(SNAPSHOT)
        assert made == plan(SNAPSHOT)
        assert violations == ()
        assert len(made.binds) == 2
    finally:
        await planner.close()


async def test_what_makes_no_sense_is_said_and_the_next_is_planned() -> None:
    planner = Planner()
    try:
        twice = replace(SNAPSHOT, workloads=(*SNAPSHOT.workloads, SNAPSHOT.workloads[0]))
        with pytest.raises(EngineDefect, match="task-0"):
            await planner.plan(twice)
        made, _ = await planner.plan(SNAPSHOT)
        assert len(made.binds) == 2
    finally:
        await planner.close()


async def test_where_its_process_is_killed_there_is_a_new_one() -> None:
    planner, before = Planner(), children()
    try:
        await planner.plan(SNAPSHOT)
        (process,) = children() - before
        os.kill(process, signal.SIGSTOP)
        asked = asyncio.ensure_future(planner.plan(SNAPSHOT))
        await asyncio.sleep(0)
        os.kill(process, signal.SIGKILL)
        with pytest.raises(EngineDefect, match="has ended"):
            await asked
        made, _ = await planner.plan(SNAPSHOT)
        assert len(made.binds) == 2
    finally:
        await planner.close()
    assert children() <= before
