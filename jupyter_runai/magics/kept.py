"""What a cell with `--keep` leaves behind for the next cell of its name, from the notebook's side."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable, Collection, Mapping
from math import ceil
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct, convert
from msgspec.structs import replace

from jupyter_runai.client import Client
from jupyter_runai.functions.fingerprint import fingerprint
from jupyter_runai.magics.values import Cell
from jupyter_runai.running.displays import display_file
from jupyter_runai.running.keeping import SOCKET
from jupyter_runai.submission.specification import Asked
from jupyter_runai.verbs.option_types import AUTO
from jupyter_runai.verbs.options import with_amount
from jupyter_runai.words.figures import asked, asked_for, elapsed
from scheduler_core.errors import Conflict, InvalidRequest, NotFound
from scheduler_core.model import TaskRequest
from scheduler_core.sockets import short_socket_path
from scheduler_core.workload import PRIORITIES, Report, Workload

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


class Told(Struct, frozen=True):
    """What a kept process says of the cell that it ran last; `seconds` is for how long it waits for the next."""

    id: str
    report: Report
    end: int
    names: list[str]
    seconds: float


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


class Connection:
    """A connection to a kept process.

    Raises:
        OSError: nothing is kept there, or not yet.
    """

    def __init__(self, results: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._heard = bytearray()
        with short_socket_path(results / SOCKET) as path:
            try:
                self._socket.connect(path)
            except OSError:
                self._socket.close()
                raise

    def told(self, wait_s: float) -> Told | None:
        """The next that it says; null where it says nothing in this time.

        Raises:
            ConnectionError: it has ended.
        """
        self._socket.settimeout(wait_s)
        while b"\n" not in self._heard:
            try:
                piece = self._socket.recv(1 << 20)
            except (TimeoutError, BlockingIOError):
                return None
            if not piece:
                raise ConnectionResetError
            self._heard += piece
        line, _, rest = bytes(self._heard).partition(b"\n")
        self._heard[:] = rest
        return convert(json.loads(line), Told)

    def order(self, folder: str) -> None:
        self._socket.settimeout(_TICK_S)
        self._socket.sendall(json.dumps({"folder": folder}).encode() + b"\n")

    def close(self) -> None:
        self._socket.close()


class KeptProcess:
    """A workload that waits for the next cell of its name."""

    def __init__(self, workload: Workload, results: Path, connection: Connection, last: Told) -> None:
        self.workload = workload
        self.connection = connection
        self.names: Collection[str] = last.names
        self.end = last.end
        displays = Path(display_file(str(results)))
        self.shown = displays.stat().st_size if displays.exists() else 0
        self._results = results

    def hand_over(self, write: Callable[[Path], None]) -> None:
        """Let it run the cell that `write` puts into a folder.

        Raises:
            Conflict: it has just ended.
        """
        folder = self._results / f".next-{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        try:
            write(folder)
            self.connection.order(folder.name)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, BrokenPipeError | ConnectionResetError):
                raise Conflict(f"{self.workload.name} has just ended.", "Run the cell again.") from None
            raise


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
    results = client.results(workload.id)
    try:
        connection = Connection(results)
    except OSError:
        return None
    _check_same(options, workload)
    last = _once_free(connection, workload)
    return None if last is None else KeptProcess(workload, results, connection, last)


def _once_free(connection: Connection, workload: Workload) -> Told | None:
    """What it says when it is free for the next cell; null when it ends instead."""
    try:
        last = connection.told(_TICK_S)
        if last is None:
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

    def is_over(self, results: Path, received: int) -> bool:
        """Whether its process says that it has ended, and so much of the log is all of its output."""
        if not self.is_kept:
            return False
        try:
            if self._connection is None:
                self._connection = Connection(results)
            while self._told is None and (told := self._connection.told(0)) is not None:
                if told.id == self._id:
                    self._told = told
        except OSError:
            # It does not listen yet, or has ended: then the engine says how.
            self._connection = None
        return self._told is not None and received >= self._told.end

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
