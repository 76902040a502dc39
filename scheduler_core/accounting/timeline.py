"""From the log to intervals: who held what from when to when, and how much of it beyond their project's quota."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge

from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.accounting.holding import Deserved, Entry, Holding, Projects, changed

_UNLIMITED = Deserved()


class Interval(Struct, frozen=True, gc=False):
    """A workload held this in [start, end); `over` are the thousandths of each share beyond its project's quota.

    `evictions` counts those that began at its start.
    """

    start: int
    end: int
    workload: str
    holding: Holding
    department: str
    over: tuple[int, ...]
    evictions: int


class _Open(Struct, gc=False):
    """What goes on: `start` of its interval, and since when it holds devices without a break."""

    start: int
    holding: Holding
    held_since: int
    over: tuple[int, ...]
    evictions: int


def intervals(entries: Iterable[Entry], projects: Iterable[Projects], end: int) -> Iterator[Interval]:
    """All intervals up to `end`, from entries and projects in the order of their times.

    Of what a project holds, that of work which is not preemptible counts towards its quota first, then that of whoever
    has held devices longest, the first devices first; the rest is over quota. Where any of this changes, an interval
    ends.
    """
    sweep = _Sweep()
    steps: list[Iterable[Entry | Projects]] = [projects, entries]
    for step in merge(*steps, key=lambda step: step.at):
        if step.at >= end:
            break
        yield from sweep.take(step)
    yield from sweep.close(end)


class _Sweep:
    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._holders: dict[str, set[str]] = {}
        self._deserved: dict[str, Deserved] = {}

    def take(self, step: Entry | Projects) -> Iterator[Interval]:
        if isinstance(step, Entry):
            yield from self._change(step)
            yield from self._divide(step.change.project, step.at)
            return
        before, self._deserved = self._deserved, dict(step.deserved)
        others = {name for name in before | self._deserved if before.get(name) != self._deserved.get(name)}
        for workload, known in self._open.items():
            if known.holding.project in others:
                # What follows belongs to another department, or another part of it is over quota.
                yield from self._cut(workload, known, step.at, before)
                known.over = (0,) * len(known.holding.shares)
        for project in others:
            yield from self._divide(project, step.at)

    def close(self, end: int) -> Iterator[Interval]:
        for workload, known in self._open.items():
            yield from self._cut(workload, known, end, self._deserved)

    def _change(self, entry: Entry) -> Iterator[Interval]:
        workload, known = entry.workload, self._open.pop(entry.workload, None)
        if known is not None:
            yield from self._cut(workload, known, entry.at, self._deserved)
        holding = changed(None if known is None else known.holding, entry.change)
        evictions = holding.evictions + (known.evictions if known is not None else 0)
        holding = replace(holding, evictions=0)
        goes_on = known is not None and known.holding.shares and holding.shares
        held_since = known.held_since if known is not None and goes_on else entry.at
        fresh = _Open(entry.at, holding, held_since, (0,) * len(holding.shares), evictions)
        if not holding.is_nothing:
            self._open[workload] = fresh
        elif evictions:
            yield self._interval(workload, fresh, entry.at, self._deserved)
        holders = self._holders.setdefault(holding.project, set())
        if holding.shares:
            holders.add(workload)
        else:
            holders.discard(workload)

    def _divide(self, project: str, at: int) -> Iterator[Interval]:
        """Say anew what of a project is over its quota."""
        quota = self._deserved.get(project, _UNLIMITED).quota_milli
        if quota is None:
            return
        holders = [(name, self._open[name]) for name in self._holders.get(project, ())]
        holders.sort(key=lambda each: (each[1].holding.preemptible, each[1].held_since, each[0]))
        for workload, known in holders:
            over = []
            for share in known.holding.shares:
                within = min(quota, max(0, share.milli))
                quota -= within
                over.append(share.milli - within)
            if tuple(over) != known.over:
                yield from self._cut(workload, known, at, self._deserved)
                known.over = tuple(over)

    def _cut(self, workload: str, known: _Open, at: int, deserved: Mapping[str, Deserved]) -> Iterator[Interval]:
        """End an interval; one of no length tells nothing, and what began with it begins with the next."""
        if at > known.start:
            yield self._interval(workload, known, at, deserved)
            known.start, known.evictions = at, 0

    def _interval(self, workload: str, known: _Open, at: int, deserved: Mapping[str, Deserved]) -> Interval:
        department = deserved.get(known.holding.project, _UNLIMITED).department
        return Interval(known.start, at, workload, known.holding, department, known.over, known.evictions)
