"""The entries of the log that sums are made of: what workloads hold, and what projects deserve, from when on."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

DEFAULT_POOL = "default"


class Share(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is held of one device: `milli` thousandths, and the memory that goes with them."""

    device: str
    milli: int
    memory_mib: int = 0
    index: int = 0
    model: str = ""
    node: str = ""
    pool: str = DEFAULT_POOL


class Holding(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a workload holds of each device, and whose it is.

    `cpu_milli` are the thousandths of a core that are set aside for it, `waits` is 1 while it is to start as soon as it
    can, `evictions` counts those that came with it. In a change all of these say how much more, or less, than before.
    """

    name: str
    owner: str
    project: str
    preemptible: bool = False
    shares: tuple[Share, ...] = ()
    cpu_milli: int = 0
    waits: int = 0
    evictions: int = 0

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is counted."""
        return not (self.shares or self.cpu_milli or self.waits or self.evictions)

    def emptied(self) -> Holding:
        """The same workload, holding nothing."""
        return replace(self, shares=(), cpu_milli=0, waits=0, evictions=0)


def changed(holding: Holding | None, change: Holding, sign: int = 1) -> Holding:
    """What is held after this change, or with `sign` -1 before it."""
    if holding is None:
        return changed(change.emptied(), change, sign)
    shares = {share.device: share for share in holding.shares}
    for more in change.shares:
        known = shares.get(more.device)
        milli, mib = (0, 0) if known is None else (known.milli, known.memory_mib)
        share = replace(more, milli=milli + sign * more.milli, memory_mib=mib + sign * more.memory_mib)
        shares[more.device] = share
        if not share.milli and not share.memory_mib:
            del shares[more.device]
    return replace(
        holding,
        shares=tuple(sorted(shares.values(), key=lambda share: (share.index, share.device))),
        cpu_milli=holding.cpu_milli + sign * change.cpu_milli,
        waits=holding.waits + sign * change.waits,
        evictions=holding.evictions + sign * change.evictions,
    )


class Entry(Struct, frozen=True, kw_only=True, gc=False):
    """What changes for a workload at `at` (milliseconds since the epoch); `seq` is its number in a log.

    Changes add up in whatever order they are noted: an end may be heard of later than the next one's.
    """

    at: int
    workload: str
    change: Holding
    seq: int = 0


class Deserved(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A project's department, and its quota in thousandths of a device; null is unlimited."""

    department: str = ""
    quota_milli: int | None = None


class Projects(Struct, frozen=True, kw_only=True, gc=False):
    """All projects from `at` on, until the next."""

    at: int
    deserved: Mapping[str, Deserved]
    seq: int = 0
