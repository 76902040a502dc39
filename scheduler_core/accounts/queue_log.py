"""What is kept of queues: their shares, and waits by their causes, by minutes, later by hours, and by days for ever."""

from __future__ import annotations

from collections.abc import Iterable
from sqlite3 import Connection

from scheduler_core.accounting.amounts import DAY_MS, HOUR_MS, MINUTE_MS
from scheduler_core.accounting.past import QueueStep, added

SCHEMA = """
    CREATE TABLE queue_shares(
      step INTEGER NOT NULL, at INTEGER NOT NULL, queue TEXT NOT NULL, parent TEXT,
      observed INTEGER NOT NULL, quota INTEGER, fair_share INTEGER, allocated INTEGER NOT NULL,
      requested INTEGER NOT NULL,
      PRIMARY KEY (step, at, queue)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE queue_waits(
      step INTEGER NOT NULL, at INTEGER NOT NULL, queue TEXT NOT NULL, code TEXT NOT NULL, waited INTEGER NOT NULL,
      PRIMARY KEY (step, at, queue, code)
    ) STRICT, WITHOUT ROWID;
"""
TABLES = ("queue_shares", "queue_waits")
MINUTES_KEPT_MS = DAY_MS
HOURS_KEPT_MS = 35 * DAY_MS

_SUMS = ("observed", "quota", "fair_share", "allocated", "requested")
_MORE = ", ".join(f"{name} = {name} + excluded.{name}" for name in _SUMS)
_ADD_SHARES = f"ON CONFLICT DO UPDATE SET parent = excluded.parent, {_MORE}"
_ADD_WAITS = "ON CONFLICT DO UPDATE SET waited = waited + excluded.waited"


def append(connection: Connection, minutes: Iterable[QueueStep]) -> None:
    """Add what was seen to what is known of the same minutes."""
    for minute in minutes:
        at = round(minute.at * 1000)
        connection.execute(
            f"INSERT INTO queue_shares(step, at, queue, parent, {', '.join(_SUMS)})"  # noqa: S608 (the names are ours)
            f" VALUES (?, ?, ?, ?, {', '.join('?' * len(_SUMS))}) {_ADD_SHARES}",
            (MINUTE_MS, at, minute.queue, minute.parent, *(getattr(minute, name) for name in _SUMS)),
        )
        connection.executemany(
            f"INSERT INTO queue_waits(step, at, queue, code, waited) VALUES (?, ?, ?, ?, ?) {_ADD_WAITS}",  # noqa: S608
            [(MINUTE_MS, at, minute.queue, code, waited) for code, waited in minute.waits.items()],
        )


def thin(connection: Connection, now: int) -> None:
    """Make hours of what is older than a day at `now` (milliseconds since the epoch), days of what is than 35."""
    _coarsen(connection, MINUTE_MS, HOUR_MS, now - MINUTES_KEPT_MS)
    _coarsen(connection, HOUR_MS, DAY_MS, now - HOURS_KEPT_MS)


def read(connection: Connection, since: int, until: int, step: int | None) -> tuple[QueueStep, ...]:
    """What is kept of the steps that begin in [since, until), by steps of so many milliseconds, or all as one."""
    waits: dict[tuple[int, str], dict[str, int]] = {}
    for at, queue, code, waited in connection.execute(
        "SELECT at, queue, code, waited FROM queue_waits WHERE at >= ? AND at < ?", (since, until)
    ):
        waits.setdefault((at, queue), {})[code] = waited
    rows = connection.execute(
        f"SELECT at, queue, parent, {', '.join(_SUMS)} FROM queue_shares WHERE at >= ? AND at < ?",  # noqa: S608
        (since, until),
    )
    return added(
        QueueStep(
            at=(since if step is None else at - at % step) / 1000,
            queue=queue,
            parent=parent,
            waits=waits.get((at, queue), {}),
            **dict(zip(_SUMS, sums, strict=True)),
        )
        for at, queue, parent, *sums in rows
    )


def _coarsen(connection: Connection, fine: int, coarse: int, before: int) -> None:
    """Make longer steps of all whole ones before this time; what was unlimited in some of one is in all of it."""
    bound = before // coarse * coarse
    whole = ", ".join(f"CASE WHEN COUNT({name}) = COUNT(*) THEN SUM({name}) END" for name in _SUMS)
    connection.execute(
        f"INSERT INTO queue_shares(step, at, queue, parent, {', '.join(_SUMS)})"  # noqa: S608
        f" SELECT {coarse}, at / {coarse} * {coarse} AS begins, queue, MAX(parent), {whole} FROM queue_shares"
        f" WHERE step = {fine} AND at < ? GROUP BY begins, queue {_ADD_SHARES}",
        (bound,),
    )
    connection.execute(
        f"INSERT INTO queue_waits(step, at, queue, code, waited)"  # noqa: S608
        f" SELECT {coarse}, at / {coarse} * {coarse} AS begins, queue, code, SUM(waited) FROM queue_waits"
        f" WHERE step = {fine} AND at < ? GROUP BY begins, queue, code {_ADD_WAITS}",
        (bound,),
    )
    for table in TABLES:
        connection.execute(f"DELETE FROM {table} WHERE step = {fine} AND at < ?", (bound,))  # noqa: S608
