"""The audit log of one engine: what its files say is noted, questions are answered, what is old goes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from sqlite3 import Connection

from scheduler_core.audit import ENGINE, AuditAction, AuditEntry, AuditPage, AuditQuery
from scheduler_core.errors import RunaiError
from scheduler_core.local.durable import audit_log
from scheduler_core.local.durable.audit_log import Reader
from scheduler_core.local.durable.store import Store
from scheduler_core.local.machine.accounts import owner_of

_log = logging.getLogger(__name__)
_FORGET_INTERVAL_S = 3600.0


class Auditing:
    """Entries are kept for `kept_days`; what is done to workloads is noted with their records."""

    def __init__(self, store: Store, kept_days: int) -> None:
        self._store = store
        self._kept_ms = kept_days * audit_log.DAY_MS
        self._noted: dict[Path, Mapping[str, object]] = {}

    async def note(self, file: Path, content: Mapping[str, object]) -> None:
        """Note what is in force of a file, where that is something else than what was noted last."""
        if content is self._noted.get(file):
            return
        owner, now = owner_of(file) or ENGINE, time.time()

        def note(connection: Connection) -> None:
            audit_log.configured(connection, file.name, content, now, owner)

        await self._store.account(note)
        self._noted[file] = content

    async def tell(self, action: AuditAction, user: str, detail: str = "") -> None:
        """Note what somebody does to the engine itself.

        Raises:
            StorageFull: no space left; nothing is noted.
        """
        entry = AuditEntry(seq=0, at=time.time(), user=user, action=action, detail=detail)
        await self._store.account(lambda connection: audit_log.append(connection, (entry,)))

    async def audit(self, query: AuditQuery, reader: Reader | None) -> AuditPage:
        """What is asked for, as far as this `reader` may read it; all where that is null."""
        return await asyncio.to_thread(self._read, query, reader)

    def _read(self, query: AuditQuery, reader: Reader | None) -> AuditPage:
        with self._store.reading() as connection:
            return audit_log.read(connection, query, reader)

    def _forget(self, connection: Connection) -> None:
        audit_log.cut_off(connection, round(time.time() * 1000) - self._kept_ms)

    async def run(self) -> None:
        """For ever let go of the days that are too old."""
        while True:
            try:
                await self._store.account(self._forget)
            except RunaiError as error:
                _log.warning("What is too old of the audit log cannot go yet: %s", error)
            await asyncio.sleep(_FORGET_INTERVAL_S)
