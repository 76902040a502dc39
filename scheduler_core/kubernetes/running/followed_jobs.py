"""The objects that make pods, followed: of each kind once a workload is run by one."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Generic, TypeVar

from scheduler_core.errors import InvalidRequest, NotFound
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.reflector import Reflector
from scheduler_core.kubernetes.api.resources import RUN_LABEL, WORKLOAD_LABEL
from scheduler_core.kubernetes.running.job_kinds import JOB_KINDS, JobKind
from scheduler_core.kubernetes.running.runs import RunJob, RunPod, read_job
from scheduler_core.workload import JobKindName

OF_RUNS = f"{WORKLOAD_LABEL},{RUN_LABEL}"
"""What is selected of all Jobs and pods of a cluster."""

Part = TypeVar("Part", RunJob, RunPod)


class Parts(Generic[Part]):
    """Jobs, or pods, of each workload; `add` is told whose have changed."""

    def __init__(self, add: Callable[[str], None]) -> None:
        self._add = add
        self._of: dict[str, dict[str, Part]] = defaultdict(dict)
        self._owners: dict[str, str] = {}

    def note(self, changes: Mapping[str, Part | None]) -> list[tuple[str, Part, Part | None]]:
        """Take up changes; the answer is what was there before: of which workload, what, and what is in its place."""
        left: list[tuple[str, Part, Part | None]] = []
        for key, found in changes.items():
            owner = self._owners.pop(key, None)
            if owner is not None:
                left.append((owner, self._of[owner].pop(key), found))
                self._add(owner)
                if not self._of[owner]:
                    del self._of[owner]
            if found is not None:
                owner = self._owners[key] = f"{key.partition('/')[0]}/{found.workload}"
                self._of[owner][key] = found
                self._add(owner)
        return left

    def of(self, workload: str) -> tuple[Part, ...]:
        return tuple(self._of.get(workload, {}).values())

    def by_run(self, workload: str) -> dict[int, Part]:
        return {part.run: part for part in self.of(workload)}


class Jobs:
    """Those of all kinds; `add` is told of which workload some have changed."""

    def __init__(self, connection: Connection, add: Callable[[str], None]) -> None:
        self._connection = connection
        self._add = add
        self._parts: dict[JobKindName, Parts[RunJob]] = {}
        self._wanted: asyncio.Queue[Reflector[RunJob]] = asyncio.Queue()
        self._knowing = asyncio.Lock()

    async def run(self) -> None:
        """Follow what is asked for, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task((await self._wanted.get()).run())

    async def know(self, name: JobKindName) -> bool:
        """Follow the objects of a kind, from now on; whether this cluster has it."""
        async with self._knowing:
            if name not in self._parts:
                if not await has_kind(self._connection, JOB_KINDS[name]):
                    return False
                parts: Parts[RunJob] = Parts(self._add)
                read = partial(read_job, kind=JOB_KINDS[name])
                reflector = Reflector(self._connection, JOB_KINDS[name].path(), read, parts.note, OF_RUNS)
                self._wanted.put_nowait(reflector)
                await reflector.synced.wait()
                self._parts[name] = parts
        return True

    async def by_run(self, name: JobKindName, workload: str) -> dict[int, RunJob]:
        """Those of a workload by the number of their run."""
        return self._parts[name].by_run(workload) if await self.know(name) else {}


async def has_kind(connection: Connection, kind: JobKind) -> bool:
    """Whether a cluster knows a kind, and what it needs, in the version that we write."""
    try:
        known = await connection.send("GET", kind.api)
    except NotFound:
        return False
    return {kind.plural, *kind.needs} <= {found["name"] for found in known["resources"]}


def not_there(name: JobKindName) -> InvalidRequest:
    """The refusal of a kind that a cluster does not have."""
    return InvalidRequest(f"This cluster has no {name}: its operator is not there.", "Leave --job-kind out.")
