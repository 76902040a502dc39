"""Intervals cut at the bounds of steps: how much of what was used in each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct

from scheduler_core.accounting.amounts import Amounts
from scheduler_core.accounting.holding import Share
from scheduler_core.accounting.timeline import Interval


class Subject(Struct, frozen=True, kw_only=True):
    """Who used something; without `workload` all of a user's in a project."""

    owner: str
    project: str
    department: str = ""
    workload: str = ""
    name: str = ""


class Place(Struct, frozen=True, kw_only=True):
    """The device that was used; the empty one stands for what belongs to none, such as waiting."""

    device: str = ""
    index: int = 0
    model: str = ""
    node: str = ""
    pool: str = ""


NOWHERE = Place()


class Measured(Struct, frozen=True, kw_only=True, gc=False):
    """What was measured in the minute from `at` on: of a workload on a device, or without one of its processes."""

    at: int
    workload: str
    device: str = ""
    measured: int = 0
    used: int = 0
    cpu_used: int = 0
    energy: int | None = None


Cells: TypeAlias = dict[tuple[int, Subject, Place], Amounts]
"""By the start of the step, who and where."""


def cells(parts: Iterable[Interval], measured: Iterable[Measured], since: int, until: int, step: int | None) -> Cells:
    """What was used in [since, until) by steps of so many milliseconds, or in one that begins at `since`.

    What was measured counts where its minute begins within, for whoever held the device in it.
    """
    found: Cells = {}
    subjects = _Subjects()
    for part in parts:
        subject = subjects.of(part)
        begin, end = max(part.start, since), min(part.end, until)
        if part.evictions and since <= part.start < until:
            _cell(found, _step(part.start, since, step), subject, NOWHERE).preemptions += part.evictions
        while begin < end:
            at = _step(begin, since, step)
            bound = end if step is None else min(end, begin - begin % step + step)
            _count(found, at, subject, part, bound - begin, subjects.places)
            begin = bound
    for minute in measured:
        known = subjects.by_workload.get(minute.workload)
        if known is not None and since <= minute.at < until:
            place = subjects.places.get(minute.device, NOWHERE)
            cell = _cell(found, _step(minute.at, since, step), known, place)
            cell.add(
                Amounts(measured=minute.measured, used=minute.used, cpu_used=minute.cpu_used, energy=minute.energy)
            )
    return found


def without_workloads(found: Mapping[tuple[int, Subject, Place], Amounts]) -> Cells:
    """The sums of each user in each project."""
    together: Cells = {}
    for (at, subject, place), amounts in found.items():
        whose = Subject(owner=subject.owner, project=subject.project, department=subject.department)
        _cell(together, at, whose, place).add(amounts)
    return together


class _Subjects:
    """Each subject and place once: tens of thousands of intervals are of a few."""

    def __init__(self) -> None:
        self.by_workload: dict[str, Subject] = {}
        self.places: dict[str, Place] = {}

    def of(self, part: Interval) -> Subject:
        known = self.by_workload.get(part.workload)
        if known is None or known.department != part.department:
            holding = part.holding
            known = self.by_workload[part.workload] = Subject(
                owner=holding.owner,
                project=holding.project,
                department=part.department,
                workload=part.workload,
                name=holding.name,
            )
        for share in part.holding.shares:
            if share.device not in self.places:
                self.places[share.device] = _place(share)
        return known


def _place(share: Share) -> Place:
    return Place(device=share.device, index=share.index, model=share.model, node=share.node, pool=share.pool)


def _step(at: int, since: int, step: int | None) -> int:
    return since if step is None else at - at % step


def _cell(found: Cells, at: int, subject: Subject, place: Place) -> Amounts:
    key = (at, subject, place)
    cell = found.get(key)
    if cell is None:
        cell = found[key] = Amounts()
    return cell


def _count(found: Cells, at: int, subject: Subject, part: Interval, length: int, places: Mapping[str, Place]) -> None:
    holding = part.holding
    waits = holding.waits > 0 and not holding.shares
    if waits or holding.cpu_milli:
        cell = _cell(found, at, subject, NOWHERE)
        cell.waiting += length if waits else 0
        cell.cpu += holding.cpu_milli * length
    for share, over in zip(holding.shares, part.over, strict=True):
        cell = _cell(found, at, subject, places[share.device])
        cell.allocated += share.milli * length
        cell.over_quota += over * length
        cell.gpu_memory += share.memory_mib * length
