"""What the KAI Scheduler says of our workloads, written where people look for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.errors import NotFound, RunaiError
from scheduler_core.kubernetes.api.connection import Connection, Json
from scheduler_core.kubernetes.api.reflector import Reflector
from scheduler_core.kubernetes.api.resources import WORKLOAD_LABEL
from scheduler_core.kubernetes.scheduling.kai import POD_GROUPS, verdict_of
from scheduler_core.kubernetes.scheduling.verdicts import write_verdict
from scheduler_core.model import Verdict

_log = logging.getLogger(__name__)


class _Owner(Struct, frozen=True):
    kind: str
    name: str


class _Meta(Struct, frozen=True, rename="camel"):
    namespace: str
    owner_references: tuple[_Owner, ...] = ()


class _Owned(Struct, frozen=True):
    metadata: _Meta


class Said(Struct, frozen=True, kw_only=True):
    """What KAI says of the Job of this name; `verdict` is null where that need not wait."""

    namespace: str
    job: str
    verdict: Verdict | None


def read_said(content: bytes) -> Said:
    """From the JSON of a PodGroup; without a `job` where it is of something else.

    Raises:
        msgspec.MsgspecError: it is no PodGroup.
    """
    meta = msgspec.json.decode(content, type=_Owned).metadata
    job = next((owner.name for owner in meta.owner_references if owner.kind == "Job"), "")
    return Said(namespace=meta.namespace, job=job, verdict=verdict_of(content, ""))


class KaiVerdicts:
    """Writes what KAI says of each workload's Job into the workload."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._news: dict[str, Said] = {}
        self._has_news = asyncio.Event()
        self._groups = Reflector(connection, f"{POD_GROUPS}/podgroups", read_said, self._changed)

    async def run(self) -> None:
        """Write, for ever.

        Raises:
            ExceptionGroup: PodGroups may not be read.
        """
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self._groups.run())
            parts.create_task(self._write())

    def _changed(self, changes: Mapping[str, Said | None]) -> None:
        self._news.update({key: said for key, said in changes.items() if said is not None and said.job})
        self._has_news.set()

    async def _write(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            while self._news:
                key = next(iter(self._news))
                try:
                    await self._tell(self._news.pop(key))
                except RunaiError as error:
                    _log.warning("What KAI says of %s could not be written down: %s", key, error)

    async def _tell(self, said: Said) -> None:
        with suppress(NotFound):
            job: Json = await self._connection.get(f"/apis/batch/v1/namespaces/{said.namespace}/jobs/{said.job}")
            name = job["metadata"].get("labels", {}).get(WORKLOAD_LABEL)
            if name is None:
                return
            verdict = said.verdict and replace(said.verdict, workload=name)
            await write_verdict(self._connection, f"{said.namespace}/{name}", verdict)
