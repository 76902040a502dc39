"""Device memory on loan: what a task uses beyond its share, up to its limit, while nobody's share needs it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from msgspec import Struct

from scheduler_core.local.record.records import TaskId, TaskRecord
from scheduler_core.local.work.book import Book
from scheduler_core.local.work.snapshot import Machine
from scheduler_core.workload import Allocation, HeldDevice


class _Borrower(Struct, frozen=True):
    """A task that may use more than its share of a device, and what it had beyond that at the last reading."""

    task: TaskId
    started: float
    held: HeldDevice
    lent_mib: int


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
        self._borrowers: list[_Borrower] = []
        self._called: dict[str, tuple[HeldDevice, ...]] = {}

    @property
    def are_called_back(self) -> bool:
        return bool(self._called)

    def look(self, running: Mapping[TaskId, TaskRecord], memory_mib: Mapping[TaskId, Mapping[int, int]]) -> None:
        """Take up a reading: what runs, and the MiB that each process of each task holds."""
        self._borrowers = [
            _Borrower(
                task, known.started or 0.0, held, max(0, sum(memory_mib.get(task, {}).values()) - held.memory_mib)
            )
            for task, known in running.items()
            for held in (known.allocation.devices if known.allocation is not None else ())
            if held.most_mib > held.memory_mib
        ]

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
        for borrower in sorted(self._borrowers, key=lambda borrower: borrower.started):
            held = borrower.held
            if held.id not in free:
                free[held.id] = self._free_mib(held.id)
            lent = min(held.most_mib - held.memory_mib, max(0, free[held.id]))
            allowed[borrower.task] = held.memory_mib + lent
            free[held.id] -= min(lent, borrower.lent_mib)
        return allowed

    def _in_the_way(self, device: str) -> list[str]:
        """The names of those that have borrowed of a device, where that is more than is free of it."""
        lent = {
            borrower.task: borrower.lent_mib - self._allowance_mib
            for borrower in self._borrowers
            if borrower.held.id == device and borrower.lent_mib > self._allowance_mib
        }
        if not lent or sum(lent.values()) <= max(0, self._free_mib(device)):
            return []
        return [self._book.workload(task.workload).name for task in lent if task.workload in self._book]

    def _held(self) -> Iterator[HeldDevice]:
        """All that this engine's tasks hold, or want to start with."""
        for record in self._book.live():
            for _, known in record.alive():
                yield from known.allocation.devices if known.allocation is not None else ()
        for devices in self._called.values():
            yield from devices

    def _free_mib(self, device_id: str) -> int:
        """What is nobody's share, used by no stranger and wanted by no start; below 0 where there is too little."""
        machine = self._machine()
        device = machine.device(device_id)
        if device is None:
            return 0
        others = sum(claim.share(device.memory_mib) for claim in machine.claims if claim.device == device_id)
        ours = sum(held.memory_mib for held in self._held() if held.id == device_id)
        return device.memory_mib - machine.foreign_mib.get(device_id, 0) - int(others * device.memory_mib) - ours
