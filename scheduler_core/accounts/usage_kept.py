"""Reads the sums that accounting keeps, as far as an answer tells groups apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from sqlite3 import Connection
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.accounting.amounts import DAY_MS, HOUR_MS, Amounts
from scheduler_core.accounting.cells import Place, Subject
from scheduler_core.accounting.usage import OTHERS, UsageBy
from scheduler_core.accounts.usage_sums import DEVICES, USERS, WORKLOADS

Kept: TypeAlias = tuple[tuple[int, Subject, Place], Amounts]

_AMOUNTS = Amounts.__struct_fields__
_LARGE = ("gpu_memory", "cpu", "cpu_used")
_HALF = 1 << 20
"""A sum of many large numbers is made in two parts, since SQLite's own would overflow at 64 bits."""
_PARTS = {
    **{name: f"SUM({name})" for name in _AMOUNTS if name not in _LARGE},
    **{f"{name}_high": f"SUM({name} / {_HALF})" for name in _LARGE},
    **{f"{name}_low": f"SUM({name} % {_HALF})" for name in _LARGE},
}
_OTHERS = Subject(owner="", project="", workload=OTHERS, name=OTHERS)
_WITHIN = f"account = ?1 AND step IN ({HOUR_MS}, {DAY_MS}) AND at >= ?2 AND at < ?3"
_LISTED = "subject IN (SELECT value FROM json_each(?4))"


class Period(Struct, frozen=True):
    """[since, until) by steps of so many milliseconds, or all as one."""

    since: int
    until: int
    step: int | None


class _Names(Struct, frozen=True):
    """From which account, and by which names of whose and where, groups are told apart."""

    account: int
    who: tuple[str, ...] = ()
    where: tuple[str, ...] = ("model",)


_NAMES: Mapping[UsageBy, _Names] = {
    "workload": _Names(WORKLOADS, ("workload", "name", "owner", "project")),
    "user": _Names(USERS, ("owner",)),
    "project": _Names(USERS, ("project",)),
    "department": _Names(USERS, ("department",)),
    "device": _Names(DEVICES, (), ("device", "place_index", "model", "node")),
    "pool": _Names(USERS, (), ("pool", "model")),
}
_BY_MODEL = _Names(USERS)
_SINGLY = _Names(WORKLOADS, ("workload", "name", "owner", "project"), ("pool", "model"))


def kept_sums(
    connection: Connection, by: UsageBy, period: Period, logged: Iterable[str], most_groups: int
) -> Iterator[Kept]:
    """What is kept of the steps that begin in a period.

    Of more than `most_groups` workloads, those with most and those that are `logged` come one by one, the rest as one.
    """
    if by == "workload":
        most = _most(connection, period, most_groups + 1)
        if len(most) > most_groups:
            yield from _with_others(connection, period, {*most, *_subjects(connection, logged)})
            return
    yield from _sums(connection, _NAMES[by], period)


def kept_of(connection: Connection, prefix: str, period: Period) -> Iterator[Kept]:
    """The same of the workloads whose ids begin so, one by one; of which department they are is not kept with them."""
    found = connection.execute("SELECT id FROM subjects WHERE substr(workload, 1, ?) = ?", (len(prefix), prefix))
    yield from _sums(connection, _SINGLY, period, [subject for (subject,) in found])


def _most(connection: Connection, period: Period, limit: int) -> list[int]:
    """The subjects of the workloads with most."""
    found = connection.execute(
        f"SELECT subject FROM usage WHERE {_WITHIN}"  # noqa: S608 (the names are ours)
        " GROUP BY subject ORDER BY SUM(allocated) DESC, SUM(waiting) DESC LIMIT ?4",
        (WORKLOADS, period.since, period.until, limit),
    )
    return [subject for (subject,) in found]


def _subjects(connection: Connection, workloads: Iterable[str]) -> set[int]:
    found = connection.execute(
        "SELECT id FROM subjects WHERE workload IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(list(workloads)).decode(),),
    )
    return {subject for (subject,) in found}


def _with_others(connection: Connection, period: Period, named: Collection[int]) -> Iterator[Kept]:
    """What these workloads used, and for the others what is left of all that users did while workloads are kept."""
    rest: dict[tuple[int, Place], Amounts] = {}
    since = max(period.since, _workloads_begin(connection))
    for (at, _, place), amounts in _sums(connection, _BY_MODEL, replace(period, since=since)):
        rest[period.since if period.step is None else at, place] = amounts
    for (at, whose, place), amounts in _sums(connection, _NAMES["workload"], period, named):
        rest[at, place] = rest[at, place].less(amounts)
        yield (at, whose, place), amounts
    for (at, place), amounts in rest.items():
        if not amounts.is_nothing:
            yield (at, _OTHERS, place), amounts


def _workloads_begin(connection: Connection) -> int:
    """From when on single workloads are kept."""
    firsts = [
        connection.execute(
            "SELECT at FROM usage WHERE account = ? AND step = ? ORDER BY at LIMIT 1", (WORKLOADS, step)
        ).fetchone()
        for step in (HOUR_MS, DAY_MS)
    ]
    return min((first[0] for first in firsts if first is not None), default=0)


def _sums(
    connection: Connection, names: _Names, period: Period, subjects: Collection[int] | None = None
) -> Iterator[Kept]:
    bucket = str(period.since) if period.step is None else f"at / {period.step} * {period.step}"
    told = ", ".join([*(f"subjects.{name}" for name in names.who), *(f"places.{name}" for name in names.where)])
    rows = connection.execute(
        f"SELECT bucket, {told}, {', '.join(f'SUM({name})' for name in _PARTS)} FROM ("  # noqa: S608
        f" SELECT {bucket} AS bucket, subject, place, {', '.join(f'{made} AS {name}' for name, made in _PARTS.items())}"
        f" FROM usage WHERE {_WITHIN} AND {'?4 IS NULL' if subjects is None else _LISTED}"
        " GROUP BY bucket, subject, place) AS kept"
        f" JOIN subjects ON subjects.id = subject JOIN places ON places.id = place GROUP BY bucket, {told}",
        (
            names.account,
            period.since,
            period.until,
            None if subjects is None else msgspec.json.encode(list(subjects)).decode(),
        ),
    )
    for at, *row in rows:
        who = dict(zip(names.who, row, strict=False))
        where = dict(zip(names.where, row[len(names.who) :], strict=False))
        amounts = _amounts(dict(zip(_PARTS, row[len(names.who) + len(names.where) :], strict=True)))
        yield (at, Subject(**{"owner": "", "project": "", **who}), _place(where)), amounts


def _place(names: Mapping[str, Any]) -> Place:
    return Place(**{"index" if name == "place_index" else name: value for name, value in names.items()})


def _amounts(row: Mapping[str, int | None]) -> Amounts:
    found = {name: value for name, value in row.items() if name in _AMOUNTS and value is not None}
    for name in _LARGE:
        found[name] = (row[f"{name}_high"] or 0) * _HALF + (row[f"{name}_low"] or 0)
    return Amounts(**found)
