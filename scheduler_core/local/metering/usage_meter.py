"""Measures each second how much of what workloads hold they use, and keeps it by minutes for the accounts."""

from __future__ import annotations

import time
from collections.abc import Mapping

from msgspec import Struct

from scheduler_core.accounting.amounts import MINUTE_MS
from scheduler_core.accounting.cells import Measured
from scheduler_core.accounts import usage_log
from scheduler_core.errors import RunaiError
from scheduler_core.local.durable.store import Store
from scheduler_core.local.metering.meter import busy_share
from scheduler_core.local.metering.simulation import device_load
from scheduler_core.local.record.records import TaskId, TaskRecord
from scheduler_core.model import MILLI
from scheduler_core.nvml import Sample
from scheduler_core.workload import HeldDevice

_LONGEST_MS = 5000
"""What passes between two looks that are further apart is not measured."""


class _Sum(Struct, gc=False):
    measured: int = 0
    used: int = 0
    cpu_used: int = 0
    energy: int | None = None


class UsageMeter:
    """What is measured of every workload on every device. `simulated` devices have a load that is made up."""

    def __init__(self, store: Store, simulated: bool) -> None:
        self._store = store
        self._simulated = simulated
        self._sums: dict[tuple[int, str, str], _Sum] = {}
        self._energy_mj: Mapping[str, int] = {}
        self._looked = time.monotonic()

    async def look(
        self,
        running: Mapping[TaskId, TaskRecord],
        samples: Mapping[str, Sample],
        memory_mib: Mapping[TaskId, Mapping[int, int]],
        cpu_cores: Mapping[str, float],
    ) -> None:
        """Measure once what runs; `memory_mib` is that of the devices by task and pid, `cpu_cores` by workload."""
        now, before = round(time.time() * 1000), self._looked
        self._looked = time.monotonic()
        elapsed_ms = round((self._looked - before) * 1000)
        energy_mj, self._energy_mj = self._energy_mj, _energy(samples)
        minute = (now - elapsed_ms) // MINUTE_MS * MINUTE_MS
        if 0 < elapsed_ms <= _LONGEST_MS:
            spent = {name: max(0, mj - energy_mj[name]) for name, mj in self._energy_mj.items() if name in energy_mj}
            for task, known in running.items():
                length = min(elapsed_ms, max(0, now - round((known.started or 0.0) * 1000)))
                for held in known.allocation.devices if known.allocation is not None else ():
                    busy = self._busy(task, known, held, samples, memory_mib.get(task, {}), now / 1000)
                    self._count((minute, task.workload, held.id), held, busy, length, spent.get(held.id))
            for workload, cores in cpu_cores.items():
                self._of((minute, workload, "")).cpu_used += round(cores * MILLI) * elapsed_ms
        await self._write_down(minute)

    def pending(self) -> list[Measured]:
        """What is not written down yet."""
        return [
            Measured(
                at=at,
                workload=workload,
                device=device,
                measured=known.measured,
                used=known.used,
                cpu_used=known.cpu_used,
                energy=known.energy,
            )
            for (at, workload, device), known in self._sums.items()
        ]

    def close(self) -> None:
        """Leave what is pending with the store, which writes it before it closes."""
        minutes = self.pending()
        self._store.account_later(lambda connection: usage_log.append_measured(connection, minutes))

    def _busy(
        self,
        task: TaskId,
        known: TaskRecord,
        held: HeldDevice,
        samples: Mapping[str, Sample],
        memory: Mapping[int, int],
        now: float,
    ) -> float | None:
        if self._simulated:
            return device_load(task, known, held, now)[0]
        sample = samples.get(held.id)
        return None if sample is None else busy_share(sample, memory, held.portion_milli)

    def _count(
        self, key: tuple[int, str, str], held: HeldDevice, busy: float | None, length_ms: int, energy_mj: int | None
    ) -> None:
        """Of a share its holder uses at most all: what it borrows beyond is another's idle time, not its own."""
        if busy is not None:
            known = self._of(key)
            known.measured += held.portion_milli * length_ms
            known.used += min(held.portion_milli, round(busy * MILLI)) * length_ms
        if energy_mj is not None:
            known = self._of(key)
            known.energy = (known.energy or 0) + energy_mj * held.portion_milli // MILLI

    def _of(self, key: tuple[int, str, str]) -> _Sum:
        return self._sums.setdefault(key, _Sum())

    async def _write_down(self, minute: int) -> None:
        """Store the minutes that are over; on a full disk they are let go, and count as not measured."""
        if all(at >= minute for at, _, _ in self._sums):
            return
        over = [known for known in self.pending() if known.at < minute]
        self._sums = {key: known for key, known in self._sums.items() if key[0] >= minute}
        try:
            await self._store.account(lambda connection: usage_log.append_measured(connection, over))
        except RunaiError:
            return


def _energy(samples: Mapping[str, Sample]) -> Mapping[str, int]:
    return {name: sample.energy_mj for name, sample in samples.items() if sample.energy_mj is not None}
