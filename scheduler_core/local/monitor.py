"""Keeps a fresh view of the machine: readings of its devices and what other engines claim of them."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from msgspec.structs import replace

from scheduler_core.errors import RunaiError
from scheduler_core.local.devices import Devices
from scheduler_core.local.ledger import Ledger
from scheduler_core.local.lifecycle import Lifecycle
from scheduler_core.local.snapshot import Machine, host_size

_log = logging.getLogger(__name__)
_INTERVAL_S = 2.0


class Monitor:
    """Samples every two seconds; `changed(holdings)` says whether what others hold, or readiness, has changed."""

    def __init__(self, devices: Devices, ledger: Ledger, lifecycle: Lifecycle, changed: Callable[[bool], None]) -> None:
        self._devices = devices
        self._ledger = ledger
        self._lifecycle = lifecycle
        self._changed = changed
        cpu_milli, memory_mib = host_size()
        self._machine = Machine(
            node=socket.gethostname(),
            cpu_milli=cpu_milli,
            memory_mib=memory_mib,
            physical=devices.physical,
            samples={},
            claims=(),
            own_sessions=frozenset(),
        )

    def machine(self) -> Machine:
        """The machine as last seen, with this engine's own sessions as they are now."""
        return replace(self._machine, own_sessions=self._lifecycle.own_sessions())

    def read(self) -> None:
        """Take a reading now; blocks for as long as NVML does."""
        samples = self._devices.sample()
        claims = self._ledger.others(device.id for device in self._devices.physical)
        self._ledger.renew(self._lifecycle.claims())
        self._machine = replace(self._machine, samples=samples, claims=claims)

    async def run(self) -> None:
        """Read for ever. Without devices, or with simulated ones, there is nothing that could change."""
        if self._devices.simulated or not self._devices.physical:
            return
        while True:
            await asyncio.sleep(_INTERVAL_S)
            before = self.machine()
            try:
                await asyncio.to_thread(self.read)
            except (RunaiError, OSError):
                _log.exception("The devices could not be read")
                continue
            after = self.machine()
            if after != before:
                self._changed(_holdings(after) != _holdings(before))


def _holdings(machine: Machine) -> list[tuple[object, ...]]:
    held = [(device.id, machine.is_ready(device.id), machine.foreign_mib(device.id)) for device in machine.physical]
    return [*held, machine.claims]
