"""How a share of a device is held: the strongest level that works here, chosen anew for each allocation."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from pathlib import Path

from msgspec.structs import replace

from scheduler_core.local.machine.identity import start_of
from scheduler_core.local.machine.mps import Mps, MpsRefused, find_mps
from scheduler_core.model import MILLI
from scheduler_core.workload import Allocation, Enforcement, HeldDevice

_log = logging.getLogger(__name__)

NOT_HELD = Enforcement(level="none", memory="none", compute="none")
WHOLE = Enforcement(level="device", memory="hard", compute="hard")
SLICE = Enforcement(level="mig", memory="hard", compute="hard")
FRAMEWORK = Enforcement(level="framework", memory="soft", compute="none")
"""The allocators of the known frameworks keep to it, and the watchdog sees to the others."""


class Ladder:
    """Holds allocations: whole devices and slices by themselves, shares by MPS where there is one, else by caps.

    It knows whom MPS has taken in, whatever is shown of that, so that each goes out again and the last of a device is
    known. Without a `folder` for its pipes MPS is not used. All calls block for as long as the driver's tools do.
    """

    def __init__(self, folder: Path | None, simulated: bool) -> None:
        self._folder = folder
        self._simulated = simulated
        self._mps: Mps | None = None
        self._looked = False
        self._admitted: dict[str, str] = {}
        self._one_at_a_time = threading.RLock()

    def is_by_itself(self, allocation: Allocation) -> bool:
        """Whether an allocation is held without asking any tool, so that `hold` does not block."""
        return self._simulated or all(device.portion_milli == MILLI for device in allocation.devices)

    def adopt(self, task: str, allocation: Allocation) -> None:
        """A task that an earlier daemon started is held as it says."""
        if allocation.enforcement.level.startswith("mps"):
            self._admitted[task] = allocation.devices[0].id

    def hold(self, task: str, allocation: Allocation) -> tuple[Allocation, dict[str, str]]:
        """The allocation with what holds it, and the variables that this takes."""
        if self.is_by_itself(allocation):
            return replace(allocation, enforcement=self._by_itself(allocation)), {}
        # A client has one pipe, and so one daemon: shares of several devices cannot be held by a daemon each. Nor are
        # the limits of MPS for slices.
        one = len(allocation.devices) == 1 and not _is_slice(allocation.devices[0])
        variables = self._admit(task, allocation.devices[0]) if one else None
        mps = self._service()
        if mps is None or variables is None:
            return replace(allocation, enforcement=FRAMEWORK), {}
        return replace(allocation, enforcement=Enforcement(level=mps.level, memory="hard", compute="hard")), variables

    def _by_itself(self, allocation: Allocation) -> Enforcement:
        if self._simulated or not allocation.devices:
            return NOT_HELD
        return SLICE if any(map(_is_slice, allocation.devices)) else WHOLE

    def can_change(self, allocation: Allocation) -> bool:
        """Whether what holds this share can be changed while it is in use."""
        return allocation.enforcement.level == "mps-v3" or (self._simulated and bool(allocation.devices))

    def change(self, task: str, allocation: Allocation) -> bool:
        """Hold a share in its new size; false where what holds it does not follow."""
        mps = self._of(task)
        if mps is None:
            return self._simulated
        try:
            mps.change(task, allocation.devices[0])
        except (MpsRefused, OSError) as error:
            _log.warning("MPS does not change what %s holds: %s", task, error)
            return False
        return True

    def let_go(self, task: str) -> None:
        """What held a task is not needed any more; the last on its device takes the service with it."""
        with self._one_at_a_time:
            mps, device = self._of(task), self._admitted.pop(task, None)
            if mps is not None and device is not None:
                try:
                    mps.dismiss(task, device, device not in self._admitted.values())
                except (MpsRefused, OSError) as error:
                    _log.warning("MPS keeps what %s held: %s", task, error)

    def cut_off(self, task: str, pids: Collection[int]) -> None:
        """Take processes that are about to be killed off their device first, where others share it."""
        mps = self._of(task)
        if mps is not None:
            try:
                mps.terminate(self._admitted[task], pids)
            except (MpsRefused, OSError, KeyError) as error:
                _log.warning("MPS does not let go of its clients %s: %s", sorted(pids), error)

    def outside(self, task: str, pids: Collection[int]) -> set[int]:
        """Those of these processes, all with memory on the device, that live and that MPS does not know."""
        mps = self._of(task)
        if mps is None:
            return set()
        try:
            known = mps.clients(self._admitted[task])
        except (MpsRefused, OSError, KeyError) as error:
            _log.warning("MPS does not name its clients: %s", error)
            return set()
        return {pid for pid in set(pids) - known if start_of(pid) is not None}

    def _admit(self, task: str, held: HeldDevice) -> dict[str, str] | None:
        with self._one_at_a_time:
            mps = self._service()
            if mps is None:
                return None
            self._admitted[task] = held.id
            try:
                return mps.admit(task, held)
            except (MpsRefused, OSError) as error:
                _log.warning("%s runs without MPS: %s", task, error)
                self.let_go(task)
                return None

    def _of(self, task: str) -> Mps | None:
        return self._service() if task in self._admitted else None

    def _service(self) -> Mps | None:
        with self._one_at_a_time:
            if not self._looked:
                self._mps, self._looked = None if self._folder is None else find_mps(self._folder), True
            return self._mps


def _is_slice(device: HeldDevice) -> bool:
    return device.id.startswith("MIG-")
