"""Sees to shares that nothing else holds: device memory beyond a share is warned of, then interrupted, then stopped."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Mapping

from msgspec import Struct

from scheduler_core.errors import RunaiError
from scheduler_core.local.access.settings import WatchdogSettings
from scheduler_core.local.machine.ladder import FRAMEWORK, Ladder
from scheduler_core.local.record.records import TaskId, TaskRecord
from scheduler_core.local.record.tasks import held_otherwise
from scheduler_core.local.work.following import Runs
from scheduler_core.nvml import Sample
from scheduler_core.workload import Allocation

_log = logging.getLogger(__name__)


class _Excess(Struct):
    """How often in a row a task was seen beyond its share, since when it is warned, and whether it was interrupted."""

    readings: int = 0
    warned: float | None = None
    interrupted: bool = False


class Watchdog:
    """Looks at every reading of the devices. It acts after the fact: a neighbour may meet a full device before."""

    def __init__(self, runs: Runs, ladder: Ladder, settings: WatchdogSettings) -> None:
        self._runs = runs
        self._ladder = ladder
        self._settings = settings
        self._excess: dict[TaskId, _Excess] = {}
        self._outside: dict[TaskId, set[int]] = {}
        self._told_lost: set[tuple[TaskId, str]] = set()

    async def look(
        self,
        running: Mapping[TaskId, TaskRecord],
        samples: Mapping[str, Sample],
        memory_mib: Mapping[TaskId, Mapping[int, int]],
        allowed_mib: Mapping[TaskId, int],
    ) -> None:
        """Compare what the processes of each task that runs hold, by pid, with its share, or what it is allowed now."""
        self._tell_lost(running, samples)
        self._excess = {task: excess for task, excess in self._excess.items() if task in running}
        self._outside = {task: outside for task, outside in self._outside.items() if task in running}
        for task, known in running.items():
            if known.allocation is not None:
                used = memory_mib.get(task, {})
                await self._compare(task, known, known.allocation, used, allowed_mib.get(task))

    def _tell_lost(self, running: Mapping[TaskId, TaskRecord], samples: Mapping[str, Sample]) -> None:
        """Tell a task, once, that a device of its own does not answer; what to do about it is its owner's to say."""
        lost = {
            (task, device): index
            for task, known in running.items()
            for device, index in _devices(known.allocation).items()
            if device in samples and not samples[device].ready
        }
        for (task, device), index in lost.items():
            if (task, device) not in self._told_lost:
                self._runs.say(
                    task, f"device {index} ({device}) does not answer any more; nothing new is placed on it."
                )
        self._told_lost = set(lost)

    async def _compare(
        self,
        task: TaskId,
        known: TaskRecord,
        allocation: Allocation,
        used: Mapping[int, int],
        allowed_mib: int | None,
    ) -> None:
        if allocation.enforcement.level.startswith("mps"):
            await self._look_past(task, used)
        if allowed_mib is not None:
            what = f"its share and what can be lent to it are {allowed_mib / 1024:.1f} GB"
            await self._weigh(task, known, sum(used.values()), allowed_mib, what)
        elif allocation.enforcement.memory == "soft":
            share_mib = sum(device.memory_mib for device in allocation.devices)
            await self._weigh(task, known, sum(used.values()), share_mib, f"the share is {share_mib / 1024:.1f} GB")

    async def _look_past(self, task: TaskId, used: Mapping[int, int]) -> None:
        """Whether processes of a task go past MPS, seen so twice in a row: between two tools' answers one may end."""
        now = await asyncio.to_thread(self._ladder.outside, str(task), used) if used else set()
        outside = now & self._outside.get(task, set())
        self._outside[task] = now
        if outside:
            del self._outside[task]
            await self._runs.observe(task, lambda record: held_otherwise(record, task.index, FRAMEWORK))
            pids = ", ".join(map(str, sorted(outside)))
            self._runs.say(
                task, f"process {pids} does not go through MPS, so that its share is no longer held by the device."
            )

    async def _weigh(self, task: TaskId, known: TaskRecord, used_mib: int, allowed_mib: int, allowed: str) -> None:
        excess = self._excess.setdefault(task, _Excess())
        if used_mib <= allowed_mib + self._settings.allowance_mib:
            if excess.warned is not None:
                self._runs.say(task, "it is within its share again.")
            del self._excess[task]
            return
        excess.readings += 1
        settings, now = self._settings, time.monotonic()
        what = f"{used_mib / 1024:.1f} GB of device memory are used, {allowed}"
        if excess.warned is None:
            if excess.readings >= settings.readings:
                excess.warned = now
                told = f"{what}. It is interrupted in {settings.interrupt_after_s:g} s"
                self._runs.say(task, f"{told}, and stopped {settings.stop_after_s:g} s later, if it keeps that.")
        elif not excess.interrupted:
            if now - excess.warned >= settings.interrupt_after_s and known.supervisor is not None:
                excess.interrupted = True
                self._runs.say(task, f"{what}. It is interrupted (SIGINT).")
                await asyncio.to_thread(self._runs.signal, task, known.supervisor, signal.SIGINT)
        elif now - excess.warned >= settings.interrupt_after_s + settings.stop_after_s:
            self._runs.say(task, f"{what}. It is stopped.")
            try:
                await self._runs.give_up(task, f"{what}: stopped")
            except RunaiError:
                _log.exception("%s cannot be told to stop yet", task)


def _devices(allocation: Allocation | None) -> dict[str, int]:
    """The devices of an allocation, with their indices."""
    return {} if allocation is None else {device.id: device.index for device in allocation.devices}
