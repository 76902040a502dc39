"""Hundreds of workloads through eight simulated devices, some stopped, suspended or taken off for others on their way.

`RUNAI_SOAK_WORKLOADS=10000 pytest tests/soak` does it at length.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

from scheduler_core.errors import Conflict
from scheduler_core.local import LocalEngine
from scheduler_core.local.access.settings import Settings
from scheduler_core.local.wire.protocol import LOG_FILE
from scheduler_core.model import TaskRequest
from scheduler_core.workload import EngineState, Event, Scale, Workload, WorkloadChanged, WorkloadSpec

WORKLOADS = int(os.environ.get("RUNAI_SOAK_WORKLOADS", "500"))
MOST_LIVE = 40
WARM_UP = 150
GROWTH_KIB = 20 * 1024
SHARES = ("0.1", "0.25", "0.5", "0.5", 1, 2)
TASKS = (*[(1, True)] * 6, (2, True), (3, False))
PRIORITIES = (25, 40, 40, 65, 125)


pytestmark = pytest.mark.timeout(7200)


class Soak:
    """Keeps so many workloads alive, acts on some of them at random, and follows them all to their ends."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self._chance = random.Random(3)
        self._live: dict[str, Workload] = {}
        self.submitted = 0
        self.ended: dict[str, Workload] = {}
        self.resident_kib: list[int] = []
        self.told = Counter[str]()

    async def run(self) -> None:
        pid = (await self._engine.info()).pid
        async with aclosing(self._engine.watch()) as events:
            async for event in events:
                self._note(event)
                while len(self._live) < MOST_LIVE and self.submitted < WORKLOADS:
                    await self._submit()
                if not self._live:
                    return
                idle = all(workload.state == "suspended" for workload in self._live.values())
                if idle or self._chance.random() < 0.05:
                    await self._disturb()
                if len(self.ended) % WARM_UP == 0:
                    self.resident_kib.append(_resident_kib(pid))

    def _note(self, event: Event) -> None:
        seen = event.workloads if isinstance(event, EngineState) else ()
        for workload in (event.workload,) if isinstance(event, WorkloadChanged) else seen:
            if workload.has_ended:
                self._live.pop(workload.id, None)
                self.ended[workload.id] = workload
            else:
                self._live[workload.id] = workload
                self.told["evicted"] += workload.state == "suspending" and ": " in workload.reason

    async def _submit(self) -> None:
        self.submitted += 1
        tasks, gang = self._chance.choice(TASKS)
        workload = await self._engine.submit(
            WorkloadSpec(
                command=("/bin/sleep", str(self._chance.choice((0, 0.1, 0.4)))),
                cwd="/",
                request=TaskRequest(gpu=self._chance.choice(SHARES)),
                tasks=tasks,
                gang=gang,
                priority=self._chance.choice(PRIORITIES),
                grace_s=1,
            )
        )
        self._live[workload.id] = workload

    async def _disturb(self) -> None:
        """Stop, suspend or resume one; what is suspended long is resumed by chance, and at the end in any case."""
        suspended = [name for name, workload in self._live.items() if workload.state == "suspended"]
        if suspended and (self._chance.random() < 0.5 or self.submitted == WORKLOADS):
            what, chosen = "resume", self._chance.choice(suspended)
        else:
            verbs = ("stop", "suspend", "resize", "scale")
            what, chosen = self._chance.choice(verbs), self._chance.choice(list(self._live))
        with suppress(Conflict):
            if what == "resize":
                answer = await self._engine.resize(chosen, TaskRequest(gpu=self._chance.choice(SHARES)))
                self.told[f"resized {answer.applied}"] += 1
            elif what == "scale":
                answer = await self._engine.scale(chosen, Scale(tasks=self._chance.randint(1, 4)))
                self.told[f"scaled {answer.applied}"] += 1
            else:
                await getattr(self._engine, what)(chosen)
                self.told[what] += 1


def _resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def test_everything_comes_to_its_end_and_the_daemon_stays_as_it_was(engine_directory: Path) -> None:
    Settings(simulate="8xA100-80GB").write(engine_directory)

    async def soak() -> tuple[Soak, list[int]]:
        engine = LocalEngine()
        run = Soak(engine)
        await run.run()
        held = [len(device.holders) for device in await engine.devices()]
        await engine.close()
        return run, held

    run, held = asyncio.run(soak())
    print(f"{Counter(w.state for w in run.ended.values())}, {dict(run.told)}")
    print(f"resident KiB {run.resident_kib[0]}, at most {max(run.resident_kib)}")
    assert len(run.ended) == WORKLOADS
    assert {workload.state for workload in run.ended.values()} <= {"completed", "stopped"}
    assert held == [0] * 8
    # The daemon checks each plan before it carries it out, and says so when one is not valid or a task of it fails.
    assert "ERROR" not in (engine_directory / LOG_FILE).read_text()
    assert run.told["evicted"] > 0
    assert max(run.resident_kib) - run.resident_kib[0] < GROWTH_KIB
