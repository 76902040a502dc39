"""Which pods are in the accounts already, and how far: so that none is counted twice by whoever comes after us."""

from __future__ import annotations

from collections.abc import Iterable
from sqlite3 import Connection
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from scheduler_core.accounting.holding import Holding

SCHEMA = """
    CREATE TABLE counted_pods(
      uid TEXT PRIMARY KEY, workload TEXT NOT NULL, stage TEXT NOT NULL, evicted INTEGER NOT NULL, held BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE looked(at INTEGER NOT NULL) STRICT;
    INSERT INTO looked(at) VALUES (0);
"""

Stage: TypeAlias = Literal["new", "waiting", "holding", "ended"]

_held = msgspec.json.Decoder(Holding)


class Counted(Struct, frozen=True, kw_only=True, gc=False):
    """A pod that waits, holds what `held` says, or has ended and is there; `evicted` ones count as such already."""

    uid: str
    workload: str
    stage: Stage
    held: Holding
    evicted: bool = False


def read(connection: Connection) -> tuple[dict[str, Counted], int]:
    """All by their uids, and when these were looked at last (milliseconds since the epoch; 0 is never)."""
    found = {
        uid: Counted(uid=uid, workload=workload, stage=stage, evicted=bool(evicted), held=_held.decode(held))
        for uid, workload, stage, evicted, held in connection.execute(
            "SELECT uid, workload, stage, evicted, held FROM counted_pods"
        )
    }
    (looked,) = connection.execute("SELECT at FROM looked").fetchone()
    return found, looked


def write(connection: Connection, changed: Iterable[Counted], gone: Iterable[str], looked: int) -> None:
    """Write down how far these are counted now; those that are `gone` need not be known any more."""
    connection.executemany(
        "INSERT OR REPLACE INTO counted_pods(uid, workload, stage, evicted, held) VALUES (?, ?, ?, ?, ?)",
        [(one.uid, one.workload, one.stage, int(one.evicted), msgspec.json.encode(one.held)) for one in changed],
    )
    connection.executemany("DELETE FROM counted_pods WHERE uid = ?", [(uid,) for uid in gone])
    connection.execute("UPDATE looked SET at = ?", (looked,))
