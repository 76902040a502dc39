"""What accounting keeps for years: sums by hours, later by days; of workloads for a while, of users for ever.

usage      account 0: of all of a user's in a project, 1: of each workload, both by model and pool; 2: of each device
subjects   whose they are, places   on which devices
summed     up to when all of the log has become sums
"""

from __future__ import annotations

from collections.abc import Iterator
from sqlite3 import Connection

from msgspec.structs import replace

from scheduler_core.accounting.amounts import DAY_MS, HOUR_MS, Amounts
from scheduler_core.accounting.cells import NOWHERE, Cells, Place, Subject, merged

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
      account INTEGER NOT NULL, step INTEGER NOT NULL, at INTEGER NOT NULL,
      subject INTEGER NOT NULL, place INTEGER NOT NULL,
      allocated INTEGER NOT NULL, over_quota INTEGER NOT NULL, measured INTEGER NOT NULL, used INTEGER NOT NULL,
      gpu_memory INTEGER NOT NULL, cpu INTEGER NOT NULL, cpu_used INTEGER NOT NULL, waiting INTEGER NOT NULL,
      preemptions INTEGER NOT NULL, energy INTEGER,
      PRIMARY KEY (account, step, at, subject, place)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE summed(up_to INTEGER NOT NULL) STRICT;
    INSERT INTO summed(up_to) VALUES (0);
"""
TABLES = ("subjects", "places", "usage")
USERS, WORKLOADS, DEVICES = ACCOUNTS = (0, 1, 2)
HOURS_KEPT_MS = 35 * DAY_MS
WORKLOADS_KEPT_MS = 400 * DAY_MS

_AMOUNTS = Amounts.__struct_fields__
_ADDED = ", ".join(
    "energy = COALESCE(energy + excluded.energy, energy, excluded.energy)"
    if name == "energy"
    else f"{name} = {name} + excluded.{name}"
    for name in _AMOUNTS
)
_NOBODY = Subject(owner="", project="")
_WHO = ("workload", "owner", "project", "department", "name")
_WHERE = ("device", "place_index", "model", "node", "pool")


def summed_up_to(connection: Connection) -> int:
    """Milliseconds since the epoch."""
    up_to: int = connection.execute("SELECT up_to FROM summed").fetchone()[0]
    return up_to


def add_hours(connection: Connection, hours: Cells, up_to: int) -> None:
    """Add the sums of hours to all accounts. All before `up_to` is in them then."""
    for account, cells in _accounts(hours):
        subjects = {subject: _subject(connection, subject) for subject in {subject for _, subject, _ in cells}}
        places = {place: _place(connection, place) for place in {place for _, _, place in cells}}
        connection.executemany(
            f"INSERT INTO usage(account, step, at, subject, place, {', '.join(_AMOUNTS)})"  # noqa: S608
            f" VALUES (?, ?, ?, ?, ?, {', '.join('?' * len(_AMOUNTS))}) ON CONFLICT DO UPDATE SET {_ADDED}",
            [
                (account, HOUR_MS, at, subjects[who], places[where], *(getattr(sums, name) for name in _AMOUNTS))
                for (at, who, where), sums in cells.items()
            ],
        )
    connection.execute("UPDATE summed SET up_to = ?", (up_to,))


def thin(connection: Connection, now: int) -> None:
    """Make days of what is older than 35 days, and let go of single workloads after 400."""
    before = (now - HOURS_KEPT_MS) // DAY_MS * DAY_MS
    sums = ", ".join(f"SUM({name})" for name in _AMOUNTS)
    connection.execute(
        f"INSERT INTO usage(account, step, at, subject, place, {', '.join(_AMOUNTS)})"  # noqa: S608
        f" SELECT account, {DAY_MS}, at / {DAY_MS} * {DAY_MS} AS day, subject, place, {sums} FROM usage"
        f" WHERE account IN {ACCOUNTS} AND step = {HOUR_MS} AND at < ? GROUP BY account, day, subject, place"
        f" ON CONFLICT DO UPDATE SET {_ADDED}",
        (before,),
    )
    connection.execute(f"DELETE FROM usage WHERE account IN {ACCOUNTS} AND step = {HOUR_MS} AND at < ?", (before,))  # noqa: S608
    gone = connection.execute(
        f"DELETE FROM usage WHERE account = {WORKLOADS} AND step = {DAY_MS} AND at < ?",  # noqa: S608
        (now - WORKLOADS_KEPT_MS,),
    )
    if gone.rowcount:
        connection.execute(
            "DELETE FROM subjects WHERE workload <> '' AND id NOT IN (SELECT subject FROM usage WHERE account = ?)",
            (WORKLOADS,),
        )


def _accounts(hours: Cells) -> Iterator[tuple[int, Cells]]:
    """The sums of each account; who used which device is not kept."""
    yield USERS, merged(hours, lambda subject: replace(subject, workload="", name=""), _kind)
    yield WORKLOADS, merged(hours, lambda subject: replace(subject, department=""), _kind)
    on_devices = {key: amounts for key, amounts in hours.items() if key[2] != NOWHERE}
    yield DEVICES, merged(on_devices, lambda subject: _NOBODY, lambda place: place)


def _kind(place: Place) -> Place:
    return replace(place, device="", index=0, node="")


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
