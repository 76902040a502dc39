"""The port that every engine offers; clients know engines only through it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeAlias

from scheduler_core.accounting.past import QueueHistory
from scheduler_core.accounting.usage import MOST_GROUPS, Usage, UsageBy, UsageStep
from scheduler_core.audit import EVERYTHING, AuditPage, AuditQuery
from scheduler_core.model import TaskRequest, Verdict
from scheduler_core.policies.clauses import PolicyCheck, PolicyClauses
from scheduler_core.policies.templates import Catalog
from scheduler_core.workload import (
    DEFAULT_QUEUE,
    Activity,
    Device,
    EngineInfo,
    Event,
    Explanation,
    Kind,
    Measurement,
    Output,
    QueueStatus,
    Resized,
    Scale,
    Step,
    TaskStatus,
    Workload,
    WorkloadSpec,
)

Ends: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
"""Both directions of a connection."""


class Door(Protocol):
    """Ports that lead elsewhere as long as it is open."""

    def hang_up(self) -> None:
        """End the connections that there are: whoever has them connects anew."""
        ...

    def close(self) -> None: ...


class Engine(Protocol):
    """Submits, shows and ends workloads.

    Every method raises the errors of `scheduler_core.errors`: `EngineUnavailable` when nothing answers, `NotFound`
    for an unknown id, `InvalidRequest` for a bad value. A stream that breaks off raises `EngineUnavailable`.
    """

    async def info(self) -> EngineInfo: ...

    async def preview(self, spec: WorkloadSpec) -> Verdict:
        """The verdict the workload would get now; nothing is submitted.

        Its facts say in sentences what a policy has chosen (`policy`) and, where the engine knows, where it would be
        placed (`place`: nodes with the ids of devices) and whose work would go for it (`takes_from`: workloads with the
        action and the number of tasks).
        """
        ...

    def staging(self) -> AbstractContextManager[Path]:
        """A private folder for a workload's inputs, gone at exit unless `submit` took it over."""
        ...

    async def submit(self, spec: WorkloadSpec, inputs: Path | None = None) -> Workload:
        """Store a workload durably; `inputs`, a folder from `staging`, becomes its RUNAI_INPUTS.

        `NotAllowed` where its project is not theirs, or its policy does not allow it.
        """
        ...

    async def list(self, deleted: bool = False) -> tuple[Workload, ...]:
        """All workloads, oldest first, or those that are deleted and can be had back."""
        ...

    async def get(self, workload_id: str) -> Workload: ...

    def watch(self, since: tuple[str, int] | None = None) -> AsyncGenerator[Event, None]:
        """Events after `since` (epoch, seq) where the engine still has them, else from a full state on."""
        ...

    async def tasks(self, workload_id: str) -> tuple[TaskStatus, ...]: ...

    def logs(
        self, workload_id: str, offset: int = 0, follow: bool = False, task: int = 0
    ) -> AsyncGenerator[Output, None]:
        """A task's output from byte `offset`, as far as it is kept; `follow` goes on until the workload has ended.

        Below zero it is the whole lines of so many bytes before the end, or more.
        """
        ...

    async def measurements(
        self, workload_id: str, step: Step = "minute", since: float = 0.0
    ) -> tuple[Measurement, ...]:
        """What a workload used, oldest first: its last quarter of an hour by seconds, all of it by minutes or hours."""
        ...

    def follow_measurements(
        self, workload_id: str, step: Step = "minute", since: float = 0.0
    ) -> AsyncGenerator[tuple[Measurement, ...], None]:
        """The same at once, then what is measured further, until the workload has ended.

        A step that goes on comes again, with the same `at`.
        """
        ...

    async def results(self, workload_id: str, task: int = 0) -> Path:
        """The local folder in which a task's results lie; those of a gang share one."""
        ...

    async def dial(self, workload_id: str, socket: str, task: int = 0) -> Ends:
        """A connection to a task that runs and is talked to: it listens on the socket of this name in its results.

        In a pod that is the port RUNAI_DOOR of its loopback instead; one that does not listen yet ends without a word.
        Raises `OSError` where nobody listens, `Conflict` where it does not run.
        """
        ...

    async def tell_activity(self, workload_id: str, activity: Activity) -> None:
        """Write down what a workload in a pod does, as who talks to it knows; elsewhere it says so by itself."""
        ...

    async def forward(self, workload_id: str, host: str, ports: Mapping[int, int]) -> Door:
        """Let ports of this host lead to ports of a workload's first task, wherever that is then, until it is closed.

        `InvalidRequest` where it runs on this host anyway, `Conflict` for a port in use.
        """
        ...

    async def suspend(self, workload_id: str) -> Workload:
        """Free all that a workload holds and keep it: SIGTERM, its grace period, SIGKILL; `Conflict` once it has ended.

        Suspending a suspended one changes nothing; one that waits leaves the queue.
        """
        ...

    async def resume(self, workload_id: str) -> Workload:
        """Let a suspended workload wait for its devices again and start anew; `Conflict` once it has ended."""
        ...

    async def snooze(self, workload_id: str) -> Workload:
        """Put off, once, what a rule is to do about a workload that makes no use of its devices.

        `Conflict` where it is not warned of that, or was put off before.
        """
        ...

    async def resize(self, workload_id: str, request: TaskRequest) -> Resized:
        """Change what each task asks for, now where that is possible, else from its next start on.

        `Conflict` once it has ended.
        """
        ...

    async def scale(self, workload_id: str, scale: Scale) -> Resized:
        """Change how many tasks a workload has, now where that is possible, else from its next start on.

        `Conflict` once it has ended; `InvalidRequest` for a fewest of an array.
        """
        ...

    async def stop(self, workload_id: str) -> Workload:
        """End a workload for good: SIGTERM, its grace period, SIGKILL. Stopping an ended one changes nothing."""
        ...

    async def delete(self, workload_id: str, purge: bool = False) -> None:
        """Delete an ended workload; it can be had back for a while. `purge` removes it at once with all its files.

        `Conflict` while it has not ended.
        """
        ...

    async def restore(self, workload_id: str) -> Workload:
        """Bring a deleted workload back."""
        ...

    async def specification(self, workload_id: str) -> WorkloadSpec:
        """What was submitted, as it was changed since; of a workload that has ended without its environment."""
        ...

    async def explain(self, workload_id: str, remedies: bool = False) -> Explanation:
        """Why a workload is where it is; `remedies` are tried out and cost a plan each."""
        ...

    async def queues(self) -> tuple[QueueStatus, ...]: ...

    async def devices(self) -> tuple[Device, ...]: ...

    async def usage(
        self,
        by: UsageBy = "project",
        since: float = 0.0,
        until: float | None = None,
        step: UsageStep = "all",
        most: int = MOST_GROUPS,
    ) -> Usage:
        """Who used what in [since, until), in seconds since the epoch; without `until` up to now.

        The `most` groups that were allocated most come one by one, the others as one.
        `InvalidRequest` for an end before its beginning, and for more steps than anybody can look at.
        """
        ...

    async def queue_history(
        self, since: float = 0.0, until: float | None = None, step: UsageStep = "all"
    ) -> QueueHistory:
        """What queues deserved, got and held in [since, until), and why work waited in them; as `usage`."""
        ...

    async def policy(self, project: str = DEFAULT_QUEUE, kind: Kind = "training") -> PolicyClauses:
        """What holds for work of this kind in a project, and who says so."""
        ...

    async def check_policies(self, text: str) -> PolicyCheck:
        """Whom a file of policies with this text would hit now; `InvalidRequest`, with the line, where it cannot be."""
        ...

    async def catalog(self) -> Catalog:
        """The templates and environments that this engine offers."""
        ...

    async def audit(self, query: AuditQuery = EVERYTHING) -> AuditPage:
        """Who did what and when, as far as whoever asks may read it, oldest first unless asked otherwise."""
        ...

    async def simulate(self, devices: str | None) -> EngineInfo:
        """Use simulated devices such as `2xA100-80GB`, or null for the machine's own; `Conflict` while work runs."""
        ...

    async def close(self) -> None: ...
