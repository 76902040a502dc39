"""The daemon's HTTP/JSON interface and its streams, over the Unix socket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

import msgspec
from msgspec.structs import replace
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from scheduler_core.accounting.usage import UsageBy, UsageStep
from scheduler_core.audit import AuditQuery
from scheduler_core.errors import Conflict, EngineDefect, InvalidRequest, NotFound, RunaiError
from scheduler_core.local.callers import Caller, Right
from scheduler_core.local.output import OutputReader
from scheduler_core.local.protocol import COMPLETE, OFFSET_SIZE, PolicyText, Simulate, Submission
from scheduler_core.local.service import Service
from scheduler_core.model import TaskRequest
from scheduler_core.policies.clauses import PolicyCheck
from scheduler_core.requests import decoded, from_words
from scheduler_core.workload import DEFAULT_QUEUE, Kind, Scale, Step, WorkloadSpec

T = TypeVar("T")

_log = logging.getLogger(__name__)
_LOG_POLL_S = 0.03
LARGEST_BODY = 16 * 1024 * 1024

DECIDES: Mapping[str, Right] = {"POST": "decide", "DELETE": "decide"}
READS: Mapping[str, Right] = {"GET": "read"}
ADMINISTERS: Mapping[str, Right] = {"POST": "administer"}
"""The rights that a handler's methods take."""


def application(service: Service, restart: Callable[[], None]) -> Application:
    """All routes; `restart` is called after an answer that changed the settings or asked to shut down."""
    workload = r"/v1/workloads/([^/]+)"
    known = {"service": service, "restart": restart}
    routes: list[tuple[str, type[RequestHandler], dict[str, Any]]] = [
        (r"/v1/info", InfoHandler, known),
        (r"/v1/devices", DevicesHandler, known),
        (r"/v1/queues", QueuesHandler, known),
        (r"/v1/usage", UsageHandler, known),
        (r"/v1/policy", PolicyHandler, known),
        (r"/v1/policy/check", PolicyCheckHandler, known),
        (r"/v1/catalog", CatalogHandler, known),
        (r"/v1/audit", AuditHandler, known),
        (r"/v1/workloads", WorkloadsHandler, known),
        (r"/v1/preview", PreviewHandler, known),
        (workload, WorkloadHandler, known),
        (rf"{workload}/suspend", SuspendHandler, known),
        (rf"{workload}/resume", ResumeHandler, known),
        (rf"{workload}/snooze", SnoozeHandler, known),
        (rf"{workload}/resize", ResizeHandler, known),
        (rf"{workload}/scale", ScaleHandler, known),
        (rf"{workload}/restore", RestoreHandler, known),
        (rf"{workload}/stop", StopHandler, known),
        (rf"{workload}/specification", SpecificationHandler, known),
        (rf"{workload}/explain", ExplainHandler, known),
        (rf"{workload}/tasks", TasksHandler, known),
        (rf"{workload}/measurements", MeasurementsHandler, known),
        (rf"{workload}/results", ResultsHandler, known),
        (rf"{workload}/logs", LogsHandler, known),
        (r"/v1/events", EventsHandler, known),
        (r"/v1/simulate", SimulateHandler, known),
        (r"/v1/shutdown", ShutdownHandler, known),
    ]
    return Application(routes, default_handler_class=UnknownHandler, default_handler_args=known)


class _Answering(RequestHandler):
    """The door: who asks, and whether they may (`rights`, by method); errors leave as records of the exception tree."""

    rights: ClassVar[Mapping[str, Right]] = {}
    service: Service

    def prepare(self) -> None:
        self.caller = self.service.callers.of(self.request)
        right = self.rights.get(self.request.method or "", "see")
        if right == "administer":
            self.caller.check_administers()
        elif right != "see":
            self.caller.check(right, self.service.anywhere(self.path_args[0]))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = _explained(kwargs.get("exc_info", (None, None, None))[1], status_code)
        self.set_status(error.status)
        self.finish(msgspec.json.encode(error.record()))

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        if not isinstance(value, RunaiError):
            _log.error("A request failed: %s", self.request.path, exc_info=value)


class Handler(_Answering):
    """JSON in, JSON out."""

    def initialize(self, service: Service, restart: Callable[[], None]) -> None:
        self.service = service
        self.restart = restart

    def set_default_headers(self) -> None:
        self.set_header("Content-Type", "application/json")

    def compute_etag(self) -> None:
        """No client of ours asks whether an answer has changed, and a hash of a long list is a tenth of its cost."""

    def answer(self, value: object) -> None:
        self.write(msgspec.json.encode(value))


class InfoHandler(Handler):
    """Which engine this is."""

    def get(self) -> None:
        self.answer(self.caller.shown_info(self.service.info()))


class DevicesHandler(Handler):
    """All devices and who holds them."""

    def get(self) -> None:
        self.answer(self.service.devices())


class QueuesHandler(Handler):
    """All queues."""

    def get(self) -> None:
        self.answer(self.service.queues())


class UsageHandler(Handler):
    """Who used what from `since` until `until` (milliseconds since the epoch; without it, now)."""

    async def get(self) -> None:
        by = _chosen(self.get_query_argument("by", "project"), UsageBy)
        step = _chosen(self.get_query_argument("step", "all"), UsageStep)
        since, until = _number(self.get_query_argument("since", "0")), self.get_query_argument("until", "")
        self.answer(await self.service.usage(by, since / 1000, _number(until) / 1000 if until else None, step))


class PolicyHandler(Handler):
    """What holds in a project for a kind of work."""

    def get(self) -> None:
        kind = _chosen(self.get_query_argument("kind", "training"), Kind)
        project = self.get_query_argument("project", DEFAULT_QUEUE)
        self.answer(self.service.policies.explained(project, kind, self.caller.name))


class PolicyCheckHandler(Handler):
    """Whom a file of policies would hit."""

    def post(self) -> None:
        text = decoded(self.request.body, PolicyText).text
        self.answer(PolicyCheck(hits=self.service.rules.hits(self.service.policies.file.parsed(text, "The file"))))


class CatalogHandler(Handler):
    """Templates and environments."""

    def get(self) -> None:
        self.answer(self.service.policies.catalog(self.caller.name))


class AuditHandler(Handler):
    """Who did what, as the query says, as far as it is theirs to read."""

    async def get(self) -> None:
        asked = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        self.answer(await self.service.audit(from_words(asked, AuditQuery), self.caller))


class WorkloadsHandler(Handler):
    """List and submit."""

    def get(self) -> None:
        deleted = self.get_query_argument("deleted", "0") == "1"
        workloads = self.service.deleted() if deleted else self.service.list()
        self.answer(self.caller.shown_all(workloads))

    async def post(self) -> None:
        workload = await self.service.submit(decoded(self.request.body, Submission), self.caller)
        self.set_status(201)
        self.answer(workload)


class PreviewHandler(Handler):
    """The verdict a workload would get."""

    async def post(self) -> None:
        self.answer(await self.service.preview(decoded(self.request.body, WorkloadSpec), self.caller))


class WorkloadHandler(Handler):
    """One workload."""

    rights = DECIDES

    def get(self, workload_id: str) -> None:
        self.answer(self.caller.shown(self.service.get(workload_id)))

    async def delete(self, workload_id: str) -> None:
        await self.service.delete(workload_id, self.get_query_argument("purge", "0") == "1", self.caller)
        self.set_status(204)


class SuspendHandler(Handler):
    """Free what a workload holds and keep it."""

    rights = DECIDES

    async def post(self, workload_id: str) -> None:
        self.answer(self.caller.shown(await self.service.suspend(workload_id, self.caller)))


class ResumeHandler(Handler):
    """Let a suspended workload wait again."""

    rights = DECIDES

    async def post(self, workload_id: str) -> None:
        self.answer(self.caller.shown(await self.service.resume(workload_id, self.caller)))


class SnoozeHandler(Handler):
    """Put off what a rule is to do."""

    rights = DECIDES

    async def post(self, workload_id: str) -> None:
        self.answer(self.caller.shown(await self.service.rules.snooze(workload_id, self.caller.name)))


class ResizeHandler(Handler):
    """Change what a workload asks for."""

    rights = DECIDES

    async def post(self, workload_id: str) -> None:
        answer = await self.service.resize(workload_id, decoded(self.request.body, TaskRequest), self.caller)
        self.answer(self.caller.shown_resized(answer))


class ScaleHandler(Handler):
    """Change how many tasks a workload has."""

    rights = DECIDES

    async def post(self, workload_id: str) -> None:
        answer = await self.service.scale(workload_id, decoded(self.request.body, Scale), self.caller)
        self.answer(self.caller.shown_resized(answer))


class RestoreHandler(Handler):
    """Bring a deleted workload back."""

    rights = DECIDES

    async def post(self, workload_id: str) -> None:
        self.answer(self.caller.shown(await self.service.restore(workload_id, self.caller)))


class StopHandler(Handler):
    """End a workload."""

    rights = DECIDES

    async def post(self, workload_id: str) -> None:
        self.answer(self.caller.shown(await self.service.stop(workload_id, self.caller)))


class SpecificationHandler(Handler):
    """What was submitted; the environment in it is its owner's alone."""

    rights = READS

    def get(self, workload_id: str) -> None:
        workload = self.service.get(workload_id)
        self.answer(self.caller.shown_specification(workload, self.service.specification(workload_id)))


class ExplainHandler(Handler):
    """Why a workload is where it is."""

    async def get(self, workload_id: str) -> None:
        explanation = await self.service.explain(workload_id, self.get_query_argument("remedies", "0") == "1")
        self.answer(replace(explanation, workload=self.caller.shown(explanation.workload)))


class TasksHandler(Handler):
    """Each task of a workload."""

    def get(self, workload_id: str) -> None:
        workload = self.service.get(workload_id)
        self.answer(self.caller.shown_tasks(workload, self.service.tasks(workload_id)))


class MeasurementsHandler(Handler):
    """What a workload used, in steps of a `second`, `minute` or `hour`, from `since` (whole seconds) on."""

    async def get(self, workload_id: str) -> None:
        try:
            step = msgspec.convert(self.get_query_argument("step", "minute"), Step)
        except msgspec.ValidationError:
            raise InvalidRequest("A step is a second, a minute or an hour.") from None
        since = float(_number(self.get_query_argument("since", "0")))
        self.answer(await self.service.measurements(workload_id, step, since))


class ResultsHandler(Handler):
    """The folder of a task's results."""

    rights = READS

    def get(self, workload_id: str) -> None:
        self.answer(str(self.service.results(workload_id, _number(self.get_query_argument("task", "0")))))


class SimulateHandler(Handler):
    """Change between simulated and real devices; the daemon then starts over."""

    rights = ADMINISTERS

    def post(self) -> None:
        if self.service.info().shared:
            raise Conflict(
                "The devices of a shared engine are named in its configuration file.",
                "Change them there and restart it.",
            )
        self.service.change_devices(decoded(self.request.body, Simulate).devices)
        self.answer(self.service.info())
        self.restart()


class ShutdownHandler(Handler):
    """Leave: a newer daemon takes over; running workloads go on."""

    rights = ADMINISTERS

    def post(self) -> None:
        self.set_status(204)
        self.restart()


class UnknownHandler(Handler):
    """Anything else."""

    def prepare(self) -> None:
        raise NotFound(f"The engine has no {self.request.path}.")


class StreamHandler(_Answering, WebSocketHandler):
    """A stream of messages that ends by itself, or when the client goes."""

    def initialize(self, service: Service, restart: Callable[[], None]) -> None:
        self.service = service

    def prepare(self) -> None:
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise InvalidRequest("This is a stream: ask for a WebSocket.")
        super().prepare()

    def check_origin(self, origin: str) -> bool:
        # A browser cannot reach a Unix socket.
        return True

    def relay(self, messages: AsyncGenerator[bytes, None], binary: bool) -> None:
        """Send all messages, no faster than they are taken."""
        self._relaying = asyncio.ensure_future(self._relay(messages, binary))

    def on_close(self) -> None:
        if hasattr(self, "_relaying"):
            self._relaying.cancel()

    async def _relay(self, messages: AsyncGenerator[bytes, None], binary: bool) -> None:
        async with aclosing(messages) as opened:
            try:
                async for message in opened:
                    await self.write_message(message, binary=binary)
            except WebSocketClosedError:
                return
            except Exception:
                _log.exception("A stream failed: %s", self.request.path)
                self.close(4000 + EngineDefect.status, "the engine failed; its log says more")
                return
        self.close(COMPLETE)


class EventsHandler(StreamHandler):
    """Events, from `since` (EPOCH:SEQ) on where they are still kept."""

    async def open(self) -> None:
        epoch, _, seq = self.get_query_argument("since", "").partition(":")
        since = (epoch, int(seq)) if seq.isdecimal() else None
        self.relay(_encoded(self.service, since, self.caller), binary=False)


class LogsHandler(StreamHandler):
    """A task's output from byte `offset`, each piece behind its offset; with `follow`, until the workload has ended."""

    rights = READS

    async def open(self, workload_id: str) -> None:
        offset = self.get_query_argument("offset", "0")
        follow = self.get_query_argument("follow", "0") == "1"
        try:
            path = self.service.log(workload_id, _number(self.get_query_argument("task", "0")))
        except NotFound as error:
            self.close(4000 + error.status, error.message)
            return
        self.relay(_output(self.service, workload_id, path, _number(offset), follow), binary=True)


def _chosen(word: str, words: Any) -> Any:
    """A word of a query, where it is one of these."""
    if word not in get_args(words):
        raise InvalidRequest(f"{word!r} is none of {', '.join(get_args(words))}.")
    return word


def _number(text: str) -> int:
    """A whole number as it comes in a query; 0 for anything else."""
    return int(text[:18]) if text.isdecimal() and text.isascii() else 0


async def _encoded(service: Service, since: tuple[str, int] | None, caller: Caller) -> AsyncGenerator[bytes, None]:
    async with aclosing(service.watch(since)) as events:
        async for event in events:
            yield msgspec.json.encode(caller.shown_event(event))


async def _output(
    service: Service, workload_id: str, path: Path, offset: int, follow: bool
) -> AsyncGenerator[bytes, None]:
    with OutputReader(path, offset) as reader:
        while True:
            # Asked before reading: what is written until the end is then read after it.
            ended = workload_id not in service or service.get(workload_id).has_ended
            while (piece := reader.read()) is not None:
                yield piece.offset.to_bytes(OFFSET_SIZE) + piece.data
            if ended or not follow:
                return
            await asyncio.sleep(_LOG_POLL_S)


def _explained(error: BaseException | None, status: int) -> RunaiError:
    if isinstance(error, RunaiError):
        return error
    if status in (InvalidRequest.status, 405):
        return InvalidRequest("The engine does not take such a request.")
    return EngineDefect("The engine failed on this request; its log says more.")
