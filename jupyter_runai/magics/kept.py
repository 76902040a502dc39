"""What a cell with `--keep` leaves behind for the next cell of its name, from the notebook's side."""

from __future__ import annotations

import secrets
import shutil
import sys
import time
from collections.abc import Callable, Collection, Mapping
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from msgspec.structs import replace

from jupyter_runai.client import Client
from jupyter_runai.functions.fingerprint import fingerprint
from jupyter_runai.magics.kept_connection import Connection, Told
from jupyter_runai.magics.values import Cell
from jupyter_runai.running.displays import display_file
from jupyter_runai.submission.specification import Asked
from jupyter_runai.verbs.option_types import AUTO
from jupyter_runai.verbs.options import with_amount
from jupyter_runai.words.figures import asked, asked_for, elapsed
from scheduler_core.errors import Conflict, InvalidRequest, NotFound, RunaiError
from scheduler_core.model import TaskRequest
from scheduler_core.workload import PRIORITIES, Activity, Workload

_TICK_S = 0.25
_KEPT_TICK_S = 0.05


class Keeping(Protocol):
    """What the line of a cell says of keeping."""

    @property
    def name(self) -> str | None: ...
    @property
    def keep(self) -> float | None: ...
    @property
    def workers(self) -> int | None: ...
    @property
    def elastic(self) -> tuple[int, int] | None: ...
    @property
    def retries(self) -> int: ...
    @property
    def detach(self) -> bool: ...


def check_keep(options: Keeping) -> None:
    """Refuse what does not go with `--keep`.

    Raises:
        InvalidRequest: it has no name, or something is asked for that cannot be kept.
    """
    if options.keep is None:
        return
    if options.name is None:
        hint = "Try: --name digits --keep 10m"
        raise InvalidRequest("--keep needs --name: the next cell of that name goes on there.", hint)
    for word in ("workers", "elastic", "retries", "detach"):
        if getattr(options, word):
            raise InvalidRequest(f"--{word}: not allowed with argument --keep.")


class KeptProcess:
    """A workload that waits for the next cell of its name.

    On this host its process goes on, and has the variables `names`; in a pod a fresh one runs each cell.
    """

    def __init__(self, workload: Workload, results: Path, connection: Connection, last: Told) -> None:
        self.workload = workload
        self.connection = connection
        self.names: Collection[str] = last.names
        self.end = last.end
        displays = Path(display_file(str(results)))
        self.shown = displays.stat().st_size if displays.exists() else 0
        self._results = results
        self._is_elsewhere = last.files

    def hand_over(
        self,
        client: Client,
        values: Mapping[str, Any],
        sent: SentValues,
        write: Callable[[Path, Mapping[str, Any]], None],
    ) -> None:
        """Let it run the cell that `write` puts into a folder with those values that have to be in it.

        Raises:
            Conflict: it has just ended.
        """
        try:
            if self._is_elsewhere:
                with TemporaryDirectory(prefix="runai-inputs-") as inputs:
                    write(Path(inputs), values)
                    self.connection.send(Path(inputs))
                client.tell_activity(self.workload.id, Activity(executing=True, since=time.time()))
                return
            folder = self._results / f".next-{secrets.token_hex(8)}"
            folder.mkdir(mode=0o700)
            try:
                write(folder, sent.changed(self.workload, values))
                self.connection.order(folder.name)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        except (BrokenPipeError, ConnectionResetError):
            raise Conflict(f"{self.workload.name} has just ended.", "Run the cell again.") from None


def kept_process(client: Client, options: Asked) -> KeptProcess | None:
    """The one that is kept under the name of a cell, once the cell before it has ended; null for none.

    Raises:
        InvalidRequest: the cell asks for something else than it has.
    """
    if options.name is None:
        return None
    try:
        workload = client.find(options.name)
    except (NotFound, Conflict):
        return None
    if workload.state != "running" or workload.is_leaving:
        return None
    try:
        connection = Connection(client, workload.id)
        first = connection.told(_TICK_S)
    except (OSError, Conflict):
        return None
    _check_same(options, workload)
    last = first or _once_free(connection, workload)
    return None if last is None else KeptProcess(workload, client.results(workload.id), connection, last)


def _once_free(connection: Connection, workload: Workload) -> Told | None:
    """What it says when it is free for the next cell; null when it ends instead."""
    last = None
    try:
        print(f"{workload.name} runs another cell; this one is next.", file=sys.stderr)
        while last is None:
            last = connection.told(_TICK_S)
    except ConnectionError:
        return None
    return last


def _check_same(options: Asked, workload: Workload) -> None:
    if options.gpu == AUTO:
        options = replace(options, gpu=None)
    wanted = with_amount(TaskRequest(), options)
    hint = f"Leave it out, or end what is kept: %runai stop {workload.name}"
    if (options.gpu or options.gpu_memory) and asked_for(wanted, 1) != asked(workload):
        raise InvalidRequest(
            f"{workload.name} is kept with {asked(workload)}, and this cell asks for {asked_for(wanted, 1)}.", hint
        )
    others = {
        "project": options.project not in (None, workload.queue),
        "priority": options.priority is not None and PRIORITIES[options.priority] != workload.priority,
        "workers": options.workers not in (None, workload.tasks),
        "elastic": options.elastic is not None,
        "retries": options.retries > 0,
        "max-time": options.max_time is not None,
    }
    for word, differs in others.items():
        if differs:
            raise InvalidRequest(f"{workload.name} is kept as it was submitted: --{word} cannot change there.", hint)
    if options.kind != workload.kind:
        raise InvalidRequest(f"{workload.name} is kept as {workload.kind}, not as {options.kind}.", hint)


class Stay:
    """How long a notebook stays with a cell: to the end of its workload, or in a kept process to its own end.

    A command, which is no cell, is stayed with to the end of its workload.
    """

    def __init__(self, cell: Cell | None, kept: KeptProcess | None) -> None:
        self.is_kept = cell is not None and cell.keep is not None
        self.start, self.shown = (0, 0) if kept is None else (kept.end, kept.shown)
        self.tick_s = _KEPT_TICK_S if self.is_kept else _TICK_S
        self._id = "" if cell is None else cell.id
        self._connection = None if kept is None else kept.connection
        self._began = None if kept is None else time.time()
        self._told: Told | None = None

    def is_over(self, client: Client, workload: Workload, received: int) -> bool:
        """Whether its process says that it has ended, and so much of the log is all of its output."""
        if not self.is_kept or workload.state != "running":
            return False
        try:
            if self._connection is None:
                self._connection = Connection(client, workload.id)
            while self._told is None and (told := self._connection.told(0)) is not None:
                if told.id == self._id:
                    self._told = told
            if self._told is None or received < self._told.end:
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


class SentValues:
    """What the kept process of each name has of one notebook's values, by digests."""

    def __init__(self) -> None:
        self._digests: dict[str, tuple[str, dict[str, str | None]]] = {}

    def changed(self, workload: Workload, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those that a process does not have as they are now."""
        has = self._of(workload)
        return {name: value for name, value in values.items() if has.get(name) is None or has[name] != _digest(value)}

    def note(self, workload: Workload, values: Mapping[str, Any]) -> None:
        """A process has these now."""
        digests = {name: _digest(value) for name, value in values.items()}
        self._digests[workload.name] = (workload.id, self._of(workload) | digests)

    def forget(self, workload: Workload) -> None:
        """Nobody knows what a process has."""
        self._digests.pop(workload.name, None)

    def _of(self, workload: Workload) -> dict[str, str | None]:
        workload_id, digests = self._digests.get(workload.name, ("", {}))
        return digests if workload_id == workload.id else {}


def _digest(value: Any) -> str | None:
    """Null for what has none: that counts as changed."""
    try:
        return fingerprint(value)
    except Exception:
        return None
