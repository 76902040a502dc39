"""The log that accounting is made of: what each workload holds from when on, written with the record that says so."""

from __future__ import annotations

from collections.abc import Iterable
from sqlite3 import Connection

import msgspec
from msgspec import Struct
from msgspec.structs import astuple, replace

from scheduler_core.accounting.cells import Measured
from scheduler_core.accounting.holding import Deserved, Entry, Holding, Projects, changed

SCHEMA = """
    CREATE TABLE holdings(
      seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, workload TEXT NOT NULL, change BLOB NOT NULL
    ) STRICT;
    CREATE TABLE deserved(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, projects BLOB NOT NULL) STRICT;
    CREATE TABLE measured(
      at INTEGER NOT NULL, workload TEXT NOT NULL, device TEXT NOT NULL,
      measured INTEGER NOT NULL, used INTEGER NOT NULL, cpu_used INTEGER NOT NULL, energy INTEGER,
      PRIMARY KEY (at, workload, device)
    ) STRICT, WITHOUT ROWID;
"""

_MEASURED = Measured.__struct_fields__
_change = msgspec.json.Decoder(Holding)
_deserved = msgspec.json.Decoder(dict[str, Deserved])


class Log(Struct, frozen=True, kw_only=True):
    """The log from `begins` (milliseconds since the epoch) on; what lies before is kept as sums alone."""

    begins: int
    entries: list[Entry]
    projects: list[Projects]
    measured: list[Measured]


def append(connection: Connection, entries: Iterable[Entry]) -> None:
    """Note what changes for workloads."""
    for entry in entries:
        connection.execute(
            "INSERT INTO holdings(at, workload, change) VALUES (?, ?, ?)",
            (entry.at, entry.workload, msgspec.json.encode(entry.change)),
        )


def append_projects(connection: Connection, projects: Projects) -> None:
    """Note what projects deserve from now on, where that is not what they did before."""
    last = connection.execute("SELECT projects FROM deserved ORDER BY seq DESC LIMIT 1").fetchone()
    if last is None or _deserved.decode(last[0]) != projects.deserved:
        connection.execute(
            "INSERT INTO deserved(at, projects) VALUES (?, ?)",
            (projects.at, msgspec.json.encode(projects.deserved)),
        )


def append_measured(connection: Connection, minutes: Iterable[Measured]) -> None:
    """Add what was measured to what is known of the same minutes."""
    connection.executemany(
        f"INSERT INTO measured({', '.join(_MEASURED)}) VALUES ({', '.join('?' * len(_MEASURED))})"  # noqa: S608
        " ON CONFLICT DO UPDATE SET measured = measured.measured + excluded.measured, used = used + excluded.used,"
        " cpu_used = cpu_used + excluded.cpu_used,"
        " energy = COALESCE(energy + excluded.energy, energy, excluded.energy)",
        [astuple(minute) for minute in minutes],
    )


def read_log(connection: Connection, begins: int) -> Log:
    """The whole log in the order of its times; what was heard of too late for the sums counts from where they end."""
    entries = [
        Entry(seq=seq, at=max(at, begins), workload=workload, change=_change.decode(change))
        for seq, at, workload, change in connection.execute("SELECT seq, at, workload, change FROM holdings")
    ]
    entries.sort(key=lambda entry: entry.at)
    projects: list[Projects] = []
    for seq, at, deserved in connection.execute("SELECT seq, at, projects FROM deserved ORDER BY seq"):
        latest = max(at, begins, *(known.at for known in projects[-1:]))
        projects.append(Projects(seq=seq, at=latest, deserved=_deserved.decode(deserved)))
    measured = [
        Measured(**dict(zip(_MEASURED, row, strict=True)))
        for row in connection.execute(f"SELECT {', '.join(_MEASURED)} FROM measured")  # noqa: S608
    ]
    return Log(begins=begins, entries=entries, projects=projects, measured=measured)


def all_held(connection: Connection) -> dict[str, Holding]:
    """What each workload in the log holds, as far as it is written."""
    return _added_up(read_log(connection, 0).entries)


def cut_off(connection: Connection, log: Log, up_to: int) -> None:
    """Let go of what this log, read before, says of the time before `up_to`; what goes on then begins there."""
    past = [entry for entry in log.entries if entry.at < up_to]
    connection.executemany("DELETE FROM holdings WHERE seq = ?", [(entry.seq,) for entry in past])
    going_on = {name: replace(held, evictions=0) for name, held in _added_up(past).items()}
    append(
        connection,
        [Entry(at=up_to, workload=name, change=held) for name, held in going_on.items() if not held.is_nothing],
    )
    outdated = [known for known in log.projects if known.at < up_to][:-1]
    connection.executemany("DELETE FROM deserved WHERE seq = ?", [(known.seq,) for known in outdated])
    connection.execute("DELETE FROM measured WHERE at < ?", (up_to,))


def _added_up(entries: Iterable[Entry]) -> dict[str, Holding]:
    held: dict[str, Holding] = {}
    for entry in entries:
        before = held.get(entry.workload)
        after = changed(before, entry.change)
        if after.shares and (before is None or not before.shares):
            began = entry.at if entry.change.held_since is None else entry.change.held_since
            after = replace(after, held_since=began)
        held[entry.workload] = after
    return held
