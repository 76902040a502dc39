"""The client for notebooks and scripts: every call blocks until it is answered."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from types import MappingProxyType

from msgspec.structs import replace

from jupyter_runai.client.aio import AsyncClient, TaskOutput, joined
from jupyter_runai.client.chosen import engine_name
from jupyter_runai.client.runtime import runtime
from scheduler_core.accounting.past import QueueHistory
from scheduler_core.accounting.usage import Usage, UsageBy, UsageStep
from scheduler_core.audit import EVERYTHING, AuditEntry, AuditQuery
from scheduler_core.engine import Ends, Engine
from scheduler_core.local import ENGINE_DIRECTORY_VARIABLE
from scheduler_core.model import TaskRequest, Verdict
from scheduler_core.policies.clauses import PolicyCheck, PolicyClauses
from scheduler_core.policies.templates import Catalog
from scheduler_core.workload import (
    DEFAULT_QUEUE,
    Activity,
    Device,
    EngineInfo,
    Explanation,
    Kind,
    Measurement,
    QueueStatus,
    Resized,
    Scale,
    Step,
    TaskStatus,
    Workload,
    WorkloadSpec,
)


def shared_client() -> Client:
    """The client of this process, on the engine that this user has chosen and that it is pointed to now."""
    return _client_of(engine_name(), os.environ.get(ENGINE_DIRECTORY_VARIABLE))


@cache
def _client_of(*_: str | None) -> Client:
    client = Client()
    atexit.register(client.close)
    return client


class Client:
    """The calls of `AsyncClient` and its engine, for code without an event loop. Safe to use from any thread."""

    def __init__(self, engine: Engine | None = None) -> None:
        self._client = AsyncClient(engine)
        self._engine = self._client.engine
        self._runtime = runtime()

    @property
    def asynchronous(self) -> AsyncClient:
        """The same, for what runs on the runtime's event loop."""
        return self._client

    def info(self) -> EngineInfo:
        return self._runtime.run(self._engine.info())

    def preview(self, spec: WorkloadSpec) -> Verdict:
        return self._runtime.run(self._engine.preview(spec))

    def staging(self) -> AbstractContextManager[Path]:
        """A private folder for inputs, gone at exit unless `submit` took it over."""
        return self._engine.staging()

    def submit(self, spec: WorkloadSpec, inputs: Path | None = None) -> Workload:
        """Store a workload; from when this returns it is not lost, whatever dies."""
        return self._runtime.run(self._client.submit(spec, inputs))

    def list(self, deleted: bool = False) -> tuple[Workload, ...]:
        return self._runtime.run(self._engine.list(deleted))

    def find(self, reference: str) -> Workload:
        """The workload of this id or name."""
        return self._runtime.run(self._client.find(reference))

    def get(self, workload_id: str) -> Workload:
        return self._runtime.run(self._engine.get(workload_id))

    def changes(self, workload_id: str, tick_s: float | None = None) -> Iterator[Workload | None]:
        """The workload as it is, and at each change until it has ended; null after `tick_s` seconds without one."""
        return self._runtime.iterate(self._client.changes(workload_id), tick_s)

    def settled(self, workload_id: str) -> Future[Workload]:
        """The workload once it has ended, or once it is known that it never starts; cancelling ends the waiting."""
        return self._runtime.spawn(self._client.settled(workload_id))

    def follow(self, workload_id: str, tick_s: float | None = None) -> Iterator[Workload | bytes | None]:
        """The workload at each change and its output as it comes; null after `tick_s` seconds without either."""
        return self._runtime.iterate(self._client.follow(workload_id), tick_s)

    def follow_tasks(
        self,
        workload_id: str,
        tasks: Iterable[int],
        tick_s: float | None = None,
        offsets: Mapping[int, int] = MappingProxyType({}),
    ) -> Iterator[Workload | TaskOutput | None]:
        """As `follow`, with the output of each of these tasks, from this byte of it on, as (index, bytes)."""
        return self._runtime.iterate(self._client.follow_tasks(workload_id, tasks, offsets), tick_s)

    def tasks(self, workload_id: str) -> tuple[TaskStatus, ...]:
        return self._runtime.run(self._engine.tasks(workload_id))

    def logs(self, workload_id: str, task: int = 0) -> Iterator[bytes]:
        """A task's output so far; a line says where some is not kept any more."""
        offset = 0
        for piece in self._runtime.iterate(self._engine.logs(workload_id, task=task)):
            if piece is not None:
                yield joined(piece, offset)
                offset = piece.offset + len(piece.data)

    def measurements(self, workload_id: str, step: Step = "minute", since: float = 0.0) -> tuple[Measurement, ...]:
        """What a workload used, oldest first."""
        return self._runtime.run(self._engine.measurements(workload_id, step, since))

    def results(self, workload_id: str, task: int = 0) -> Path:
        return self._runtime.run(self._engine.results(workload_id, task))

    def dial(self, workload_id: str, socket: str) -> Ends:
        """A connection to what listens there; its ends belong to the runtime's event loop."""
        return self._runtime.run(self._engine.dial(workload_id, socket))

    def tell_activity(self, workload_id: str, activity: Activity) -> None:
        """Say, beside what else is done, what a process in a pod cannot say itself."""
        self._runtime.spawn(self._engine.tell_activity(workload_id, activity))

    def all_results(self, workload: Workload) -> Sequence[Path]:
        """The folder of each task's results, in their order."""
        return self._runtime.run(self._client.results(workload))

    def suspend(self, workload_id: str) -> Workload:
        return self._runtime.run(self._engine.suspend(workload_id))

    def resume(self, workload_id: str) -> Workload:
        return self._runtime.run(self._engine.resume(workload_id))

    def snooze(self, workload_id: str) -> Workload:
        """Put off, once, what a rule is to do about a workload that makes no use of its devices."""
        return self._runtime.run(self._engine.snooze(workload_id))

    def resize(self, workload_id: str, request: TaskRequest) -> Resized:
        """Change what a workload asks for: now where that is possible, else from its next start on."""
        return self._runtime.run(self._engine.resize(workload_id, request))

    def scale(self, workload_id: str, scale: Scale) -> Resized:
        """Change how many tasks a workload has: now where that is possible, else from its next start on."""
        return self._runtime.run(self._engine.scale(workload_id, scale))

    def stop(self, workload_id: str) -> Workload:
        return self._runtime.run(self._engine.stop(workload_id))

    def delete(self, workload_id: str, purge: bool = False) -> None:
        """Delete an ended workload; without `purge` it can be had back for a while."""
        self._runtime.run(self._engine.delete(workload_id, purge))

    def restore(self, workload_id: str) -> Workload:
        return self._runtime.run(self._engine.restore(workload_id))

    def specification(self, workload_id: str) -> WorkloadSpec:
        """What was submitted, as it was changed since."""
        return self._runtime.run(self._engine.specification(workload_id))

    def explain(self, workload_id: str, remedies: bool = False) -> Explanation:
        """Why a workload is where it is; `remedies`, asked for, are what would let it start."""
        return self._runtime.run(self._engine.explain(workload_id, remedies))

    def queues(self) -> tuple[QueueStatus, ...]:
        return self._runtime.run(self._engine.queues())

    def devices(self) -> tuple[Device, ...]:
        return self._runtime.run(self._engine.devices())

    def usage(
        self, by: UsageBy = "project", since: float = 0.0, until: float | None = None, step: UsageStep = "all"
    ) -> Usage:
        """Who used what in [since, until), in seconds since the epoch; without `until` up to now."""
        return self._runtime.run(self._engine.usage(by, since, until, step))

    def queue_history(self, since: float = 0.0, until: float | None = None, step: UsageStep = "all") -> QueueHistory:
        """What queues deserved, got and held in [since, until), and why work waited in them; times as of `usage`."""
        return self._runtime.run(self._engine.queue_history(since, until, step))

    def policy(self, project: str = DEFAULT_QUEUE, kind: Kind = "training") -> PolicyClauses:
        """What holds for work of this kind in a project, and who says so."""
        return self._runtime.run(self._engine.policy(project, kind))

    def check_policies(self, text: str) -> PolicyCheck:
        """Whom a file of policies with this text would hit now."""
        return self._runtime.run(self._engine.check_policies(text))

    def catalog(self) -> Catalog:
        """The templates and environments that the engine offers."""
        return self._runtime.run(self._engine.catalog())

    def audit(self, query: AuditQuery = EVERYTHING) -> Iterator[AuditEntry]:
        """Who did what and when: all that is asked for, a page at a time."""
        while True:
            page = self._runtime.run(self._engine.audit(query))
            yield from page.entries
            if page.next is None:
                return
            query = replace(query, after=page.next)

    def simulate(self, devices: str | None) -> EngineInfo:
        """Use simulated devices such as `2xA100-80GB`, or with null the machine's own."""
        return self._runtime.run(self._engine.simulate(devices))

    def close(self) -> None:
        self._runtime.run(self._engine.close())
