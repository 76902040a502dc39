"""What tasks have said whose pods are about to go, or gone: the end of it, as files beside a table of them."""

from __future__ import annotations

from collections.abc import Iterable
from sqlite3 import Connection

from msgspec import Struct
from msgspec.structs import astuple

SCHEMA = """
    CREATE TABLE kept_logs(
      pod TEXT PRIMARY KEY, namespace TEXT NOT NULL, workload TEXT NOT NULL, task INTEGER NOT NULL,
      run INTEGER NOT NULL, created REAL NOT NULL, first INTEGER NOT NULL, size INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX kept_logs_by_task ON kept_logs(namespace, workload, task);
"""


class KeptLog(Struct, frozen=True, kw_only=True):
    """`size` bytes of what a task said in the pod of this uid, from its byte `first` on.

    The pod was made at `created`, in seconds since the epoch.
    """

    pod: str
    namespace: str
    workload: str
    task: int
    run: int
    created: float
    first: int
    size: int


_NAMES = KeptLog.__struct_fields__
_SELECT = f"SELECT {', '.join(_NAMES)} FROM kept_logs"  # noqa: S608 (the names are ours)


def newest(connection: Connection, namespace: str, workload: str, task: int, since: float) -> KeptLog | None:
    """That of a task's last pod, of those that were made from `since` on."""
    row = connection.execute(
        f"{_SELECT} WHERE namespace = ? AND workload = ? AND task = ? AND created >= ?"
        " ORDER BY run DESC, created DESC LIMIT 1",
        (namespace, workload, task, since),
    ).fetchone()
    return None if row is None else _read(row)


def all_kept(connection: Connection) -> list[KeptLog]:
    """Every one, the oldest first."""
    return [_read(row) for row in connection.execute(f"{_SELECT} ORDER BY created")]


def add(connection: Connection, log: KeptLog) -> None:
    """Keep one more."""
    marks = ", ".join("?" * len(_NAMES))
    connection.execute(f"INSERT OR REPLACE INTO kept_logs({', '.join(_NAMES)}) VALUES ({marks})", astuple(log))  # noqa: S608


def remove(connection: Connection, pods: Iterable[str]) -> None:
    """Forget those of these pods."""
    connection.executemany("DELETE FROM kept_logs WHERE pod = ?", [(pod,) for pod in pods])


def _read(row: tuple[object, ...]) -> KeptLog:
    return KeptLog(**dict(zip(_NAMES, row, strict=True)))  # type: ignore[arg-type]
