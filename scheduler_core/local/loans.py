"""Device memory on loan: what a task uses beyond its share, up to its limit, while nobody's share needs it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from scheduler_core.local.book import Book
from scheduler_core.local.records import TaskId
from scheduler_core.local.snapshot import Machine
from scheduler_core.workload import Allocation, HeldDevice


class Loans:
    """Knows what each task with a limit may use now, and for whom a start has to wait.

    What is free of a device is lent to those that started first. A start that finds its share lent calls it back: until
    then its workload waits, and the watchdog sees to it that it does not wait for ever. `allowance_mib` is what the
    watchdog lets a task have beyond.
    """

    def __init__(self, book: Book, machine: Callable[[], Machine], allowance_mib: int) -> None:
        self._book = book
        self._machine = machine
        self._allowance_mib = allowance_mib
        self._used: Mapping[TaskId, int] = {}
        self._called: dict[str, tuple[HeldDevice, ...]] = {}

    @property
    def are_called_back(self) -> bool:
        return bool(self._called)

    def look(self, memory_mib: Mapping[TaskId, Mapping[int, int]]) -> None:
        """Take up a reading: the MiB that each process of each task holds."""
        self._used = {task: sum(by_process.values()) for task, by_process in memory_mib.items()}

    def call_back(self, workload_id: str, allocations: Iterable[Allocation]) -> str:
        """Why tasks cannot start on this yet, empty where they can. What is lent of their devices is called back."""
        devices = tuple(device for allocation in allocations for device in allocation.devices)
        self._called[workload_id] = devices
        borrowers = sorted({name for device in devices for name in self._in_the_way(device.id)})
        if not borrowers:
            del self._called[workload_id]
            return ""
        return f"{', '.join(borrowers)} must first give back device memory that was lent beyond its share"

    def keep_calls(self, workloads: Collection[str]) -> set[str]:
        """Forget the calls of all but these; of whom they were."""
        dropped = self._called.keys() - workloads
        for workload_id in dropped:
            del self._called[workload_id]
        return dropped

    def allowed_mib(self) -> dict[TaskId, int]:
        """What each task with a limit may use now of its device, in MiB."""
        allowed: dict[TaskId, int] = {}
        free: dict[str, int] = {}
        for task, _, held in sorted(self._borrowers(), key=lambda known: known[1]):
            left = free.setdefault(held.id, self._free_mib(held.id))
            lent = min(held.most_mib - held.memory_mib, max(0, left))
            allowed[task] = held.memory_mib + lent
            free[held.id] -= min(lent, self._lent_mib(task, held))
        return allowed

    def _in_the_way(self, device: str) -> list[str]:
        """The names of those that have borrowed of a device, where that is more than is free of it."""
        lent = {
            task: max(0, self._lent_mib(task, held) - self._allowance_mib)
            for task, _, held in self._borrowers()
            if held.id == device
        }
        if sum(lent.values()) <= max(0, self._free_mib(device)):
            return []
        return [self._book.workload(task.workload).name for task, mib in lent.items() if mib]

    def _lent_mib(self, task: TaskId, held: HeldDevice) -> int:
        return max(0, self._used.get(task, 0) - held.memory_mib)

    def _borrowers(self) -> Iterator[tuple[TaskId, float, HeldDevice]]:
        """Those that may use more than their share, each with when it started."""
        for task, started, held in self._holders():
            if held.most_mib > held.memory_mib:
                yield task, started, held

    def _holders(self) -> Iterator[tuple[TaskId, float, HeldDevice]]:
        for record in self._book.live():
            for task, known in record.alive():
                for held in known.allocation.devices if known.allocation is not None else ():
                    yield task, known.started or 0.0, held

    def _free_mib(self, device_id: str) -> int:
        """What is nobody's share, used by no stranger and wanted by no start; below 0 where there is too little."""
        machine = self._machine()
        device = machine.device(device_id)
        if device is None:
            return 0
        others = sum(claim.share(device.memory_mib) for claim in machine.claims if claim.device == device_id)
        wanted = [held for devices in self._called.values() for held in devices]
        shares = [held for _, _, held in self._holders()] + wanted
        ours = sum(held.memory_mib for held in shares if held.id == device_id)
        return device.memory_mib - machine.foreign_mib.get(device_id, 0) - int(others * device.memory_mib) - ours
