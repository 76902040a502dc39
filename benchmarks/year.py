"""A made-up year: 1,000 devices, 2,000,000 workloads of 300 people in 40 projects, as sums in an engine's store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

from scheduler_core.accounting.amounts import DAY_MS, HOUR_MS, Amounts
from scheduler_core.accounting.cells import NOWHERE, Cells, Place, Subject
from scheduler_core.accounts import usage_sums
from scheduler_core.local.durable.store import Store

DAYS = 365
DEVICES = 1000
WORKLOADS = 2_000_000
_MODELS = ("A100-SXM4-80GB", "H100-SXM5-80GB", "L40S")
_MIB = 81_920
_ON_A_NODE = 8
_DAYS_AT_ONCE = 7


def today() -> int:
    """The start of today in UTC, in milliseconds since the epoch."""
    return round(time.time() * 1000) // DAY_MS * DAY_MS


def make(path: Path) -> None:
    """Write the sums of the year up to now; days for what is that old, hours else."""
    random, end = Random(1), today()  # noqa: S311 (nothing secret)
    places = [_place(index) for index in range(DEVICES)]
    with closing(Store(path)) as store:
        for day in range(DAYS):
            at = end - (DAYS - day) * DAY_MS
            by_hours = at >= end - usage_sums.HOURS_KEPT_MS
            sums = _day(random, places, day, at, by_hours)
            store.account_later(
                lambda connection, sums=sums, at=at: usage_sums.add_hours(connection, sums, at + DAY_MS)
            )
            if day % _DAYS_AT_ONCE == 0 or day == DAYS - 1:
                store.account_later(lambda connection: usage_sums.thin(connection, end)).result()


def _place(index: int) -> Place:
    node, pool = index // _ON_A_NODE, index * len(_MODELS) // DEVICES
    return Place(
        device=f"GPU-{index:08x}-5f1d-4e0c-9e0b-{index:012x}",
        index=index % _ON_A_NODE,
        model=_MODELS[pool],
        node=f"node-{node:03}",
        pool=f"pool-{pool}",
    )


def _day(random: Random, places: list[Place], day: int, at: int, by_hours: bool) -> Cells:
    """What the workloads that begin on this day used; where `by_hours` is not set, each day's in its first hour."""
    found: Cells = {}
    first, last = (WORKLOADS * (day + more) // DAYS for more in (0, 1))
    for number in range(first, last):
        person = int(300 * random.random() ** 2)
        subject = Subject(
            owner=f"person-{person:03}",
            project=f"project-{person % 40:02}",
            department=f"department-{person % 40 % 5}",
            workload=f"{number:08x}",
            name=f"training-{number % 997}",
        )
        begin, length = random.randrange(24), random.randint(1, 7)
        held = _devices(random, places)
        milli = 1000 if len(held) > 1 else random.choice((250, 500, 1000))
        for hour in _hours(at + begin * HOUR_MS, length, by_hours):
            for place in held:
                _add(found, (hour, subject, place), _used(random, milli))
            waited = random.randrange(HOUR_MS) if hour <= at + begin * HOUR_MS else 0
            _add(
                found,
                (hour, subject, NOWHERE),
                Amounts(cpu=4000 * HOUR_MS, cpu_used=random.randrange(4000 * HOUR_MS), waiting=waited),
            )
    return found


def _devices(random: Random, places: list[Place]) -> list[Place]:
    first = random.randrange(len(places))
    if random.random() < 0.95:
        return [places[first]]
    first -= first % _ON_A_NODE
    return places[first : first + _ON_A_NODE]


def _hours(begin: int, length: int, by_hours: bool) -> Iterator[int]:
    for hour in range(begin, begin + length * HOUR_MS, HOUR_MS):
        yield hour if by_hours else hour // DAY_MS * DAY_MS


def _used(random: Random, milli: int) -> Amounts:
    allocated = milli * HOUR_MS
    return Amounts(
        allocated=allocated,
        over_quota=allocated // 3,
        measured=allocated,
        used=int(allocated * random.random()),
        gpu_memory=milli * _MIB // 1000 * HOUR_MS,
        energy=milli * 1_000_000,
    )


def _add(found: Cells, key: tuple[int, Subject, Place], amounts: Amounts) -> None:
    known = found.get(key)
    if known is None:
        found[key] = amounts
    else:
        known.add(amounts)
