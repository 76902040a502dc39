"""The audit log in the store: entries are added, and go by whole days once they are too old; nothing changes one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sqlite3 import Connection
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from scheduler_core.audit import AuditEntry, AuditPage, AuditQuery

SCHEMA = """
    CREATE TABLE audit(
      seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, user TEXT NOT NULL, action TEXT NOT NULL,
      workload TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL, project TEXT NOT NULL,
      for_workload TEXT NOT NULL, for_name TEXT NOT NULL, for_owner TEXT NOT NULL, for_project TEXT NOT NULL,
      detail TEXT NOT NULL
    ) STRICT;
    CREATE INDEX audit_by_time ON audit(at);
    CREATE TRIGGER audit_stands BEFORE UPDATE ON audit BEGIN
      SELECT RAISE(ABORT, 'no entry of the audit log is changed');
    END;
    CREATE TRIGGER audit_stays BEFORE DELETE ON audit WHEN OLD.at / 86400000 >= strftime('%s', 'now') / 86400 BEGIN
      SELECT RAISE(ABORT, 'no entry of the audit log goes on its own day');
    END;
    CREATE TABLE configured(source TEXT PRIMARY KEY, tables BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""
TABLES = ("audit",)
"""Of years: they are not looked through at each start."""

DAY_MS = 86_400_000
_FIELDS = AuditEntry.__struct_fields__
_INSERT = f"INSERT INTO audit({', '.join(_FIELDS[1:])}) VALUES ({', '.join('?' * (len(_FIELDS) - 1))})"  # noqa: S608

_Tables = dict[str, dict[str, msgspec.Raw]]


class Reader(Struct, frozen=True):
    """Who may read what is about them, what they did, and all of these projects."""

    user: str
    projects: tuple[str, ...] = ()


def append(connection: Connection, entries: Iterable[AuditEntry]) -> None:
    """Add entries; each gets its number."""
    for entry in entries:
        _, at, *more = astuple(entry)
        connection.execute(_INSERT, (round(at * 1000), *more))


def read(connection: Connection, query: AuditQuery, reader: Reader | None) -> AuditPage:
    """A page of the entries that a query asks for; without a `reader` of all of them."""
    where, values = _where(query, reader)
    order = "DESC" if query.newest_first else "ASC"
    rows = connection.execute(
        f"SELECT {', '.join(_FIELDS)} FROM audit WHERE {where} ORDER BY at {order}, seq {order} LIMIT ?",  # noqa: S608
        (*values, query.limit + 1),
    ).fetchall()
    found = rows[: query.limit]
    entries = tuple(_entry(row) for row in found)
    return AuditPage(entries, f"{found[-1][1]}:{found[-1][0]}" if len(rows) > query.limit else None)


def _where(query: AuditQuery, reader: Reader | None) -> tuple[str, list[object]]:
    where, values = ["at >= ?"], [round(query.since * 1000)]
    told: list[tuple[str, tuple[object, ...]]] = []
    if query.until is not None:
        told.append(("at < ?", (round(query.until * 1000),)))
    if query.after:
        at, seq = map(int, query.after.split(":"))
        told.append((f"(at, seq) {'<' if query.newest_first else '>'} (?, ?)", (at, seq)))
    for name in ("user", "action"):
        if getattr(query, name) is not None:
            told.append((f"{name} = ?", (getattr(query, name),)))
    if query.project is not None:
        told.append(("(project = ? OR for_project = ?)", (query.project,) * 2))
    if query.workload is not None:
        told.append(("? IN (workload, name, for_workload, for_name)", (query.workload,)))
    if reader is not None:
        marks = ", ".join("?" * len(reader.projects))
        theirs = f"? IN (user, owner, for_owner) OR project IN ({marks}) OR for_project IN ({marks})"
        told.append((f"({theirs})", (reader.user, *reader.projects, *reader.projects)))
    return " AND ".join([*where, *(text for text, _ in told)]), [*values, *(one for _, more in told for one in more)]


def _entry(row: tuple[Any, ...]) -> AuditEntry:
    seq, at, *more = row
    return AuditEntry(**dict(zip(_FIELDS, (seq, at / 1000, *more), strict=True)))


def cut_off(connection: Connection, before: int) -> None:
    """Let go of what is older than this day (milliseconds since the epoch, rounded down to a whole day)."""
    connection.execute("DELETE FROM audit WHERE at < ?", (before // DAY_MS * DAY_MS,))


def configured(
    connection: Connection, source: str, content: Mapping[str, object], at: float, owner: str
) -> list[AuditEntry]:
    """Note what a file says now, and add an entry for each of its tables that says something else than before."""
    row = connection.execute("SELECT tables FROM configured WHERE source = ?", (source,)).fetchone()
    before: _Tables = {} if row is None else msgspec.json.decode(row[0], type=_Tables)
    after = _tables(content)
    if after == before:
        return []
    connection.execute("REPLACE INTO configured(source, tables) VALUES (?, ?)", (source, msgspec.json.encode(after)))
    entries = [
        AuditEntry(
            seq=0,
            at=at,
            user=owner,
            action="configure",
            project=table.removeprefix("projects.") if table.startswith("projects.") else "",
            detail=f"{source}: {f'{table}: ' if table else ''}{changed}",
        )
        for table in dict.fromkeys([*before, *after])
        if (changed := _difference(before.get(table), after.get(table)))
    ]
    append(connection, entries)
    return entries


def _tables(content: Mapping[str, object]) -> _Tables:
    """The settings of each table such as `projects.vision`, by their dotted names; those outside under no name."""
    tables: _Tables = {}
    for key, value in content.items():
        nested = value if isinstance(value, dict) else {}
        if nested and all(isinstance(table, dict) for table in nested.values()):
            for name, table in nested.items():
                tables[f"{key}.{name}"] = dict(_settings(table))
        else:
            tables.setdefault("", {}).update(_settings({key: value}))
    return tables


def _settings(table: Mapping[str, object], prefix: str = "") -> Iterable[tuple[str, msgspec.Raw]]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _settings(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", msgspec.Raw(msgspec.json.encode(value))


def _difference(before: Mapping[str, msgspec.Raw] | None, after: Mapping[str, msgspec.Raw] | None) -> str:
    if after is None:
        return "removed"
    changes = [
        f"{name} {_shown(before, name)} to {_shown(after, name)}"
        for name in dict.fromkeys([*(before or {}), *after])
        if (before or {}).get(name) != after.get(name)
    ]
    if before is None:
        said = ", ".join(f"{name} {_shown(after, name)}" for name in after)
        return f"added{f': {said}' if said else ''}"
    return ", ".join(changes)


def _shown(table: Mapping[str, msgspec.Raw] | None, name: str) -> str:
    value = (table or {}).get(name)
    if value is None:
        return "unset"
    # Variables of an environment may hold tokens.
    return "(not shown)" if "variables" in name.split(".")[:-1] else bytes(value).decode()
