"""Exact sums of use: whole numbers, in the unit of a thing times milliseconds."""

from __future__ import annotations

from msgspec import Struct

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MINUTE_MS = 60_000


class Amounts(Struct, kw_only=True, gc=False):
    """What was held and used.

    In thousandths of a device times milliseconds: `allocated`, of it `over_quota`, and of it `measured`, of which again
    `used`. `gpu_memory` is in MiB times milliseconds; `cpu` (set aside) and `cpu_used` in thousandths of a core times
    milliseconds; `waiting` in milliseconds; `energy` in millijoules, null where no device tells.
    """

    allocated: int = 0
    over_quota: int = 0
    measured: int = 0
    used: int = 0
    gpu_memory: int = 0
    cpu: int = 0
    cpu_used: int = 0
    waiting: int = 0
    preemptions: int = 0
    energy: int | None = None

    def add(self, other: Amounts) -> None:
        """Add what another part of the same used."""
        self.allocated += other.allocated
        self.over_quota += other.over_quota
        self.measured += other.measured
        self.used += other.used
        self.gpu_memory += other.gpu_memory
        self.cpu += other.cpu
        self.cpu_used += other.cpu_used
        self.waiting += other.waiting
        self.preemptions += other.preemptions
        if other.energy is not None:
            self.energy = (self.energy or 0) + other.energy
