"""What accounting keeps for years: sums by hours, later by days; of workloads for a while, of users for ever.

usage      by_workload 1: of each workload; 0: of all of a user's in a project
subjects   whose they are, places   on which device
summed     up to when all of the log has become sums
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from sqlite3 import Connection

from scheduler_core.accounting.amounts import DAY_MS, HOUR_MS, Amounts
from scheduler_core.accounting.cells import Cells, Place, Subject, without_workloads
from scheduler_core.accounting.usage import UsageBy

SCHEMA = """
    CREATE TABLE subjects(
      id INTEGER PRIMARY KEY, workload TEXT NOT NULL, owner TEXT NOT NULL, project TEXT NOT NULL,
      department TEXT NOT NULL, name TEXT NOT NULL, UNIQUE(workload, owner, project, department)
    ) STRICT;
    CREATE TABLE places(
      id INTEGER PRIMARY KEY, device TEXT NOT NULL, place_index INTEGER NOT NULL, model TEXT NOT NULL,
      node TEXT NOT NULL, pool TEXT NOT NULL, UNIQUE(device, place_index, model, node, pool)
    ) STRICT;
    CREATE TABLE usage(
      by_workload INTEGER NOT NULL, step INTEGER NOT NULL, at INTEGER NOT NULL,
      subject INTEGER NOT NULL, place INTEGER NOT NULL,
      allocated INTEGER NOT NULL, over_quota INTEGER NOT NULL, measured INTEGER NOT NULL, used INTEGER NOT NULL,
      gpu_memory INTEGER NOT NULL, cpu INTEGER NOT NULL, cpu_used INTEGER NOT NULL, waiting INTEGER NOT NULL,
      preemptions INTEGER NOT NULL, energy INTEGER,
      PRIMARY KEY (by_workload, step, at, subject, place)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE summed(up_to INTEGER NOT NULL) STRICT;
    INSERT INTO summed(up_to) VALUES (0);
"""
HOURS_KEPT_MS = 35 * DAY_MS
WORKLOADS_KEPT_MS = 400 * DAY_MS

_AMOUNTS = Amounts.__struct_fields__
_LARGE = ("gpu_memory", "cpu", "cpu_used")
_HALF = 1 << 20
"""A sum of many large numbers is made in two parts, since SQLite's own would overflow at 64 bits."""
_ADDED = ", ".join(
    "energy = COALESCE(energy + excluded.energy, energy, excluded.energy)"
    if name == "energy"
    else f"{name} = {name} + excluded.{name}"
    for name in _AMOUNTS
)
_SUBJECT: Mapping[UsageBy, tuple[str, ...]] = {
    "workload": ("workload", "name", "owner", "project"),
    "user": ("owner",),
    "project": ("project",),
    "department": ("department",),
    "device": (),
    "pool": (),
}
_PLACE: Mapping[UsageBy, tuple[str, ...]] = {
    "device": ("device", "place_index", "model", "node"),
    "pool": ("pool", "model"),
}
_WHO = ("workload", "owner", "project", "department", "name")
_WHERE = ("device", "place_index", "model", "node", "pool")


def summed_up_to(connection: Connection) -> int:
    """Milliseconds since the epoch."""
    up_to: int = connection.execute("SELECT up_to FROM summed").fetchone()[0]
    return up_to


def add_hours(connection: Connection, hours: Cells, up_to: int) -> None:
    """Add the sums of hours: those of workloads, and of users without them. All before `up_to` is in them then."""
    for by_workload, cells in ((1, hours), (0, without_workloads(hours))):
        subjects = {subject: _subject(connection, subject) for _, subject, _ in cells}
        places = {place: _place(connection, place) for _, _, place in cells}
        connection.executemany(
            f"INSERT INTO usage(by_workload, step, at, subject, place, {', '.join(_AMOUNTS)})"  # noqa: S608
            f" VALUES (?, ?, ?, ?, ?, {', '.join('?' * len(_AMOUNTS))}) ON CONFLICT DO UPDATE SET {_ADDED}",
            [
                (by_workload, HOUR_MS, at, subjects[who], places[where], *(getattr(sums, name) for name in _AMOUNTS))
                for (at, who, where), sums in cells.items()
            ],
        )
    connection.execute("UPDATE summed SET up_to = ?", (up_to,))


def thin(connection: Connection, now: int) -> None:
    """Make days of what is older than 35 days, and let go of single workloads after 400."""
    before = (now - HOURS_KEPT_MS) // DAY_MS * DAY_MS
    sums = ", ".join(f"SUM({name})" for name in _AMOUNTS)
    connection.execute(
        f"INSERT INTO usage(by_workload, step, at, subject, place, {', '.join(_AMOUNTS)})"  # noqa: S608
        f" SELECT by_workload, {DAY_MS}, at / {DAY_MS} * {DAY_MS} AS day, subject, place, {sums} FROM usage"
        f" WHERE by_workload IN (0, 1) AND step = {HOUR_MS} AND at < ? GROUP BY by_workload, day, subject, place"
        f" ON CONFLICT DO UPDATE SET {_ADDED}",
        (before,),
    )
    connection.execute(f"DELETE FROM usage WHERE by_workload IN (0, 1) AND step = {HOUR_MS} AND at < ?", (before,))  # noqa: S608
    gone = connection.execute(
        f"DELETE FROM usage WHERE by_workload = 1 AND step = {DAY_MS} AND at < ?",  # noqa: S608
        (now - WORKLOADS_KEPT_MS,),
    )
    if gone.rowcount:
        connection.execute(
            "DELETE FROM subjects WHERE workload <> '' AND id NOT IN (SELECT subject FROM usage WHERE by_workload = 1)"
        )


def kept_sums(
    connection: Connection, by: UsageBy, since: int, until: int, step: int | None
) -> Iterator[tuple[tuple[int, Subject, Place], Amounts]]:
    """What is kept of the steps that begin in [since, until), with what is needed to tell the groups apart."""
    who, where = _SUBJECT[by], _PLACE.get(by, ("model",))
    bucket = "?3" if step is None else f"at / {step} * {step}"
    sums = {name: f"SUM({name})" for name in _AMOUNTS if name not in _LARGE}
    sums |= {f"{name}_high": f"SUM({name} / {_HALF})" for name in _LARGE}
    sums |= {f"{name}_low": f"SUM({name} % {_HALF})" for name in _LARGE}
    parts = ", ".join(f"{made} AS {name}" for name, made in sums.items())
    totals = ", ".join(f"SUM({name})" for name in sums)
    names = ", ".join([*(f"subjects.{name}" for name in who), *(f"places.{name}" for name in where)])
    rows = connection.execute(
        f"SELECT bucket, {names}, {totals} FROM ("  # noqa: S608 (the names are ours)
        f" SELECT {bucket} AS bucket, subject, place, {parts} FROM usage"
        f" WHERE by_workload = ?1 AND step IN ({HOUR_MS}, {DAY_MS}) AND at >= ?2 AND at < ?4"
        " GROUP BY bucket, subject, place) AS kept"
        f" JOIN subjects ON subjects.id = subject JOIN places ON places.id = place GROUP BY bucket, {names}",
        (int(by == "workload"), since, since, until),
    )
    for bucket_at, *row in rows:
        subject = dict(zip(who, row, strict=False))
        place = {
            "index" if name == "place_index" else name: value
            for name, value in zip(where, row[len(who) :], strict=False)
        }
        yield (
            (bucket_at, Subject(**{"owner": "", "project": "", **subject}), Place(**place)),
            _amounts(dict(zip(sums, row[len(who) + len(where) :], strict=True))),
        )


def _amounts(row: dict[str, int | None]) -> Amounts:
    found = {name: value for name, value in row.items() if name in _AMOUNTS and value is not None}
    for name in _LARGE:
        found[name] = (row[f"{name}_high"] or 0) * _HALF + (row[f"{name}_low"] or 0)
    return Amounts(**found)


def _subject(connection: Connection, subject: Subject) -> int:
    return _known(connection, "subjects", _WHO, tuple(getattr(subject, name) for name in _WHO), 4)


def _place(connection: Connection, place: Place) -> int:
    return _known(connection, "places", _WHERE, (place.device, place.index, place.model, place.node, place.pool), 5)


def _known(connection: Connection, table: str, names: tuple[str, ...], values: tuple[object, ...], keys: int) -> int:
    """The number of this row, which is made where there is none."""
    connection.execute(
        f"INSERT INTO {table}({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) ON CONFLICT DO NOTHING",  # noqa: S608
        values,
    )
    told = " AND ".join(f"{name} = ?" for name in names[:keys])
    number: int = connection.execute(f"SELECT id FROM {table} WHERE {told}", values[:keys]).fetchone()[0]  # noqa: S608
    return number
