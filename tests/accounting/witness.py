"""Who held what from when to when, by the tasks of records alone, and its sums straight from their definitions."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

from msgspec import Struct

from scheduler_core.local.record.records import Record

HELD = frozenset({"initializing", "running"})
NEVER_MS = 1 << 60


class Spell(Struct, frozen=True):
    """A task had these (device, thousandths, MiB), and cores set aside, in [start, end)."""

    workload: str
    start: int
    end: int
    devices: tuple[tuple[str, int, int], ...]
    cpu_milli: int


class Whose(Struct, frozen=True):
    owner: str
    project: str
    preemptible: bool


class Witness:
    """Shown a record after each of its changes."""

    def __init__(self) -> None:
        self.whose: dict[str, Whose] = {}
        self.spells: list[Spell] = []
        self.waits: list[tuple[str, int, int]] = []
        self.evictions: list[tuple[int, str]] = []
        self._holding: dict[str, dict[int, tuple[int, tuple[tuple[str, int, int], ...], int]]] = defaultdict(dict)
        self._waiting: dict[str, int] = {}

    def holds_since(self, workload: str, index: int) -> int:
        return self._holding[workload][index][0]

    def look(self, record: Record, now: int, ended: tuple[int, int] | None = None) -> None:
        """`ended` is the (index, time) of a task of which it is known now that it ended then."""
        workload = record.workload
        self.whose[workload.id] = Whose(workload.owner, workload.queue, workload.preemptible)
        holding = self._holding[workload.id]
        seen = {
            index: (
                tuple((held.id, held.portion_milli, held.memory_mib) for held in task.allocation.devices),
                record.spec.request.cpu_milli,
            )
            for index, task in enumerate(record.tasks)
            if task.state in HELD and task.allocation is not None
        }
        for index, (since, *what) in list(holding.items()):
            if seen.get(index) != tuple(what):
                end = ended[1] if ended is not None and ended[0] == index else now
                self.spells.append(Spell(workload.id, since, end, *what))
                del holding[index]
        for index, what in seen.items():
            if index not in holding:
                holding[index] = (now, *what)
        at = now if ended is None else ended[1]
        if workload.state == "pending":
            self._waiting.setdefault(workload.id, at)
        elif workload.id in self._waiting:
            self.waits.append((workload.id, self._waiting.pop(workload.id), at))

    def all_spells(self) -> list[Spell]:
        going_on = [
            Spell(workload, since, NEVER_MS, *what)
            for workload, tasks in self._holding.items()
            for since, *what in tasks.values()
        ]
        return [*self.spells, *going_on]

    def all_waits(self) -> list[tuple[str, int, int]]:
        return [*self.waits, *((workload, since, NEVER_MS) for workload, since in self._waiting.items())]


Quotas = list[tuple[int, dict[str, int | None]]]
"""By project, from a time on."""


def recount(witness: Witness, quotas: Quotas, since: int, until: int) -> dict[tuple[str, str], dict[str, int]]:
    """By (workload, device) what was used in [since, until); the empty device has what belongs to none."""
    sums: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    spells = witness.all_spells()
    for spell in spells:
        length = min(spell.end, until) - max(spell.start, since)
        if length <= 0:
            continue
        if spell.cpu_milli:
            sums[spell.workload, ""]["cpu"] += spell.cpu_milli * length
        for device, milli, mib in spell.devices:
            sums[spell.workload, device]["allocated"] += milli * length
            sums[spell.workload, device]["gpu_memory"] += mib * length
    for workload, waiting in _waited(witness, spells, since, until).items():
        sums[workload, ""]["waiting"] += waiting
    for at, workload in witness.evictions:
        if since <= at < until:
            sums[workload, ""]["preemptions"] += 1
    for (workload, device), over in _over_quota(witness, spells, quotas, since, until).items():
        sums[workload, device]["over_quota"] += over
    return {
        key: {name: value for name, value in sum_.items() if value} for key, sum_ in sums.items() if any(sum_.values())
    }


def _waited(witness: Witness, spells: list[Spell], since: int, until: int) -> dict[str, int]:
    held: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for spell in spells:
        held[spell.workload].append((spell.start, spell.end))
    waited: dict[str, int] = defaultdict(int)
    for workload, start, end in witness.all_waits():
        first, last = max(start, since), min(end, until)
        bounds = sorted({first, last, *(at for pair in held[workload] for at in pair if first < at < last)})
        for left, right in pairwise(bounds if first < last else []):
            if not any(begin <= left < over for begin, over in held[workload]):
                waited[workload] += right - left
    return waited


def _over_quota(
    witness: Witness, spells: list[Spell], quotas: Quotas, since: int, until: int
) -> dict[tuple[str, str], int]:
    """Moment by moment: whoever is not preemptible first, then who has held devices longest without a break."""
    over: dict[tuple[str, str], int] = defaultdict(int)
    times = [at for at, _ in quotas]
    for project in {whose.project for whose in witness.whose.values()}:
        ours = [spell for spell in spells if witness.whose[spell.workload].project == project]
        unbroken = _unbroken(ours)
        for left, right, going_on in _moments(ours, times, since, until):
            quota = quotas[bisect_right(times, left) - 1][1].get(project) if times[0] <= left else None
            if quota is None:
                continue
            held: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
            for spell in going_on:
                for device, milli, _ in spell.devices:
                    held[spell.workload][device] += milli
            order = sorted(held, key=lambda name: (witness.whose[name].preemptible, unbroken(name, left), name))
            left_of_quota = quota
            for name in order:
                for device in sorted(held[name], key=lambda device: int(device.rpartition("-")[2])):
                    within = min(left_of_quota, held[name][device])
                    left_of_quota -= within
                    over[name, device] += (held[name][device] - within) * (right - left)
    return over


def _moments(spells: list[Spell], times: list[int], since: int, until: int) -> Iterator[tuple[int, int, list[Spell]]]:
    """The stretches of time in which nothing changes, each with what is held in it."""
    starts, ends = defaultdict(list), defaultdict(list)
    for spell in spells:
        if spell.start < spell.end:
            starts[spell.start].append(spell)
            ends[spell.end].append(spell)
    numbered: dict[int, Spell] = {}
    bounds = sorted({*starts, *ends, *times, since, until})
    for left, right in pairwise(bounds):
        for spell in ends[left]:
            del numbered[id(spell)]
        for spell in starts[left]:
            numbered[id(spell)] = spell
        if since <= left and right <= until:
            yield left, right, list(numbered.values())


def _unbroken(spells: list[Spell]) -> Callable[[str, int], int]:
    """Since when a workload has held devices without a break, at a moment at which it does."""
    stretches: dict[str, list[list[int]]] = defaultdict(list)
    for spell in sorted(spells, key=lambda spell: (spell.start, spell.end)):
        known = stretches[spell.workload]
        if spell.start < spell.end:
            if known and spell.start <= known[-1][1]:
                known[-1][1] = max(known[-1][1], spell.end)
            else:
                known.append([spell.start, spell.end])
    return lambda workload, at: next(start for start, end in stretches[workload] if start <= at < end)
