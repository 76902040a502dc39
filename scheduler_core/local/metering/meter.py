"""Measures what runs, each second, and keeps what a chart needs: seconds for a while, minutes and hours for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Mapping

from msgspec import Struct

from scheduler_core.errors import RunaiError
from scheduler_core.local.durable.store import Store
from scheduler_core.local.metering.simulation import simulated_load
from scheduler_core.local.record.processes import Usage, usage_of_tasks
from scheduler_core.local.record.records import TaskId, TaskRecord
from scheduler_core.local.work.book import Book
from scheduler_core.model import MILLI
from scheduler_core.nvml import Sample
from scheduler_core.workload import Measurement, Step

MIB = 1024 * 1024
MINUTE, HOUR, DAY = 60, 3600, 24 * 3600
_SECONDS_KEPT = 15 * MINUTE
_TOLD_EVERY_S: Mapping[Step, int] = {"second": 1, "minute": 5, "hour": MINUTE}
"""How often those who follow a step that goes on are told of it."""


class _Reading(Struct, frozen=True):
    """What one workload uses at one moment."""

    gpu_utilization: float | None
    gpu_memory_mib: float | None
    cpu_cores: float
    memory_mib: float


class Meter:
    """Measurements of every workload that runs. `simulated` devices have a load that is made up."""

    def __init__(self, book: Book, store: Store, simulated: bool) -> None:
        self._book = book
        self._store = store
        self._simulated = simulated
        self._seconds: dict[str, list[Measurement]] = {}
        self._minute: dict[str, list[Measurement]] = {}
        self._cpu_s: dict[TaskId, Mapping[tuple[int, str], float]] = {}
        self._looked = time.monotonic()
        self._thinned = 0.0
        self._looks = asyncio.Condition()
        self.cpu_cores: Mapping[str, float] = {}
        """In use at the last look, by workload."""

    async def look(
        self,
        running: Mapping[TaskId, TaskRecord],
        samples: Mapping[str, Sample],
        memory_mib: Mapping[TaskId, Mapping[int, int]],
    ) -> None:
        """Measure once what runs, which may be nothing; `memory_mib` is that of the devices by task and pid."""
        now, before = time.time(), self._looked
        self._looked = time.monotonic()
        elapsed_s = max(0.001, self._looked - before)
        readings = await self._read(running, samples, memory_mib, elapsed_s, now) if running else {}
        self.cpu_cores = {workload: reading.cpu_cores for workload, reading in readings.items()}
        for workload, reading in readings.items():
            measured = Measurement(
                at=now,
                seconds=1,
                gpu_utilization=reading.gpu_utilization,
                gpu_memory_mib=reading.gpu_memory_mib,
                gpu_memory_peak_mib=reading.gpu_memory_mib,
                cpu_cores=reading.cpu_cores,
                memory_mib=reading.memory_mib,
                memory_peak_mib=reading.memory_mib,
            )
            # A list, since most workloads have few seconds and a deque begins with room for many.
            seconds = self._seconds.setdefault(workload, [])
            seconds.append(measured)
            del seconds[:-_SECONDS_KEPT]
            self._minute.setdefault(workload, []).append(measured)
        self._seconds = {
            name: kept
            for name, kept in self._seconds.items()
            if name in self._book and kept[-1].at > now - _SECONDS_KEPT
        }
        await self._write_down(now, set(readings))
        async with self._looks:
            self._looks.notify_all()

    async def follow(self, workload_id: str, step: Step, since: float) -> AsyncGenerator[tuple[Measurement, ...], None]:
        """What was measured from `since` on, then what is measured further, until the workload has ended."""
        told: tuple[Measurement, ...] | None = None
        while True:
            # Asked before reading: what is measured until the end is then read after it.
            is_over = workload_id not in self._book or self._book.workload(workload_id).has_ended
            measured = await self.measured(workload_id, step, since)
            if measured != told:
                yield measured
                told = measured[-1:]
                since = told[0].at if told else since
            if is_over:
                return
            for _ in range(_TOLD_EVERY_S[step]):
                await self._next_look()

    async def _next_look(self) -> None:
        async with self._looks:
            await self._looks.wait()

    async def measured(self, workload_id: str, step: Step, since: float) -> tuple[Measurement, ...]:
        """A workload's measurements by steps from `since` on."""
        if step == "second":
            return tuple(second for second in self._seconds.get(workload_id, ()) if second.at >= since)
        minutes, hours = await asyncio.to_thread(self._store.measurements, workload_id)
        open_minute = self._minute.get(workload_id)
        if open_minute:
            minutes = [*minutes, together(open_minute)]
        if step == "minute":
            return tuple(minute for minute in minutes if minute.at >= since)
        by_hour: dict[float, list[Measurement]] = {hour.at: [hour] for hour in hours}
        for minute in minutes:
            by_hour.setdefault(minute.at - minute.at % HOUR, []).append(minute)
        return tuple(together(part, HOUR) for at, part in sorted(by_hour.items()) if at >= since)

    async def _read(
        self,
        running: Mapping[TaskId, TaskRecord],
        samples: Mapping[str, Sample],
        memory_mib: Mapping[TaskId, Mapping[int, int]],
        elapsed_s: float,
        now: float,
    ) -> dict[str, _Reading]:
        supervisors = {known.supervisor.pid: task for task, known in running.items() if known.supervisor is not None}
        usage = await asyncio.to_thread(usage_of_tasks, supervisors)
        cpu_before, self._cpu_s = self._cpu_s, {task: used.cpu_s for task, used in usage.items()}
        readings: dict[str, _Reading] = {}
        for task, known in running.items():
            used = usage[task]
            utilization, gpu_mib = (
                simulated_load(task, known, now)
                if self._simulated
                else _of_devices(known, samples, memory_mib.get(task, {}))
            )
            reading = _Reading(
                utilization,
                gpu_mib,
                _cores(used, cpu_before.get(task), elapsed_s),
                used.resident / MIB,
            )
            other = readings.get(task.workload)
            readings[task.workload] = reading if other is None else _sum(reading, other)
        return readings

    async def _write_down(self, now: float, running: set[str]) -> None:
        """Store the minutes that are over, and those of what runs no more; what cannot be stored is let go."""
        over = [
            name
            for name, seconds in self._minute.items()
            if name not in running or seconds[0].at // MINUTE != now // MINUTE
        ]
        rows = [(name, together(self._minute.pop(name))) for name in over]
        thin = now - self._thinned > HOUR
        if thin:
            self._thinned = now
        rows = [(name, minute) for name, minute in rows if name in self._book]
        if rows or thin:
            try:
                await self._store.measure(rows, now - DAY if thin else None)
            except RunaiError:
                # A full disk costs a chart a minute, no more.
                return


def together(parts: Iterable[Measurement], step: int = 1) -> Measurement:
    """The mean of several measurements by their length, their highest peaks, from the step that holds the first on."""
    parts = list(parts)
    seconds = sum(part.seconds for part in parts)

    def mean(values: list[float | None]) -> float | None:
        known = [(value, part.seconds) for value, part in zip(values, parts, strict=True) if value is not None]
        weight = sum(length for _, length in known)
        return sum(value * length for value, length in known) / weight if weight else None

    def peak(values: list[float | None]) -> float | None:
        return max((value for value in values if value is not None), default=None)

    return Measurement(
        at=parts[0].at - parts[0].at % step,
        seconds=seconds,
        gpu_utilization=mean([part.gpu_utilization for part in parts]),
        gpu_memory_mib=mean([part.gpu_memory_mib for part in parts]),
        gpu_memory_peak_mib=peak([part.gpu_memory_peak_mib for part in parts]),
        cpu_cores=mean([part.cpu_cores for part in parts]) or 0.0,
        memory_mib=mean([part.memory_mib for part in parts]) or 0.0,
        memory_peak_mib=peak([part.memory_peak_mib for part in parts]) or 0.0,
    )


def _cores(used: Usage, before: Mapping[tuple[int, str], float] | None, elapsed_s: float) -> float:
    """Cores in use since the last look: of a process that is new all it has used."""
    known = before or {}
    if before is None:
        return 0.0
    return sum(cpu_s - known.get(process, 0.0) for process, cpu_s in used.cpu_s.items()) / elapsed_s


def _of_devices(
    known: TaskRecord, samples: Mapping[str, Sample], memory: Mapping[int, int]
) -> tuple[float | None, float | None]:
    """(devices' worth of computing, MiB) of a task; null where it has no device, or nothing measures."""
    held = known.allocation.devices if known.allocation is not None else ()
    if not held:
        return None, None
    busy = [busy_share(samples[device.id], memory, device.portion_milli) for device in held if device.id in samples]
    measured = [value for value in busy if value is not None]
    return (sum(measured) if measured else None), float(sum(memory.values()))


def busy_share(sample: Sample, memory: Mapping[int, int], portion_milli: int) -> float | None:
    """What of a device a task's processes compute; a whole device computes for its holder alone."""
    if sample.busy is not None:
        shares = [share for pid, share in sample.busy.items() if pid in memory]
        known = [share for share in shares if share is not None]
        return sum(known) if len(known) == len(shares) else None
    return sample.utilization if portion_milli == MILLI else None


def _sum(one: _Reading, other: _Reading) -> _Reading:
    return _Reading(
        _plus(one.gpu_utilization, other.gpu_utilization),
        _plus(one.gpu_memory_mib, other.gpu_memory_mib),
        one.cpu_cores + other.cpu_cores,
        one.memory_mib + other.memory_mib,
    )


def _plus(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else one + other
