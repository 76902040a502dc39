"""Keeps a fresh view of the machine: readings of its devices and what other engines claim of them."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.errors import RunaiError
from scheduler_core.local.machine.devices import Devices
from scheduler_core.local.machine.identity import SERVICE, mark_of
from scheduler_core.local.machine.ledger import Claim, Ledger
from scheduler_core.local.metering.simulation import simulated_samples
from scheduler_core.local.record.processes import devices_of
from scheduler_core.local.record.records import TaskId, TaskRecord
from scheduler_core.local.work.lifecycle import Lifecycle
from scheduler_core.local.work.snapshot import Machine, host_size
from scheduler_core.nvml import Sample

_log = logging.getLogger(__name__)
_INTERVAL_S = 1.0


class Monitor:
    """Samples every second.

    `looked` gets each reading; `changed(holdings)` says whether what others hold, or readiness, has changed.
    """

    def __init__(
        self,
        devices: Devices,
        ledger: Ledger,
        lifecycle: Lifecycle,
        looked: Callable[[Mapping[str, Sample]], Awaitable[None]],
        changed: Callable[[bool], None],
    ) -> None:
        self._devices = devices
        self._ledger = ledger
        self._lifecycle = lifecycle
        self._looked = looked
        self._changed = changed
        cpu_milli, memory_mib = host_size()
        self._machine = Machine(
            node=socket.gethostname(),
            cpu_milli=cpu_milli,
            memory_mib=memory_mib,
            physical=devices.physical,
            samples={},
            claims=(),
            foreign_mib={},
        )

    def machine(self) -> Machine:
        """The machine as last seen."""
        return self._machine

    def read(self) -> None:
        """Take a reading now; blocks for as long as NVML does."""
        samples = self._devices.sample()
        devices = [device.id for device in self._devices.physical]
        claims = self._ledger.others(devices)
        self._ledger.refresh(devices)
        holders = self._lifecycle.holders()
        foreign = {
            device_id: _foreign_mib(sample, _Holders.of(device_id, holders, claims))
            for device_id, sample in samples.items()
        }
        self._machine = replace(self._machine, samples=samples, claims=claims, foreign_mib=foreign)

    def _simulate(self) -> None:
        running = self._lifecycle.running()
        samples = simulated_samples(self._devices.physical, running, time.time())
        self._machine = replace(self._machine, samples=samples)

    async def look_again(self) -> None:
        """Take a reading beside everything else; one that fails leaves what was seen before."""
        try:
            await asyncio.to_thread(self.read)
        except (RunaiError, OSError):
            _log.exception("The devices could not be read")

    async def run(self) -> None:
        """Read for ever; the load of simulated devices is made up."""
        while True:
            await asyncio.sleep(_INTERVAL_S)
            before = self.machine()
            try:
                if self._devices.simulated:
                    self._simulate()
                elif self._devices.physical:
                    await self.look_again()
                await self._looked(self.machine().samples)
            except Exception:
                _log.exception("The devices could not be looked at")
            after = self.machine()
            if after != before:
                self._changed(_holdings(after) != _holdings(before))


def _holdings(machine: Machine) -> list[tuple[object, ...]]:
    held = [
        (device.id, machine.is_ready(device.id), machine.foreign_mib.get(device.id, 0)) for device in machine.physical
    ]
    return [*held, machine.claims]


class _Holders(Struct, frozen=True):
    """Who may be on one device: the sessions of its tasks, and the marks of their processes."""

    sessions: frozenset[int]
    marks: frozenset[str]
    others: frozenset[str]

    @staticmethod
    def of(device: str, holders: Mapping[TaskId, TaskRecord], claims: Collection[Claim]) -> _Holders:
        """The tasks that hold a share of it, and those that other engines claim one for."""
        own = {task: known for task, known in holders.items() if device in devices_of(known)}
        supervised = {known.supervisor.pid for known in own.values() if known.supervisor is not None}
        claimed = [claim for claim in claims if claim.device == device]
        return _Holders(
            sessions=frozenset(supervised | {claim.holder.pid for claim in claimed}),
            marks=frozenset(map(str, own)),
            others=frozenset(claim.workload for claim in claimed),
        )

    def have(self, pid: int) -> bool:
        """Whether a process is of one of them, or serves them all."""
        with suppress(OSError):
            if os.getsid(pid) in self.sessions:
                return True
        mark = mark_of(pid)
        return mark is not None and (mark == SERVICE or mark in self.marks or mark.rpartition("-")[0] in self.others)


def _foreign_mib(sample: Sample, holders: _Holders) -> int:
    """Memory held by processes that no engine has given a share of this device, or not any more."""
    return sum(held for pid, held in sample.processes.items() if not holders.have(pid))
