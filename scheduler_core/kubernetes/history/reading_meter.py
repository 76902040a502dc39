"""How much of what is shared was used, as the pods that hold those devices say it, by minutes for the accounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from scheduler_core.accounting.amounts import MINUTE_MS
from scheduler_core.accounting.cells import Measured
from scheduler_core.accounts import usage_log
from scheduler_core.accounts.kept_in import AccountStore
from scheduler_core.kubernetes.history.counted_pods import Counted
from scheduler_core.kubernetes.sharing.device_reader import Reading
from scheduler_core.kubernetes.sharing.reservation_pods import Slot
from scheduler_core.kubernetes.state.slots import device_id
from scheduler_core.model import MILLI

_LONGEST_MS = 120_000
"""What passes between two readings of a device that are further apart was not measured."""


class _Sum(Struct, gc=False):
    measured: int = 0
    used: int = 0


class ReadingMeter:
    """Of what a device did, each of those who share it is counted the part that it holds of what is held."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store
        self._sums: dict[tuple[int, str, str], _Sum] = {}
        self._read: dict[str, int] = {}

    def take(self, readings: Mapping[Slot, Reading], holders: Iterable[Counted]) -> None:
        """Take up the newest reading of each device; one that was taken up before says nothing new."""
        milli = _held(holders)
        before, self._read = self._read, {}
        for slot, reading in readings.items():
            device = device_id(slot.node, slot.index)
            now = self._read[device] = round(reading.at * 1000)
            length = now - before.get(device, now)
            shares = milli.get(device)
            if reading.utilization is None or not shares or not 0 < length <= _LONGEST_MS:
                continue
            minute = (now - length) // MINUTE_MS * MINUTE_MS
            busy = round(min(1.0, max(0.0, reading.utilization)) * MILLI)
            for workload, share in shares.items():
                known = self._sums.setdefault((minute, workload, device), _Sum())
                known.measured += share * length
                known.used += min(share, busy * share // sum(shares.values())) * length

    def pending(self) -> list[Measured]:
        """What is not written down yet."""
        return [
            Measured(at=at, workload=workload, device=device, measured=known.measured, used=known.used)
            for (at, workload, device), known in self._sums.items()
        ]

    async def write_down(self, now: int) -> None:
        """Store the minutes that are over at `now` (milliseconds).

        Raises:
            RunaiError: they cannot be; they are let go, and count as not measured.
        """
        minute = now // MINUTE_MS * MINUTE_MS
        over = [known for known in self.pending() if known.at < minute]
        self._sums = {key: known for key, known in self._sums.items() if key[0] >= minute}
        if over:
            await self._store.account(lambda connection: usage_log.append_measured(connection, over))

    def close(self) -> None:
        """Store the rest."""
        rest = self.pending()
        self._store.account_later(lambda connection: usage_log.append_measured(connection, rest))


def _held(holders: Iterable[Counted]) -> Mapping[str, Mapping[str, int]]:
    """Of each device the thousandths that each workload holds."""
    found: dict[str, dict[str, int]] = {}
    for one in holders:
        for share in one.held.shares:
            known = found.setdefault(share.device, {})
            known[one.workload] = known.get(one.workload, 0) + share.milli
    return found
