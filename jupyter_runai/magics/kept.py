"""What a cell with `--keep` leaves behind for the next cell of its name, from the notebook's side."""

from __future__ import annotations

import secrets
import shutil
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jupyter_runai.client import Client
from jupyter_runai.magics.keeping import check_same, other_size
from jupyter_runai.magics.kept_connection import Connection, Told
from jupyter_runai.magics.sent_values import SentValues
from jupyter_runai.running.displays import display_file
from jupyter_runai.submission.specification import Asked
from jupyter_runai.submission.travelling import in_fresh_interpreter
from scheduler_core.errors import Conflict, NotFound
from scheduler_core.workload import Activity, Workload

_TICK_S = 0.25


class KeptProcess:
    """A workload that waits for the next cell of its name.

    Where it is of one task of this host its process goes on, and has the variables `names`; elsewhere each task runs
    each cell in a fresh one.
    """

    def __init__(self, workload: Workload, results: Path, connection: Connection, last: Told) -> None:
        self.workload = workload
        self.connection = connection
        self.names: Collection[str] = last.names
        self.ends = last.ends
        displays = Path(display_file(str(results)))
        self.shown = displays.stat().st_size if displays.exists() else 0
        self._results = results
        self._last = last

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
            if self._last.files:
                with TemporaryDirectory(prefix="runai-inputs-") as inputs:
                    write(Path(inputs), values)
                    self.connection.send(Path(inputs))
                client.tell_activity(self.workload.id, Activity(executing=True, since=time.time()))
                return
            folder = self._results / f".next-{secrets.token_hex(8)}"
            folder.mkdir(mode=0o700)
            try:
                write(folder, values if self._last.fresh else sent.changed(self.workload, values))
                self.connection.order(folder.name, in_fresh_interpreter(folder) if self._last.fresh else None)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        except (BrokenPipeError, ConnectionResetError):
            raise Conflict(f"{self.workload.name} has just ended.", "Run the cell again.") from None


def kept_process(client: Client, options: Asked, sent: SentValues) -> KeptProcess | None:
    """The one that is kept under the name of a cell, once the cell before it has ended; null for none.

    One that keeps other devices or tasks than the cell asks for is ended, unless variables would go with it.

    Raises:
        InvalidRequest: the cell asks for something else than it has.
    """
    if options.name is None:
        return None
    try:
        workload = client.find(options.name)
    except (NotFound, Conflict):
        return None
    kept_until = sent.kept_until(workload)
    if workload.state != "running" or workload.is_leaving:
        if workload.state in ("completed", "failed") and time.time() < kept_until:
            reason = f" ({workload.reason})" if workload.reason else ""
            print(f"What {workload.name} kept is gone before its time{reason}: it starts anew.", file=sys.stderr)
        return None
    try:
        connection = Connection(client, workload.id)
        first = connection.told(_TICK_S)
    except (OSError, Conflict):
        return None
    check_same(options, workload)
    differs = other_size(options, workload)
    if differs is not None:
        if first is None or not first.fresh:
            raise differs
        connection.close()
        print(f"{differs.message} It starts anew.", file=sys.stderr)
        _end(client, workload)
        return None
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


def _end(client: Client, workload: Workload) -> None:
    """End what is kept, and wait until its devices are free."""
    client.stop(workload.id)
    for known in client.changes(workload.id):
        if known is not None and known.has_ended:
            return
