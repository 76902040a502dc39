"""The tasks of workloads that have several, one row each: what happens to one of thousands writes one row."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection

import msgspec
from msgspec.structs import replace

from scheduler_core.local.record.records import Record, TaskRecord

SCHEMA = """
    CREATE TABLE tasks(
      workload TEXT NOT NULL, task INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY (workload, task)
    ) STRICT, WITHOUT ROWID;
"""

_task = msgspec.json.Decoder(TaskRecord)


class TaskRows:
    """Writes the rows of one store. `committed` or `rolled_back` says what became of what was written since."""

    def __init__(self) -> None:
        self._stored: dict[str, tuple[TaskRecord, ...]] = {}
        self._written: dict[str, tuple[TaskRecord, ...] | None] = {}

    def write(self, connection: Connection, record: Record) -> Record:
        """Write the tasks that are others than before; the record without those that have rows.

        A task that is alone has none.
        """
        workload = record.workload.id
        tasks = record.tasks if len(record.tasks) > 1 else ()
        before = self._before(workload)
        if before is None or len(before) > len(tasks):
            kept = 0 if before is None else len(tasks)
            connection.execute("DELETE FROM tasks WHERE workload = ? AND task >= ?", (workload, kept))
        connection.executemany(
            "INSERT OR REPLACE INTO tasks(workload, task, record) VALUES (?, ?, ?)",
            [(workload, index, msgspec.json.encode(tasks[index])) for index in _others(before or (), tasks)],
        )
        self._written[workload] = None if record.workload.has_ended else tasks
        return replace(record, tasks=()) if tasks else record

    def remove(self, connection: Connection, workload: str) -> None:
        connection.execute("DELETE FROM tasks WHERE workload = ?", (workload,))
        self._written[workload] = None

    def found(self, connection: Connection, record: Record) -> Record:
        """A record that lies in the store, with its tasks."""
        whole = with_tasks(connection, record)
        if not (record.tasks or record.workload.has_ended):
            self._stored[record.workload.id] = whole.tasks
        return whole

    def committed(self) -> None:
        for workload, tasks in self._written.items():
            if tasks is None:
                self._stored.pop(workload, None)
            else:
                self._stored[workload] = tasks
        self._written.clear()

    def rolled_back(self) -> None:
        self._written.clear()

    def _before(self, workload: str) -> tuple[TaskRecord, ...] | None:
        """Its tasks that have rows; null where that is not known, as of what has ended."""
        return self._written[workload] if workload in self._written else self._stored.get(workload)


def with_tasks(connection: Connection, record: Record) -> Record:
    """A record as it was given to `TaskRows.write`."""
    if record.tasks:
        return record
    rows = connection.execute("SELECT record FROM tasks WHERE workload = ? ORDER BY task", (record.workload.id,))
    return replace(record, tasks=tuple(_task.decode(content) for (content,) in rows))


def _others(before: Sequence[TaskRecord], tasks: Sequence[TaskRecord]) -> list[int]:
    """Where tasks differ; what did not change is the same object."""
    return [index for index, task in enumerate(tasks) if index >= len(before) or before[index] is not task]
