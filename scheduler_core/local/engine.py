"""The engine port on one machine: talks to the daemon over its Unix socket, and starts it where there is none."""

from __future__ import annotations

import asyncio
import errno
import math
import secrets
import shutil
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

import msgspec
from msgspec import structs

from scheduler_core.accounting.past import QueueHistory
from scheduler_core.accounting.usage import MOST_GROUPS, Usage, UsageBy, UsageStep
from scheduler_core.audit import EVERYTHING, AuditPage, AuditQuery
from scheduler_core.engine import Door, Ends
from scheduler_core.errors import InvalidRequest, StorageFull
from scheduler_core.local.client.asking import Daemon, gone
from scheduler_core.local.client.finding import OwnEngine, find_engine
from scheduler_core.local.wire.event_lines import events
from scheduler_core.local.wire.protocol import OFFSET_SIZE, PolicyText, Simulate, Submission
from scheduler_core.model import TaskRequest, Verdict
from scheduler_core.policies.clauses import PolicyCheck, PolicyClauses
from scheduler_core.policies.templates import Catalog
from scheduler_core.sockets import short_socket_path
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

_LONGEST_LINE = 16 * 1024 * 1024


class LocalEngine:
    """The engine of this host's users, or of this user. All methods belong to one event loop."""

    def __init__(self, directory: Path | None = None) -> None:
        self._found = find_engine() if directory is None else OwnEngine(directory)
        self._daemon = Daemon(self._found)

    async def info(self) -> EngineInfo:
        return await self._daemon.ask("GET", "info", EngineInfo)

    async def preview(self, spec: WorkloadSpec) -> Verdict:
        return await self._daemon.ask("POST", "preview", Verdict, spec)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A private folder on the engine's own disk, so that taking it over copies nothing.

        Raises:
            StorageFull: the disk filled up while inputs were written.
        """
        staging = self._found.staging()
        folder = staging / secrets.token_hex(8)
        try:
            folder.mkdir(mode=0o700, parents=True)
            yield folder
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(
                    f"The disk that holds {staging.parent} is full; nothing was submitted.", "Free some space."
                ) from error
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def submit(self, spec: WorkloadSpec, inputs: Path | None = None) -> Workload:
        staged = None if inputs is None else inputs.name
        submission = Submission(spec=spec, inputs=staged)
        return await self._daemon.ask("POST", "workloads", Workload, submission, repeatable=spec.key is not None)

    async def list(self, deleted: bool = False) -> tuple[Workload, ...]:
        return await self._daemon.ask("GET", f"workloads?deleted={int(deleted)}", tuple[Workload, ...])

    async def get(self, workload_id: str) -> Workload:
        return await self._daemon.ask("GET", f"workloads/{quote(workload_id, safe='')}", Workload)

    async def watch(self, since: tuple[str, int] | None = None) -> AsyncGenerator[Event, None]:
        query = "" if since is None else f"?since={since[0]}:{since[1]}"
        async with aclosing(self._daemon.stream(f"events{query}")) as messages, aclosing(events(messages)) as told:
            async for event in told:
                yield event

    async def tasks(self, workload_id: str) -> tuple[TaskStatus, ...]:
        return await self._daemon.ask("GET", f"workloads/{quote(workload_id, safe='')}/tasks", tuple[TaskStatus, ...])

    async def logs(
        self, workload_id: str, offset: int = 0, follow: bool = False, task: int = 0
    ) -> AsyncGenerator[Output, None]:
        path = f"workloads/{quote(workload_id, safe='')}/logs?offset={offset}&follow={int(follow)}&task={task}"
        async with aclosing(self._daemon.stream(path)) as messages:
            async for message in messages:
                piece = message if isinstance(message, bytes) else message.encode()
                yield Output(offset=int.from_bytes(piece[:OFFSET_SIZE]), data=piece[OFFSET_SIZE:])

    async def measurements(
        self, workload_id: str, step: Step = "minute", since: float = 0.0
    ) -> tuple[Measurement, ...]:
        path = f"workloads/{quote(workload_id, safe='')}/measurements?step={step}&since={int(since)}"
        return await self._daemon.ask("GET", path, tuple[Measurement, ...])

    async def follow_measurements(
        self, workload_id: str, step: Step = "minute", since: float = 0.0
    ) -> AsyncGenerator[tuple[Measurement, ...], None]:
        path = f"workloads/{quote(workload_id, safe='')}/measurements/stream?step={step}&since={int(since)}"
        async with aclosing(self._daemon.stream(path)) as messages:
            async for message in messages:
                yield msgspec.json.decode(message, type=tuple[Measurement, ...])

    async def results(self, workload_id: str, task: int = 0) -> Path:
        return Path(await self._daemon.ask("GET", f"workloads/{quote(workload_id, safe='')}/results?task={task}", str))

    async def dial(self, workload_id: str, socket: str, task: int = 0) -> Ends:
        with short_socket_path(await self.results(workload_id, task) / socket) as path:
            return await asyncio.open_unix_connection(path, limit=_LONGEST_LINE)

    async def tell_activity(self, workload_id: str, activity: Activity) -> None:
        """Its own process does."""

    async def forward(self, workload_id: str, host: str, ports: Mapping[int, int]) -> Door:
        """Nothing has to lead there."""
        raise InvalidRequest(f"{workload_id} runs on this host: its ports are reached as they are.")

    async def suspend(self, workload_id: str) -> Workload:
        return await self._daemon.ask("POST", f"workloads/{quote(workload_id, safe='')}/suspend", Workload)

    async def resume(self, workload_id: str) -> Workload:
        return await self._daemon.ask("POST", f"workloads/{quote(workload_id, safe='')}/resume", Workload)

    async def snooze(self, workload_id: str) -> Workload:
        return await self._daemon.ask(
            "POST", f"workloads/{quote(workload_id, safe='')}/snooze", Workload, repeatable=False
        )

    async def resize(self, workload_id: str, request: TaskRequest) -> Resized:
        return await self._daemon.ask("POST", f"workloads/{quote(workload_id, safe='')}/resize", Resized, request)

    async def scale(self, workload_id: str, scale: Scale) -> Resized:
        return await self._daemon.ask("POST", f"workloads/{quote(workload_id, safe='')}/scale", Resized, scale)

    async def stop(self, workload_id: str) -> Workload:
        return await self._daemon.ask("POST", f"workloads/{quote(workload_id, safe='')}/stop", Workload)

    async def delete(self, workload_id: str, purge: bool = False) -> None:
        await self._daemon.ask("DELETE", f"workloads/{quote(workload_id, safe='')}?purge={int(purge)}", type(None))

    async def restore(self, workload_id: str) -> Workload:
        return await self._daemon.ask("POST", f"workloads/{quote(workload_id, safe='')}/restore", Workload)

    async def specification(self, workload_id: str) -> WorkloadSpec:
        return await self._daemon.ask("GET", f"workloads/{quote(workload_id, safe='')}/specification", WorkloadSpec)

    async def explain(self, workload_id: str, remedies: bool = False) -> Explanation:
        path = f"workloads/{quote(workload_id, safe='')}/explain?remedies={int(remedies)}"
        return await self._daemon.ask("GET", path, Explanation)

    async def queues(self) -> tuple[QueueStatus, ...]:
        return await self._daemon.ask("GET", "queues", tuple[QueueStatus, ...])

    async def devices(self) -> tuple[Device, ...]:
        return await self._daemon.ask("GET", "devices", tuple[Device, ...])

    async def usage(
        self,
        by: UsageBy = "project",
        since: float = 0.0,
        until: float | None = None,
        step: UsageStep = "all",
        most: int = MOST_GROUPS,
    ) -> Usage:
        asked = f"by={quote(by)}&step={quote(step)}&most={most}&{_period(since, until)}"
        return await self._daemon.ask("GET", f"usage?{asked}", Usage)

    async def queue_history(
        self, since: float = 0.0, until: float | None = None, step: UsageStep = "all"
    ) -> QueueHistory:
        return await self._daemon.ask("GET", f"queues/history?step={quote(step)}&{_period(since, until)}", QueueHistory)

    async def policy(self, project: str = DEFAULT_QUEUE, kind: Kind = "training") -> PolicyClauses:
        return await self._daemon.ask("GET", f"policy?project={quote(project)}&kind={quote(kind)}", PolicyClauses)

    async def check_policies(self, text: str) -> PolicyCheck:
        return await self._daemon.ask("POST", "policy/check", PolicyCheck, PolicyText(text=text))

    async def catalog(self) -> Catalog:
        return await self._daemon.ask("GET", "catalog", Catalog)

    async def audit(self, query: AuditQuery = EVERYTHING) -> AuditPage:
        asked = {name: value for name, value in structs.asdict(query).items() if value != getattr(EVERYTHING, name)}
        return await self._daemon.ask("GET", f"audit?{urlencode(asked)}", AuditPage)

    async def simulate(self, devices: str | None) -> EngineInfo:
        before = await self._daemon.ask("POST", "simulate", EngineInfo, Simulate(devices=devices))
        await gone(before.pid)
        return await self.info()

    async def shutdown(self) -> None:
        """Ask the daemon to leave; running workloads go on. Returns when it has left."""
        await self._daemon.shut_down()

    async def close(self) -> None:
        self._daemon.close()


def _period(since: float, until: float | None) -> str:
    return f"since={_milliseconds(since)}" + ("" if until is None else f"&until={_milliseconds(until)}")


def _milliseconds(seconds: float) -> int:
    if not math.isfinite(seconds):
        raise InvalidRequest("A time is a number of seconds since 1970.")
    return max(0, round(seconds * 1000))
