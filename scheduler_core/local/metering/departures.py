"""What rules have taken off devices: whether its processes have really gone, and what came free by that."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.errors import RunaiError
from scheduler_core.local.metering.idleness import is_off
from scheduler_core.local.record.records import Record, TaskId
from scheduler_core.local.record.tasks import replace_workload
from scheduler_core.local.work.book import Book
from scheduler_core.nvml import PhysicalDevice, Sample
from scheduler_core.workload import HeldDevice

_log = logging.getLogger(__name__)
_GONE_BY_S = 30.0


class _Leaving(Struct):
    """What a workload held when it was told to go, its processes then, and whether they were said to stay."""

    held: tuple[HeldDevice, ...]
    memory_mib: Mapping[int, int]
    told_at: float
    is_told: bool = False


class Departures:
    """Reports of what was freed, in the notices of the workloads that held it."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._leaving: dict[str, _Leaving] = {}

    def staying(
        self, record: Record, samples: Mapping[str, Sample], memory_mib: Mapping[TaskId, Mapping[int, int]]
    ) -> str:
        """Why its devices cannot be released: who of it is on them; empty where a reading shows that nobody is."""
        for task, known in record.alive():
            of_task = memory_mib.get(task, {})
            for held in known.allocation.devices if known.allocation is not None else ():
                sample = samples.get(held.id)
                if sample is None or not sample.ready:
                    return f"device {held.index} does not answer"
                if not is_off(_physical(held), sample, of_task):
                    return _still_there(held, sample, of_task)
        return ""

    def begin(self, record: Record, memory_mib: Mapping[TaskId, Mapping[int, int]]) -> None:
        """A workload is being told to go."""
        held = () if record.workload.allocation is None else record.workload.allocation.devices
        pids = {pid: mib for task, _ in record.alive() for pid, mib in memory_mib.get(task, {}).items()}
        self._leaving[record.workload.id] = _Leaving(held, pids, time.monotonic())

    async def look(self, samples: Mapping[str, Sample]) -> None:
        """Report what a reading shows to have come free."""
        for workload_id, leaving in list(self._leaving.items()):
            if workload_id not in self._book:
                del self._leaving[workload_id]
                continue
            if _still_holds(self._book.get(workload_id)):
                continue
            there = [held for held in leaving.held if not _is_free(held, samples.get(held.id), leaving.memory_mib)]
            if not there:
                del self._leaving[workload_id]
                await self._report(workload_id, _freed(leaving))
            elif not leaving.is_told and time.monotonic() - leaving.told_at > _GONE_BY_S:
                leaving.is_told = True
                sample = samples.get(there[0].id)
                await self._report(workload_id, _still_there(there[0], sample, leaving.memory_mib))

    async def _report(self, workload_id: str, what: str) -> None:
        def reported(known: Record) -> Record:
            notice = known.workload.notice
            if notice is None or notice.acts_at is not None:
                return known
            said = f"{notice.message.partition(' (')[0]} ({what})"
            return replace_workload(known, notice=replace(notice, message=said))

        try:
            await self._book.decide(workload_id, reported)
        except RunaiError:
            _log.exception("It could not be written down what came free")


def _still_holds(record: Record) -> bool:
    allocation = record.workload.allocation
    return not record.workload.has_ended and allocation is not None and bool(allocation.devices)


def _is_free(held: HeldDevice, sample: Sample | None, memory_mib: Mapping[int, int]) -> bool:
    return sample is None or not any(pid in sample.processes for pid in memory_mib)


def _freed(leaving: _Leaving) -> str:
    devices = ", ".join(f"{held.portion_milli / 1000:g} of device {held.index}" for held in leaving.held)
    used = sum(leaving.memory_mib.values())
    return f"freed: {devices}, of which {used / 1024:.1f} GB of memory were in use"


def _still_there(held: HeldDevice, sample: Sample | None, memory_mib: Mapping[int, int]) -> str:
    there = [pid for pid in memory_mib if sample is not None and pid in sample.processes]
    if not there:
        return f"device {held.index} holds memory of processes that the driver does not list"
    pids = ", ".join(map(str, sorted(there)))
    return f"process {pids} is still on device {held.index}"


def _physical(held: HeldDevice) -> PhysicalDevice:
    """The device that a share is of, by what the share says of it."""
    whole_mib = held.memory_mib * 1000 // max(1, held.portion_milli)
    return PhysicalDevice(id=held.id, index=held.index, model=held.model, memory_mib=whole_mib)
