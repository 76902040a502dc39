"""Who used what, as people and programs ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from scheduler_core.accounting.amounts import DAY_MS, HOUR_MS, MINUTE_MS, Amounts
from scheduler_core.accounting.cells import NOWHERE, Place, Subject
from scheduler_core.accounting.prices import Prices

UsageBy: TypeAlias = Literal["workload", "user", "project", "department", "device", "pool"]
UsageStep: TypeAlias = Literal["all", "minute", "hour", "day"]
STEP_MS: Mapping[UsageStep, int | None] = {"all": None, "minute": MINUTE_MS, "hour": HOUR_MS, "day": DAY_MS}
OTHERS = "(others)"
NO_DEPARTMENT = "(none)"
MOST_GROUPS = 20_000

_GPU_HOUR = 1000 * HOUR_MS
_GIB_HOUR = 1024 * HOUR_MS
_KWH = 3_600_000_000


class UsageRow(Struct, frozen=True, kw_only=True, gc=False):
    """What one group used in one step, which begins at `at` (seconds since the epoch).

    `group` is the id of a workload or device, else a name; `name` is what people call it. The sums are exact: in
    thousandths of a device times milliseconds `allocated` and its parts, `gpu_memory` in MiB times milliseconds, `cpu`
    (set aside) and `cpu_used` in thousandths of a core times milliseconds, `waiting` in milliseconds, `energy` in
    millijoules or null where no device tells. `cost` is null where nothing has a price.
    """

    at: float
    group: str
    name: str
    owner: str = ""
    project: str = ""
    model: str = ""
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
    cost: float | None = None

    @property
    def idle(self) -> int:
        """Allocated and measured, and not used."""
        return self.measured - self.used

    @property
    def allocated_gpu_hours(self) -> float:
        return self.allocated / _GPU_HOUR

    @property
    def used_gpu_hours(self) -> float:
        return self.used / _GPU_HOUR

    @property
    def idle_gpu_hours(self) -> float:
        return self.idle / _GPU_HOUR

    @property
    def unmeasured_gpu_hours(self) -> float:
        """Allocated while nothing told how much of it was used."""
        return (self.allocated - self.measured) / _GPU_HOUR

    @property
    def over_quota_gpu_hours(self) -> float:
        return self.over_quota / _GPU_HOUR

    @property
    def gpu_memory_gib_hours(self) -> float:
        return self.gpu_memory / _GIB_HOUR

    @property
    def cpu_hours(self) -> float:
        return self.cpu / _GPU_HOUR

    @property
    def cpu_used_hours(self) -> float:
        return self.cpu_used / _GPU_HOUR

    @property
    def waiting_hours(self) -> float:
        return self.waiting / HOUR_MS

    @property
    def energy_kwh(self) -> float | None:
        return None if self.energy is None else self.energy / _KWH


class Usage(Struct, frozen=True, kw_only=True):
    """Who used what in [since, until), in seconds since the epoch, oldest step first and in it most allocated first.

    What is older than a day is kept by hours, and then by days: there `since` and `until` are those of the steps that
    begin within. `unpriced` are the models without a price where others have one. `namespace` is the one whose work
    alone this is, where who asked is not told of all.
    """

    by: UsageBy
    step: UsageStep
    since: float
    until: float
    rows: tuple[UsageRow, ...]
    simulated: bool = False
    currency: str | None = None
    unpriced: tuple[str, ...] = ()
    namespace: str | None = None


class _Group(Struct, frozen=True):
    group: str
    name: str
    owner: str = ""
    project: str = ""
    model: str = ""


_GROUPS: Mapping[UsageBy, Callable[[Subject, Place], _Group]] = {
    "workload": lambda who, where: _Group(who.workload, who.name, who.owner, who.project),
    "user": lambda who, where: _Group(who.owner, who.owner),
    "project": lambda who, where: _Group(who.project, who.project),
    "department": lambda who, where: _Group(who.department, who.department or NO_DEPARTMENT),
    "device": lambda who, where: _Group(where.device, f"{where.node} #{where.index}", model=where.model),
    "pool": lambda who, where: _Group(where.pool, where.pool),
}


def rows(
    cells: Iterable[tuple[tuple[int, Subject, Place], Amounts]],
    by: UsageBy,
    prices: Prices | None,
    most_groups: int = MOST_GROUPS,
) -> tuple[UsageRow, ...]:
    """Cells summed up by groups and steps; beyond `most_groups`, those with less are one.

    By device and pool only what belongs to a device counts.
    """
    sums: dict[tuple[int, str], Amounts] = {}
    costs: dict[tuple[int, str], float] = {}
    known: dict[str, _Group] = {}
    for (at, who, where), amounts in cells:
        if by in ("device", "pool") and where == NOWHERE:
            continue
        group = _GROUPS[by](who, where)
        known[group.group] = group
        key = (at, group.group)
        sums.setdefault(key, Amounts()).add(amounts)
        price = None if prices is None or not amounts.allocated else prices.of(where.model)
        if price is not None:
            costs[key] = costs.get(key, 0.0) + amounts.allocated * price / _GPU_HOUR
    if len(known.keys() - {OTHERS}) > most_groups:
        known |= dict.fromkeys(_beyond(most_groups, sums), _Group(OTHERS, OTHERS))
        sums, costs = _merged(sums, costs, known)
        known[OTHERS] = _Group(OTHERS, OTHERS)
    ordered = sorted(sums.items(), key=lambda item: (item[0][0], -item[1].allocated, -item[1].waiting, item[0][1]))
    return tuple(_row(at, known[group], amounts, costs.get((at, group))) for (at, group), amounts in ordered)


def _beyond(most_groups: int, sums: Mapping[tuple[int, str], Amounts]) -> list[str]:
    """The groups with less than so many others."""
    totals: dict[str, tuple[int, int]] = {}
    for (_, group), amounts in sums.items():
        allocated, waiting = totals.get(group, (0, 0))
        totals[group] = allocated + amounts.allocated, waiting + amounts.waiting
    totals.pop(OTHERS, None)
    return sorted(totals, key=lambda group: totals[group], reverse=True)[most_groups:]


def _merged(
    sums: Mapping[tuple[int, str], Amounts], costs: Mapping[tuple[int, str], float], known: Mapping[str, _Group]
) -> tuple[dict[tuple[int, str], Amounts], dict[tuple[int, str], float]]:
    """Sums and costs by the groups that are `known` by another's name."""
    merged: dict[tuple[int, str], Amounts] = {}
    priced: dict[tuple[int, str], float] = {}
    for (at, group), amounts in sums.items():
        merged.setdefault((at, known[group].group), Amounts()).add(amounts)
    for (at, group), cost in costs.items():
        priced[at, known[group].group] = priced.get((at, known[group].group), 0.0) + cost
    return merged, priced


def unpriced(cells: Iterable[tuple[tuple[int, Subject, Place], Amounts]], prices: Prices | None) -> tuple[str, ...]:
    """The models of devices that were held and have no price, where others have one."""
    if prices is None:
        return ()
    held = {where.model for (_, _, where), amounts in cells if amounts.allocated}
    return tuple(sorted(model for model in held if prices.of(model) is None))


def _row(at: int, group: _Group, amounts: Amounts, cost: float | None) -> UsageRow:
    # What is measured each second may lie a little over the bounds of what was held.
    measured = min(amounts.measured, amounts.allocated)
    return UsageRow(
        at=at / 1000,
        group=group.group,
        name=group.name,
        owner=group.owner,
        project=group.project,
        model=group.model,
        allocated=amounts.allocated,
        over_quota=amounts.over_quota,
        measured=measured,
        used=min(amounts.used, measured),
        gpu_memory=amounts.gpu_memory,
        cpu=amounts.cpu,
        cpu_used=amounts.cpu_used,
        waiting=amounts.waiting,
        preemptions=amounts.preemptions,
        energy=amounts.energy,
        cost=cost,
    )
