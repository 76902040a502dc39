"""Random histories of workloads, written into an engine's book at made-up times before a witness."""

from __future__ import annotations

from pathlib import Path
from random import Random

from msgspec.structs import replace

from scheduler_core.feed import Feed
from scheduler_core.local.durable.store import Store
from scheduler_core.local.machine.identity import Process
from scheduler_core.local.record.records import Record, new_record, new_workload
from scheduler_core.local.record.runs import Exit
from scheduler_core.local.record.tasks import (
    after_run,
    asking_for,
    launched,
    replace_workload,
    resized,
    scaled,
    seen_running,
    some_told_to_go,
    stopped_where_it_waits,
    told_to_go,
)
from scheduler_core.local.work.book import Book, Change
from scheduler_core.model import TaskRequest
from scheduler_core.workload import Allocation, EngineState, HeldDevice, Scale, WorkloadSpec
from tests.accounting.witness import Witness

PROJECTS = ("vision", "nlp", "audio")
OWNERS = ("ana", "ben", "cem", "dora")
DEVICES = 12
MIB = 81_920


class Histories:
    """Call `submit`, then `step` until a workload is over, and `restart` now and then; a `witness` looks on."""

    def __init__(self, path: Path, random: Random, start_ms: int, longest_pause_ms: int) -> None:
        self.now_ms = start_ms
        self.witness = Witness()
        self._path = path
        self._random = random
        self._longest_pause_ms = longest_pause_ms
        self._open()

    def _open(self) -> None:
        self.store = Store(self._path)
        self.book = Book(self.store, Feed(_no_state), lambda: self.now_ms / 1000)

    def restart(self) -> None:
        self.store.close()
        self._open()

    def tick(self) -> None:
        self.now_ms += self._random.choice((0, 1, self._random.randint(1, self._longest_pause_ms)))

    async def submit(self, number: int) -> str:
        draw = self._random
        tasks, gang = draw.choice((1, 1, 2, 4)), draw.random() < 0.5
        spec = WorkloadSpec(
            command=("x",),
            cwd="/",
            queue=draw.choice(PROJECTS),
            preemptible=draw.random() < 0.7,
            request=TaskRequest(gpu=draw.choice(("0.25", "0.5", 1, 2)), cpu_milli=draw.choice((0, 500))),
            tasks=tasks,
            gang=gang,
            min_tasks=1 if gang and tasks > 1 and draw.random() < 0.5 else None,
            retries=draw.choice((0, 1)),
        )
        workload = new_workload(spec, f"{number:08x}", f"w-{number}", draw.choice(OWNERS), True)
        workload = replace(workload, created=self.now_ms / 1000)
        await self.book.add(new_record(spec, workload))
        self.witness.look(self.book.get(workload.id), self.now_ms)
        return workload.id

    async def step(self, workload_id: str) -> bool:
        """Let one thing happen to a workload; whether it goes on."""
        self.tick()
        record = self.book.get(workload_id)
        state, draw = record.workload.state, self._random
        alive = [task.index for task, _ in record.alive()]
        if record.workload.has_ended:
            return False
        if record.then is not None or any(record.tasks[index].then for index in alive):
            leaving = [index for index in alive if record.then is not None or record.tasks[index].then is not None]
            await self._end(workload_id, draw.choice(leaving), 143)
        elif state == "suspended":
            await self._decide(workload_id, lambda known: replace_workload(known, state="pending"))
        elif not alive:
            await self._while_waiting(workload_id, record)
        else:
            await self._while_running(workload_id, record, alive)
        return True

    async def _while_waiting(self, workload_id: str, record: Record) -> None:
        chance = self._random.random()
        if chance < 0.1:
            await self._decide(workload_id, lambda known: replace_workload(known, state="suspended"))
        elif chance < 0.15:
            await self._decide(workload_id, lambda known: stopped_where_it_waits(known, self.now_ms / 1000, ""))
        elif chance < 0.25:
            await self._decide(workload_id, lambda known: asking_for(known, TaskRequest(gpu="0.5")))
        else:
            await self._launch(workload_id, record)

    async def _while_running(self, workload_id: str, record: Record, alive: list[int]) -> None:
        draw, now = self._random, self.now_ms / 1000
        chance, waiting = draw.random(), [t for t, task in enumerate(record.tasks) if task.state == "pending"]
        if waiting and chance < 0.3:
            await self._launch(workload_id, record)
        elif record.tasks[alive[0]].state == "initializing":
            observed = seen_running(record, alive[0], Process(1, "x"))
            await self.book.observe(workload_id, lambda known: observed)
        elif chance < 0.4:
            await self._decide(workload_id, lambda known: told_to_go(known, "suspended", "", now))
        elif chance < 0.5:
            await self._evict(workload_id, record, alive)
        elif chance < 0.6 and len(record.tasks) == 1 and record.spec.request.portion_milli:
            await self._resize(workload_id, record)
        elif chance < 0.7:
            scale = Scale(tasks=draw.choice((1, 2, 3, 5)))
            await self._decide(workload_id, lambda known: scaled(known, scale, now))
        elif chance < 0.75:
            await self._decide(workload_id, lambda known: told_to_go(known, "stopped", "", now))
        else:
            await self._end(workload_id, draw.choice(alive), draw.choice((0, 0, 1)))

    async def _launch(self, workload_id: str, record: Record) -> None:
        waiting = [index for index, task in enumerate(record.tasks) if task.state == "pending"]
        if not record.spec.gang or record.spec.min_tasks is not None:
            waiting = waiting[: self._random.randint(1, len(waiting))]
        given = {index: self._allocation(record.spec.request) for index in waiting}
        now = self.now_ms / 1000
        await self._decide(workload_id, lambda known: launched(known, given, now, 1))

    def _allocation(self, request: TaskRequest) -> Allocation:
        milli = request.portion_milli or 1000
        chosen = self._random.sample(range(DEVICES), request.whole_devices or 1)
        return Allocation(node="here", devices=tuple(_held(index, milli) for index in sorted(chosen)))

    async def _resize(self, workload_id: str, record: Record) -> None:
        request = TaskRequest(gpu=self._random.choice(("0.125", "0.333", "0.75")))
        before = record.tasks[0].allocation
        assert before is not None
        after = replace(before, devices=(_held(before.devices[0].index, request.portion_milli),))
        await self._decide(workload_id, lambda known: resized(known, request, after))

    async def _evict(self, workload_id: str, record: Record, alive: list[int]) -> None:
        now = self.now_ms / 1000
        some = self._random.sample(alive, self._random.randint(1, len(alive)))
        if len(some) == len(alive):
            await self._decide(workload_id, lambda known: told_to_go(known, "pending", "preempt: x", now))
        else:
            await self._decide(workload_id, lambda known: some_told_to_go(known, some, "pending", "preempt: x"))
        self.witness.evictions.append((self.now_ms, workload_id))

    async def _end(self, workload_id: str, index: int, code: int) -> None:
        """A process has ended a while ago, and only now is that seen."""
        begun = self.witness.holds_since(workload_id, index)
        ended_ms = self._random.randint(max(begun, self.now_ms - self._longest_pause_ms), self.now_ms)
        outcome = Exit(code, "", ended_ms / 1000)
        await self.book.observe(workload_id, lambda known: after_run(known, index, outcome, None), ended_ms / 1000)
        self.witness.look(self.book.get(workload_id), self.now_ms, (index, ended_ms))

    async def _decide(self, workload_id: str, change: Change) -> None:
        await self.book.decide(workload_id, change)
        self.witness.look(self.book.get(workload_id), self.now_ms)


def _held(index: int, milli: int) -> HeldDevice:
    return HeldDevice(id=f"gpu-{index}", index=index, model="A100", portion_milli=milli, memory_mib=MIB * milli // 1000)


def _no_state(epoch: str, seq: int) -> EngineState:
    raise AssertionError("nobody watches")


async def live(histories: Histories, numbers: range, at_once: int, most_steps: int = 60) -> None:
    """These workloads, `at_once` of them at a time, each to its end or until it has gone through so much."""
    waiting, going = list(reversed(numbers)), dict[str, int]()
    while going or waiting:
        while waiting and len(going) < at_once:
            going[await histories.submit(waiting.pop())] = 0
        for workload_id in list(going):
            going[workload_id] += 1
            if not await histories.step(workload_id) or going[workload_id] > most_steps:
                del going[workload_id]
