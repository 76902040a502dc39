"""The file in which a controller keeps history: accounts, which pods are in them, and which logs there are.

It may lie on a volume that is a network file system: there SQLite's rollback journal is safe, and its WAL is not.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from scheduler_core.accounts import queue_log, usage_log, usage_sums
from scheduler_core.errors import EngineUnavailable, RunaiError, StorageFull
from scheduler_core.kubernetes.history import counted_pods, kept_logs

_MIGRATIONS = (usage_log.SCHEMA + usage_sums.SCHEMA + queue_log.SCHEMA + counted_pods.SCHEMA + kept_logs.SCHEMA,)
"""Each brings a store one version on; a store's version is how many it has seen."""
_WAITS_S = 60.0
"""For as long as a long answer is read nothing can be written."""


class HistoryStore:
    """One file; whoever opens it is alone with it.

    Raises:
        EngineUnavailable: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = threading.Lock()
        try:
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(path, _WAITS_S, isolation_level=None, check_same_thread=False)
            version: int = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version > len(_MIGRATIONS):
                raise EngineUnavailable(f"The history in {path} was written by a newer jupyter-runai.")
            for number, migration in enumerate(_MIGRATIONS[version:], version + 1):
                self._connection.executescript(f"BEGIN; {migration} PRAGMA user_version = {number}; COMMIT;")
        except (sqlite3.Error, OSError) as error:
            raise EngineUnavailable(f"The history in {path} cannot be opened: {error}.") from error

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The store as it is at one moment, for whatever thread asks.

        Raises:
            EngineUnavailable: it cannot be read.
        """
        try:
            with closing(
                sqlite3.connect(f"file:{quote(str(self._path))}?mode=ro", _WAITS_S, uri=True, isolation_level=None)
            ) as reader:
                reader.execute("BEGIN")
                yield reader
        except sqlite3.Error as error:
            raise EngineUnavailable(f"The history cannot be read: {error}.") from error

    async def account(self, change: Callable[[sqlite3.Connection], None]) -> None:
        """Make a change, whole or not at all; it is durable then.

        Raises:
            StorageFull: no space left; nothing was changed.
        """
        await asyncio.to_thread(self._write, change)

    def account_later(self, change: Callable[[sqlite3.Connection], None]) -> Future[None]:
        """The same, at once."""
        done: Future[None] = Future()
        try:
            self._write(change)
        except RunaiError as error:
            done.set_exception(error)
        else:
            done.set_result(None)
        return done

    def close(self) -> None:
        with self._writing:
            self._connection.close()

    def _write(self, change: Callable[[sqlite3.Connection], None]) -> None:
        try:
            with self._writing, self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                change(self._connection)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
                raise StorageFull("The volume that holds the history is full.", "Make it larger.") from error
            raise EngineUnavailable(f"The history cannot be written: {error}.") from error
