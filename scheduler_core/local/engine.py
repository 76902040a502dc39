"""The engine port on one machine: talks to the daemon over its Unix socket, and starts it where there is none."""

from __future__ import annotations

import asyncio
import errno
import math
import secrets
import shutil
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import structs
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.netutil import Resolver
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, websocket_connect

from scheduler_core.accounting.past import QueueHistory
from scheduler_core.accounting.usage import MOST_GROUPS, Usage, UsageBy, UsageStep
from scheduler_core.audit import EVERYTHING, AuditPage, AuditQuery
from scheduler_core.errors import (
    EngineDefect,
    EngineUnavailable,
    ErrorRecord,
    InvalidRequest,
    NotFound,
    RunaiError,
    StorageFull,
    error_from_record,
)
from scheduler_core.local.finding import OwnEngine, find_engine
from scheduler_core.local.identity import Process, start_of
from scheduler_core.local.protocol import COMPLETE, OFFSET_SIZE, PROTOCOL, Endpoint, PolicyText, Simulate, Submission
from scheduler_core.local.runs import ended
from scheduler_core.model import TaskRequest, Verdict
from scheduler_core.policies.clauses import PolicyCheck, PolicyClauses
from scheduler_core.policies.templates import Catalog
from scheduler_core.sockets import short_socket_path
from scheduler_core.workload import (
    DEFAULT_QUEUE,
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

T = TypeVar("T")

_TIMEOUT_S = 60.0
_MOST_REQUESTS = 256
_LARGEST_ANSWER = 512 * 1024 * 1024
_LARGEST_MESSAGE = 64 * 1024 * 1024


class LocalEngine:
    """The engine of this host's users, or of this user. All methods belong to one event loop."""

    def __init__(self, directory: Path | None = None) -> None:
        self._found = find_engine() if directory is None else OwnEngine(directory)
        self._connecting = asyncio.Lock()
        self._connection: _Connection | None = None

    async def info(self) -> EngineInfo:
        return await self._ask("GET", "info", EngineInfo)

    async def preview(self, spec: WorkloadSpec) -> Verdict:
        return await self._ask("POST", "preview", Verdict, spec)

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
        return await self._ask("POST", "workloads", Workload, submission, repeatable=spec.key is not None)

    async def list(self, deleted: bool = False) -> tuple[Workload, ...]:
        return await self._ask("GET", f"workloads?deleted={int(deleted)}", tuple[Workload, ...])

    async def get(self, workload_id: str) -> Workload:
        return await self._ask("GET", f"workloads/{quote(workload_id, safe='')}", Workload)

    async def watch(self, since: tuple[str, int] | None = None) -> AsyncGenerator[Event, None]:
        query = "" if since is None else f"?since={since[0]}:{since[1]}"
        decoder = msgspec.json.Decoder(Event)
        async with aclosing(self._stream(f"events{query}")) as messages:
            async for message in messages:
                yield decoder.decode(message)

    async def tasks(self, workload_id: str) -> tuple[TaskStatus, ...]:
        return await self._ask("GET", f"workloads/{quote(workload_id, safe='')}/tasks", tuple[TaskStatus, ...])

    async def logs(
        self, workload_id: str, offset: int = 0, follow: bool = False, task: int = 0
    ) -> AsyncGenerator[Output, None]:
        path = f"workloads/{quote(workload_id, safe='')}/logs?offset={offset}&follow={int(follow)}&task={task}"
        async with aclosing(self._stream(path)) as messages:
            async for message in messages:
                piece = message if isinstance(message, bytes) else message.encode()
                yield Output(offset=int.from_bytes(piece[:OFFSET_SIZE]), data=piece[OFFSET_SIZE:])

    async def measurements(
        self, workload_id: str, step: Step = "minute", since: float = 0.0
    ) -> tuple[Measurement, ...]:
        path = f"workloads/{quote(workload_id, safe='')}/measurements?step={step}&since={int(since)}"
        return await self._ask("GET", path, tuple[Measurement, ...])

    async def results(self, workload_id: str, task: int = 0) -> Path:
        return Path(await self._ask("GET", f"workloads/{quote(workload_id, safe='')}/results?task={task}", str))

    async def suspend(self, workload_id: str) -> Workload:
        return await self._ask("POST", f"workloads/{quote(workload_id, safe='')}/suspend", Workload)

    async def resume(self, workload_id: str) -> Workload:
        return await self._ask("POST", f"workloads/{quote(workload_id, safe='')}/resume", Workload)

    async def snooze(self, workload_id: str) -> Workload:
        return await self._ask("POST", f"workloads/{quote(workload_id, safe='')}/snooze", Workload, repeatable=False)

    async def resize(self, workload_id: str, request: TaskRequest) -> Resized:
        return await self._ask("POST", f"workloads/{quote(workload_id, safe='')}/resize", Resized, request)

    async def scale(self, workload_id: str, scale: Scale) -> Resized:
        return await self._ask("POST", f"workloads/{quote(workload_id, safe='')}/scale", Resized, scale)

    async def stop(self, workload_id: str) -> Workload:
        return await self._ask("POST", f"workloads/{quote(workload_id, safe='')}/stop", Workload)

    async def delete(self, workload_id: str, purge: bool = False) -> None:
        await self._ask("DELETE", f"workloads/{quote(workload_id, safe='')}?purge={int(purge)}", type(None))

    async def restore(self, workload_id: str) -> Workload:
        return await self._ask("POST", f"workloads/{quote(workload_id, safe='')}/restore", Workload)

    async def specification(self, workload_id: str) -> WorkloadSpec:
        return await self._ask("GET", f"workloads/{quote(workload_id, safe='')}/specification", WorkloadSpec)

    async def explain(self, workload_id: str, remedies: bool = False) -> Explanation:
        path = f"workloads/{quote(workload_id, safe='')}/explain?remedies={int(remedies)}"
        return await self._ask("GET", path, Explanation)

    async def queues(self) -> tuple[QueueStatus, ...]:
        return await self._ask("GET", "queues", tuple[QueueStatus, ...])

    async def devices(self) -> tuple[Device, ...]:
        return await self._ask("GET", "devices", tuple[Device, ...])

    async def usage(
        self,
        by: UsageBy = "project",
        since: float = 0.0,
        until: float | None = None,
        step: UsageStep = "all",
        most: int = MOST_GROUPS,
    ) -> Usage:
        asked = f"by={quote(by)}&step={quote(step)}&most={most}&{_period(since, until)}"
        return await self._ask("GET", f"usage?{asked}", Usage)

    async def queue_history(
        self, since: float = 0.0, until: float | None = None, step: UsageStep = "all"
    ) -> QueueHistory:
        return await self._ask("GET", f"queues/history?step={quote(step)}&{_period(since, until)}", QueueHistory)

    async def policy(self, project: str = DEFAULT_QUEUE, kind: Kind = "training") -> PolicyClauses:
        return await self._ask("GET", f"policy?project={quote(project)}&kind={quote(kind)}", PolicyClauses)

    async def check_policies(self, text: str) -> PolicyCheck:
        return await self._ask("POST", "policy/check", PolicyCheck, PolicyText(text=text))

    async def catalog(self) -> Catalog:
        return await self._ask("GET", "catalog", Catalog)

    async def audit(self, query: AuditQuery = EVERYTHING) -> AuditPage:
        asked = {name: value for name, value in structs.asdict(query).items() if value != getattr(EVERYTHING, name)}
        return await self._ask("GET", f"audit?{urlencode(asked)}", AuditPage)

    async def simulate(self, devices: str | None) -> EngineInfo:
        before = await self._ask("POST", "simulate", EngineInfo, Simulate(devices=devices))
        await _gone(before.pid)
        return await self.info()

    async def shutdown(self) -> None:
        """Ask the daemon to leave; running workloads go on. Returns when it has left."""
        endpoint = await asyncio.to_thread(self._found.daemon)
        if endpoint is not None:
            await _shut_down(endpoint)

    async def close(self) -> None:
        self._disconnect()

    async def _ask(self, method: str, path: str, answer: type[T], body: object = None, repeatable: bool = True) -> T:
        """One request; where the daemon has left meanwhile, its successor is asked what is safe to ask twice."""
        connection = await self._connect()
        request = connection.request(method, path, body)
        try:
            response = await connection.fetch(request)
        except _NothingSent:
            response = await (await self._reconnect()).fetch(request)
        except EngineUnavailable:
            if not repeatable:
                raise
            response = await (await self._reconnect()).fetch(request)
        return _decoded(response, answer)

    async def _stream(self, path: str) -> AsyncGenerator[str | bytes, None]:
        try:
            stream = await (await self._connect()).stream(path)
        except EngineUnavailable:
            stream = await (await self._reconnect()).stream(path)
        try:
            while (message := await stream.read_message()) is not None:
                yield message
            if stream.close_code == 4000 + NotFound.status:
                raise NotFound(stream.close_reason or "There is no such workload.")
            if stream.close_code != COMPLETE:
                raise EngineUnavailable("The engine has left in the middle of its answer.", "Try again.")
        finally:
            stream.close()

    async def _connect(self) -> _Connection:
        async with self._connecting:
            if self._connection is None:
                self._connection = _Connection(await self._endpoint())
            return self._connection

    async def _reconnect(self) -> _Connection:
        self._disconnect()
        return await self._connect()

    async def _endpoint(self) -> Endpoint:
        endpoint = await asyncio.to_thread(self._found.daemon)
        if endpoint is not None and endpoint.protocol < PROTOCOL and not self._found.is_shared:
            # Its workloads do not notice: this client's daemon adopts them.
            await _shut_down(endpoint)
            endpoint = None
        if endpoint is None:
            endpoint = await asyncio.to_thread(self._found.start)
        if endpoint.protocol != PROTOCOL:
            raise EngineUnavailable(
                f"The engine speaks protocol {endpoint.protocol}, this jupyter-runai {PROTOCOL}.",
                "Upgrade jupyter-runai in this environment and restart the kernel."
                if endpoint.protocol > PROTOCOL
                else "Ask its administrator to upgrade it.",
            )
        return endpoint

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _NothingSent(EngineUnavailable):
    """The connection was refused: whatever was to be asked can be asked again."""


class _Connection:
    """HTTP and streams to one daemon."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._open = ExitStack()
        path = self._open.enter_context(short_socket_path(Path(endpoint.socket)))
        self._resolver = _SocketResolver(path)
        self._http = SimpleAsyncHTTPClient(
            force_instance=True,
            resolver=self._resolver,
            max_clients=_MOST_REQUESTS,
            max_buffer_size=_LARGEST_ANSWER,
        )

    def request(self, method: str, path: str, body: object) -> HTTPRequest:
        return HTTPRequest(
            f"http://engine/v1/{path}",
            method=method,
            body=msgspec.json.encode(body) if method == "POST" else None,
            request_timeout=_TIMEOUT_S,
        )

    async def fetch(self, request: HTTPRequest) -> HTTPResponse:
        try:
            return await self._http.fetch(request, raise_error=False)
        except (ConnectionRefusedError, FileNotFoundError) as error:
            raise _NothingSent("The engine has just left.", "Try again.") from error
        except (OSError, HTTPClientError) as error:
            raise EngineUnavailable(f"The engine did not answer: {error}.", "Try again.") from error

    async def stream(self, path: str) -> WebSocketClientConnection:
        url = f"ws://engine/v1/{path}"
        try:
            return await websocket_connect(url, resolver=self._resolver, max_message_size=_LARGEST_MESSAGE)
        except (OSError, HTTPClientError) as error:
            if isinstance(error, HTTPClientError) and error.response is not None and error.response.body:
                raise _error_in(error.response) from None
            raise EngineUnavailable(f"The engine did not answer: {error}.", "Try again.") from error

    def close(self) -> None:
        self._http.close()
        self._open.close()


class _SocketResolver(Resolver):
    """Every name is the daemon's socket."""

    def initialize(self, path: str) -> None:
        self._path = path

    async def resolve(self, host: str, port: int, family: int = 0) -> list[tuple[int, Any]]:
        return [(socket.AF_UNIX, self._path)]


def _period(since: float, until: float | None) -> str:
    return f"since={_milliseconds(since)}" + ("" if until is None else f"&until={_milliseconds(until)}")


def _milliseconds(seconds: float) -> int:
    if not math.isfinite(seconds):
        raise InvalidRequest("A time is a number of seconds since 1970.")
    return max(0, round(seconds * 1000))


def _decoded(response: HTTPResponse, answer: type[T]) -> T:
    if response.code < 300:
        return msgspec.json.decode(response.body or b"null", type=answer)
    raise _error_in(response)


def _error_in(response: HTTPResponse) -> RunaiError:
    try:
        return error_from_record(msgspec.json.decode(response.body, type=ErrorRecord))
    except msgspec.MsgspecError:
        return EngineDefect(f"The engine answered with status {response.code}.")


async def _shut_down(endpoint: Endpoint) -> None:
    connection = _Connection(endpoint)
    try:
        _decoded(await connection.fetch(connection.request("POST", "shutdown", None)), type(None))
    finally:
        connection.close()
    await _gone(endpoint.pid)


async def _gone(pid: int) -> None:
    start = start_of(pid)
    if start is not None:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await ended(Process(pid, start))
        except TimeoutError:
            raise EngineUnavailable(f"The engine (pid {pid}) does not leave.", "Look at it, or end it.") from None
