"""The daemon's HTTP/JSON interface, over the Unix socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from tornado.web import Application, RequestHandler

from scheduler_core.accounting.usage import MOST_GROUPS, UsageBy, UsageStep
from scheduler_core.audit import AuditQuery
from scheduler_core.errors import Conflict, NotFound
from scheduler_core.local.serving.answering import ADMINISTERS, DECIDES, READS, Handler, chosen, whole_number
from scheduler_core.local.serving.service import Service
from scheduler_core.local.serving.streams import EventsHandler, LogsHandler, MeasurementsStreamHandler
from scheduler_core.local.wire.protocol import PolicyText, Simulate, Submission
from scheduler_core.model import TaskRequest
from scheduler_core.policies.clauses import PolicyCheck
from scheduler_core.requests import decoded, from_words
from scheduler_core.workload import DEFAULT_QUEUE, Kind, Scale, Step, WorkloadSpec

LARGEST_BODY = 16 * 1024 * 1024


def application(service: Service, restart: Callable[[], None]) -> Application:
    """All routes; `restart` is called after an answer that changed the settings or asked to shut down."""
    workload = r"/v1/workloads/([^/]+)"
    known = {"service": service, "restart": restart}
    routes: list[tuple[str, type[RequestHandler], dict[str, Any]]] = [
        (r"/v1/info", InfoHandler, known),
        (r"/v1/devices", DevicesHandler, known),
        (r"/v1/queues", QueuesHandler, known),
        (r"/v1/usage", UsageHandler, known),
        (r"/v1/queues/history", QueueHistoryHandler, known),
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
        (rf"{workload}/measurements/stream", MeasurementsStreamHandler, known),
        (rf"{workload}/results", ResultsHandler, known),
        (rf"{workload}/logs", LogsHandler, known),
        (r"/v1/events", EventsHandler, known),
        (r"/v1/simulate", SimulateHandler, known),
        (r"/v1/shutdown", ShutdownHandler, known),
    ]
    return Application(routes, default_handler_class=UnknownHandler, default_handler_args=known)


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
        by = chosen(self.get_query_argument("by", "project"), UsageBy)
        step = chosen(self.get_query_argument("step", "all"), UsageStep)
        since, until = whole_number(self.get_query_argument("since", "0")), self.get_query_argument("until", "")
        most = whole_number(self.get_query_argument("most", str(MOST_GROUPS)))
        end = whole_number(until) / 1000 if until else None
        self.answer(await self.service.usage(by, since / 1000, end, step, most))


class QueueHistoryHandler(Handler):
    """What queues had, and why work waited in them; as of `UsageHandler`."""

    async def get(self) -> None:
        step = chosen(self.get_query_argument("step", "all"), UsageStep)
        since, until = whole_number(self.get_query_argument("since", "0")), self.get_query_argument("until", "")
        end = whole_number(until) / 1000 if until else None
        self.answer(await self.service.queue_history(since / 1000, end, step))


class PolicyHandler(Handler):
    """What holds in a project for a kind of work."""

    def get(self) -> None:
        kind = chosen(self.get_query_argument("kind", "training"), Kind)
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
        workload = await self.service.submitting.submit(decoded(self.request.body, Submission), self.caller)
        self.set_status(201)
        self.answer(workload)


class PreviewHandler(Handler):
    """The verdict a workload would get."""

    async def post(self) -> None:
        self.answer(await self.service.submitting.preview(decoded(self.request.body, WorkloadSpec), self.caller))


class WorkloadHandler(Handler):
    """One workload."""

    rights = DECIDES

    def get(self, workload_id: str) -> None:
        self.answer(self.caller.shown(self.service.get(workload_id)))

    async def delete(self, workload_id: str) -> None:
        await self.service.clearing.delete(workload_id, self.get_query_argument("purge", "0") == "1", self.caller.name)
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
        self.answer(self.caller.shown(await self.service.clearing.restore(workload_id, self.caller.name)))


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
        step = chosen(self.get_query_argument("step", "minute"), Step)
        since = float(whole_number(self.get_query_argument("since", "0")))
        self.answer(await self.service.measurements(workload_id, step, since))


class ResultsHandler(Handler):
    """The folder of a task's results."""

    rights = READS

    def get(self, workload_id: str) -> None:
        self.answer(str(self.service.results(workload_id, whole_number(self.get_query_argument("task", "0")))))


class SimulateHandler(Handler):
    """Change between simulated and real devices; the daemon then starts over."""

    rights = ADMINISTERS

    async def post(self) -> None:
        if self.service.info().shared:
            raise Conflict(
                "The devices of a shared engine are named in its configuration file.",
                "Change them there and restart it.",
            )
        devices = decoded(self.request.body, Simulate).devices
        self.service.change_devices(devices)
        await self.service.leave("simulate", self.caller, devices or "the machine's own devices")
        self.answer(self.service.info())
        self.restart()


class ShutdownHandler(Handler):
    """Leave: a newer daemon takes over; running workloads go on."""

    rights = ADMINISTERS

    async def post(self) -> None:
        await self.service.leave("shutdown", self.caller)
        self.set_status(204)
        self.restart()


class UnknownHandler(Handler):
    """Anything else."""

    def prepare(self) -> None:
        raise NotFound(f"The engine has no {self.request.path}.")
