"""The durable record of every workload: SQLite in WAL mode with one writer thread.

Writes that are waiting at the same moment share one transaction and one sync to disk, and each caller goes on only
when its own write is durable.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

import msgspec
from msgspec import Struct

from scheduler_core.accounting.holding import Entry
from scheduler_core.accounts import queue_log, usage_log, usage_sums
from scheduler_core.audit import AuditEntry
from scheduler_core.errors import EngineDefect, EngineUnavailable, NotFound, StorageFull
from scheduler_core.local.durable import audit_log, task_rows
from scheduler_core.local.durable.task_rows import TaskRows, with_tasks
from scheduler_core.local.record.records import Record, decode_record
from scheduler_core.workload import Measurement

_log = logging.getLogger(__name__)
_MIGRATIONS = (
    """
    CREATE TABLE workloads(
      id TEXT PRIMARY KEY, key TEXT UNIQUE, created REAL NOT NULL, record BLOB NOT NULL
    ) STRICT;
    CREATE TABLE transitions(
      seq INTEGER PRIMARY KEY AUTOINCREMENT, workload TEXT NOT NULL, at REAL NOT NULL, state TEXT NOT NULL
    ) STRICT;
    """,
    """
    DELETE FROM transitions WHERE workload NOT IN (SELECT id FROM workloads);
    CREATE INDEX transitions_by_workload ON transitions(workload);
    """,
    """
    CREATE TABLE measurements(
      workload TEXT NOT NULL, step INTEGER NOT NULL, at REAL NOT NULL, seconds REAL NOT NULL,
      gpu_utilization REAL, gpu_memory_mib REAL, gpu_memory_peak_mib REAL,
      cpu_cores REAL NOT NULL, memory_mib REAL NOT NULL, memory_peak_mib REAL NOT NULL,
      PRIMARY KEY (workload, step, at)
    ) STRICT, WITHOUT ROWID;
    """,
    usage_log.SCHEMA + usage_sums.SCHEMA,
    audit_log.SCHEMA,
    task_rows.SCHEMA,
    queue_log.SCHEMA,
)
"""Each brings a store one version on; a store's version is how many it has seen."""

_LARGEST_BATCH = 256
_MEASURED = tuple(Measurement.__struct_fields__)
_THIN = f"""
    INSERT OR REPLACE INTO measurements(workload, step, {", ".join(_MEASURED)})
    SELECT workload, 3600, CAST(at AS INTEGER) / 3600 * 3600 AS hour, SUM(seconds),
      SUM(gpu_utilization * seconds) / SUM(CASE WHEN gpu_utilization IS NULL THEN 0 ELSE seconds END),
      SUM(gpu_memory_mib * seconds) / SUM(CASE WHEN gpu_memory_mib IS NULL THEN 0 ELSE seconds END),
      MAX(gpu_memory_peak_mib), SUM(cpu_cores * seconds) / SUM(seconds),
      SUM(memory_mib * seconds) / SUM(seconds), MAX(memory_peak_mib)
    FROM measurements WHERE step = 60 AND at < ? GROUP BY workload, hour
"""  # noqa: S608 (the names are ours)


class _Put(Struct):
    record: Record
    transition_at: float | None
    held: Iterable[Entry]
    told: Iterable[AuditEntry]
    done: Future[None]


class _Remove(Struct):
    workload_id: str
    told: Iterable[AuditEntry]
    done: Future[None]


class _Measure(Struct):
    minutes: list[tuple[str, Measurement]]
    thin_before: float | None
    done: Future[None]


class _Account(Struct):
    change: Callable[[sqlite3.Connection], None]
    done: Future[None]


_Write: TypeAlias = _Put | _Remove | _Measure | _Account


class Store:
    """All workloads of one engine. `load` once at the start; writes are awaited until they are on disk.

    A file in which records or logs are damaged is moved aside, never deleted: `damaged` is then where it lies, and the
    store is empty until `restore` has filled it, whatever dies in between.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection, self.damaged = _open(path)
        # One of its own: the writer's shows what is not durable yet.
        self._reader = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
        self._unrestored = _unrestored(path)
        self._tasks = TaskRows()
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_forever, name="store", daemon=True)
        self._writer.start()

    def load(self) -> list[Record]:
        """Every record, oldest first."""
        rows = self._connection.execute("SELECT record FROM workloads ORDER BY created, id")
        return [self._tasks.found(self._connection, decode_record(record)) for (record,) in rows]

    def read(self, workload_id: str) -> Record:
        """The record of a workload that was put before.

        Raises:
            NotFound: it was removed meanwhile.
        """
        self._reader.execute("BEGIN")
        try:
            row = self._reader.execute("SELECT record FROM workloads WHERE id = ?", (workload_id,)).fetchone()
            if row is None:
                raise NotFound(f"There is no workload {workload_id!r}.", "See %runai list.")
            return with_tasks(self._reader, decode_record(row[0]))
        finally:
            self._reader.execute("COMMIT")

    def restore(self, records: Iterable[Record]) -> None:
        """Fill an empty store, before anything else is written."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for record in records:
                self._insert(record)
        self._tasks.committed()
        self._unrestored.unlink(missing_ok=True)

    async def put(
        self,
        record: Record,
        transition_at: float | None = None,
        held: Iterable[Entry] = (),
        told: Iterable[AuditEntry] = (),
    ) -> None:
        """Insert or replace a record; `transition_at` also notes its state as a transition at that time.

        `held` says what it holds from now on, where that is something else than before, `told` who has decided so.

        Raises:
            StorageFull: no space left; nothing was changed.
        """
        write = _Put(record, transition_at, held, told, _undone())
        self._writes.put(write)
        await asyncio.wrap_future(write.done)

    async def remove(self, workload_id: str, told: Iterable[AuditEntry] = ()) -> None:
        write = _Remove(workload_id, told, _undone())
        self._writes.put(write)
        await asyncio.wrap_future(write.done)

    async def measure(self, minutes: list[tuple[str, Measurement]], thin_before: float | None = None) -> None:
        """Add minutes of workloads; those of whole hours before `thin_before` become hours.

        Raises:
            StorageFull: no space left; nothing was changed.
        """
        write = _Measure(minutes, thin_before, _undone())
        self._writes.put(write)
        await asyncio.wrap_future(write.done)

    def measurements(self, workload_id: str) -> tuple[list[Measurement], list[Measurement]]:
        """(minutes, hours) of a workload, oldest first."""
        with closing(sqlite3.connect(f"file:{quote(str(self._path))}?mode=ro", uri=True)) as reader:
            rows = reader.execute(
                f"SELECT step, {', '.join(_MEASURED)} FROM measurements WHERE workload = ? ORDER BY at",  # noqa: S608
                (workload_id,),
            ).fetchall()
        found = [(step, Measurement(**dict(zip(_MEASURED, row, strict=True)))) for step, *row in rows]
        return [known for step, known in found if step == 60], [known for step, known in found if step == 3600]

    async def account(self, change: Callable[[sqlite3.Connection], None]) -> None:
        """Change what accounting keeps, in the writer's thread.

        Raises:
            StorageFull: no space left; nothing was changed.
        """
        await asyncio.wrap_future(self.account_later(change))

    def account_later(self, change: Callable[[sqlite3.Connection], None]) -> Future[None]:
        """The same; the change is made before the store closes at the latest."""
        write = _Account(change, _undone())
        self._writes.put(write)
        return write.done

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The store as it is at one moment, for whatever thread asks.

        Raises:
            EngineUnavailable: it cannot be read.
        """
        try:
            with closing(
                sqlite3.connect(f"file:{quote(str(self._path))}?mode=ro", uri=True, isolation_level=None)
            ) as reader:
                reader.execute("BEGIN")
                yield reader
        except sqlite3.Error as error:
            raise EngineUnavailable(f"The engine's store cannot be read: {error}.") from error

    def close(self) -> None:
        """Finish what is waiting, then close."""
        self._writes.put(None)
        self._writer.join()
        self._reader.close()
        self._connection.close()

    def _write_forever(self) -> None:
        while True:
            batch, ended = self._next_batch()
            if batch:
                self._write_batch(batch)
            if ended:
                return

    def _next_batch(self) -> tuple[list[_Write], bool]:
        batch: list[_Write] = []
        while not batch or (len(batch) < _LARGEST_BATCH and not self._writes.empty()):
            write = self._writes.get()
            if write is None:
                return batch, True
            batch.append(write)
        return batch, False

    def _write_batch(self, batch: list[_Write]) -> None:
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                for write in batch:
                    self._execute(write)
        # Whatever one of them has come upon, the others are still written.
        except Exception as error:
            self._tasks.rolled_back()
            if len(batch) == 1:
                batch[0].done.set_exception(_explained(error))
            else:
                for write in batch:
                    self._write_batch([write])
            return
        self._tasks.committed()
        for write in batch:
            write.done.set_result(None)

    def _insert(self, record: Record) -> None:
        workload, kept = record.workload, self._tasks.write(self._connection, record)
        self._connection.execute(
            "INSERT INTO workloads(id, key, created, record) VALUES (?, ?, ?, ?)"
            " ON CONFLICT(id) DO UPDATE SET record = excluded.record, key = excluded.key",
            (workload.id, record.spec.key, workload.created, msgspec.json.encode(kept)),
        )

    def _execute(self, write: _Write) -> None:
        if isinstance(write, _Measure):
            self._measure(write)
            return
        if isinstance(write, _Account):
            write.change(self._connection)
            return
        if isinstance(write, _Remove):
            self._connection.execute("DELETE FROM measurements WHERE workload = ?", (write.workload_id,))
            self._connection.execute("DELETE FROM workloads WHERE id = ?", (write.workload_id,))
            self._tasks.remove(self._connection, write.workload_id)
            self._connection.execute("DELETE FROM transitions WHERE workload = ?", (write.workload_id,))
            audit_log.append(self._connection, write.told)
            return
        workload = write.record.workload
        self._insert(write.record)
        if write.transition_at is not None:
            self._connection.execute(
                "INSERT INTO transitions(workload, at, state) VALUES (?, ?, ?)",
                (workload.id, write.transition_at, workload.state),
            )
        usage_log.append(self._connection, write.held)
        audit_log.append(self._connection, write.told)

    def _measure(self, write: _Measure) -> None:
        marks = ", ".join("?" * (len(_MEASURED) + 2))
        self._connection.executemany(
            f"INSERT OR REPLACE INTO measurements(workload, step, {', '.join(_MEASURED)}) VALUES ({marks})",  # noqa: S608
            [(name, 60, *(getattr(minute, field) for field in _MEASURED)) for name, minute in write.minutes],
        )
        if write.thin_before is not None:
            before = write.thin_before - write.thin_before % 3600
            self._connection.execute(_THIN, (before,))
            self._connection.execute("DELETE FROM measurements WHERE step = 60 AND at < ?", (before,))


def _open(path: Path) -> tuple[sqlite3.Connection, Path | None]:
    try:
        path.touch(mode=0o600)
        connection = _sound(path)
        if connection is None:
            _move_aside(path)
            path.touch(mode=0o600)
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        for number, migration in enumerate(_MIGRATIONS[version:], version + 1):
            connection.executescript(f"BEGIN; {migration} PRAGMA user_version = {number}; COMMIT;")
    except (sqlite3.Error, OSError) as error:
        raise EngineUnavailable(f"The engine's store {path} cannot be opened: {error}.") from error
    if version > len(_MIGRATIONS):
        connection.close()
        raise EngineUnavailable(
            f"The engine's store {path} was written by a newer jupyter-runai (schema {version}).",
            "Upgrade jupyter-runai in this environment.",
        )
    note = _unrestored(path)
    return connection, Path(note.read_text()) if note.exists() else None


def _sound(path: Path) -> sqlite3.Connection | None:
    """A connection to the file; null where SQLite finds it damaged."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        if all(
            connection.execute(f"PRAGMA quick_check({table})").fetchone() == ("ok",) for table in _checked(connection)
        ):
            return connection
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
    connection.close()
    return None


def _checked(connection: sqlite3.Connection) -> list[str]:
    """The tables without which there is no engine; those of years would take many seconds."""
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    of_years = (*usage_sums.TABLES, *audit_log.TABLES, *queue_log.TABLES)
    return [name for (name,) in tables if name not in of_years]


def _unrestored(path: Path) -> Path:
    """A note of where the damaged file lies, as long as the store has not been filled again."""
    return path.with_name(f"{path.name}.unrestored")


def _move_aside(path: Path) -> None:
    """Move the damaged file and what belongs to it, the note first."""
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    _unrestored(path).touch(mode=0o600)
    _unrestored(path).write_text(str(aside))
    for ending in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))


def _undone() -> Future[None]:
    """Of a write: it is made, be it that nobody waits for it any more."""
    done: Future[None] = Future()
    done.set_running_or_notify_cancel()
    return done


def _explained(error: Exception) -> Exception:
    if not isinstance(error, sqlite3.Error):
        _log.error("A change cannot be written down", exc_info=error)
        return EngineDefect(f"It could not be written down: {error!r}.")
    if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
        return StorageFull("The disk that holds the engine's store is full; nothing was submitted.", "Free some space.")
    return EngineUnavailable(f"The engine's store cannot be written: {error}.")
