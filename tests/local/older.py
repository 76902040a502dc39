"""Stores as older versions left them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

_SINCE = {
    2: ("measurements",),
    3: ("holdings", "deserved", "measured", "subjects", "places", "usage", "summed"),
    4: ("audit", "configured"),
    5: ("tasks",),
    6: ("queue_shares", "queue_waits"),
}
"""Tables that a store of this version does not have yet, and the next one has."""
_TASKS_IN_RECORDS = """
    UPDATE workloads SET record = CAST(json_set(CAST(record AS TEXT), '$.tasks', (
      SELECT json_group_array(json(CAST(record AS TEXT))) FROM
        (SELECT record FROM tasks WHERE workload = id ORDER BY task))) AS BLOB)
    WHERE id IN (SELECT workload FROM tasks);
"""


def made_older(store: Path, version: int) -> None:
    """Make of a store one of an older version, with what that knew."""
    gone = [table for since, tables in _SINCE.items() if since >= version for table in tables]
    steps = [_TASKS_IN_RECORDS, *(f"DROP TABLE {table};" for table in gone), f"PRAGMA user_version = {version};"]
    if version < 2:
        steps.append("DROP INDEX transitions_by_workload;")
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.executescript("".join(steps))
