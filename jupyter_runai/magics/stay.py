"""How long a notebook stays with a cell."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from math import ceil

from msgspec.structs import replace

from jupyter_runai.client import Client
from jupyter_runai.magics.kept import KeptProcess
from jupyter_runai.magics.kept_connection import Connection, Told
from jupyter_runai.magics.values import Cell
from jupyter_runai.words.figures import elapsed
from scheduler_core.errors import RunaiError
from scheduler_core.workload import Activity, TaskStatus, Workload

_TICK_S = 0.25
_KEPT_TICK_S = 0.05


class Stay:
    """How long a notebook stays with a cell: to the end of its workload, or in a kept process to its own end.

    A command, which is no cell, is stayed with to the end of its workload.
    """

    def __init__(self, cell: Cell | None, kept: KeptProcess | None) -> None:
        self.is_kept = cell is not None and cell.keep is not None
        self.starts: Mapping[int, int] = {} if kept is None else dict(enumerate(kept.ends))
        """Where the cell's part of each task's output begins."""
        self.shown = 0 if kept is None else kept.shown
        self.tick_s = _KEPT_TICK_S if self.is_kept else _TICK_S
        self._id = "" if cell is None else cell.id
        self._connection = None if kept is None else kept.connection
        self._began = None if kept is None else time.time()
        self._told: Told | None = None

    def is_over(self, client: Client, workload: Workload, received: Sequence[int]) -> bool:
        """Whether its process says that it has ended, and so much of each task's log is all of its output."""
        if not self.is_kept or workload.state != "running":
            return False
        try:
            if self._connection is None:
                self._connection = Connection(client, workload.id)
            while self._told is None and (told := self._connection.told(0)) is not None:
                if told.id == self._id:
                    self._told = told
            if self._told is None or any(length < end for length, end in zip(received, self._told.ends, strict=False)):
                return False
            if self._told.files:
                names = [result.name for result in self._told.report.results]
                self._connection.bring(names, client.results(workload.id))
                now = time.time()
                kept = Activity(executing=False, since=now, kept_until=now + self._told.seconds)
                client.tell_activity(workload.id, kept)
            return True
        except (OSError, RunaiError):
            # It does not listen yet, or has ended: then the engine says how.
            self.close()
            self._connection = None
            return False

    def seen(self, workload: Workload) -> Workload:
        """The workload as this cell alone: since when it runs, and how it ended."""
        if workload.has_ended:
            return workload
        started = workload.started if self._began is None else self._began
        if self._told is None:
            return replace(workload, started=started)
        state = "completed" if self._told.report.error is None else "failed"
        return replace(workload, state=state, started=started, ended=time.time(), report=self._told.report)

    def tasks(self, client: Client, workload: Workload) -> Sequence[TaskStatus]:
        """What is known of the tasks of one that failed."""
        told = self._told
        if told is None:
            return client.tasks(workload.id) if workload.tasks > 1 else ()
        return () if told.failed is None else (TaskStatus(index=told.failed, state="failed", report=told.report),)

    @property
    def kept_until(self) -> float | None:
        """When what it leaves is kept no longer, in seconds since the epoch; null where nothing is."""
        return None if self._told is None else time.time() + self._told.seconds

    @property
    def note(self) -> str:
        return "" if self._told is None else f"kept for {elapsed(ceil(self._told.seconds))}"

    @property
    def has_lost_values(self) -> bool:
        """Whether its process could not load what travelled."""
        error = None if self._told is None else self._told.report.error
        return error is not None and error.type == "ValueLost"

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
