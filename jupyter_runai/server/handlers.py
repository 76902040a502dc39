"""The REST handlers; each is authenticated, and authorised for a resource of its own."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_runai.client import AsyncClient
from jupyter_runai.server.stream import StreamHandler
from scheduler_core.errors import EngineDefect, RunaiError
from scheduler_core.model import TaskRequest, Verdict
from scheduler_core.requests import decoded
from scheduler_core.workload import Device, EngineInfo, Explanation, QueueStatus, Resized, Scale, Workload

T = TypeVar("T")

WORKLOADS = "runai:workloads"
DEVICES = "runai:devices"
QUEUES = "runai:queues"
ENGINE = "runai:engine"


class Simulate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which devices to simulate, such as `2xA100-80GB`; null for the machine's own."""

    devices: str | None


class WorkloadList(msgspec.Struct, frozen=True):
    """All workloads, oldest first."""

    workloads: tuple[Workload, ...]


class DeviceList(msgspec.Struct, frozen=True):
    """All devices."""

    devices: tuple[Device, ...]


class QueueList(msgspec.Struct, frozen=True):
    """All queues."""

    queues: tuple[QueueStatus, ...]


class Handler(APIHandler):
    """JSON in, JSON out; errors leave as {code, message, hint}. Looking at the panel keeps no idle server alive."""

    _track_activity = False

    @property
    def client(self) -> AsyncClient:
        client: AsyncClient = self.settings["runai_client"]
        return client

    def answer(
        self, value: EngineInfo | Workload | WorkloadList | DeviceList | QueueList | Explanation | Verdict | Resized
    ) -> None:
        self.finish(msgspec.json.encode(value))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, web.HTTPError):
            super().write_error(status_code, **kwargs)
            return
        refusal = (
            error if isinstance(error, RunaiError) else EngineDefect("The server extension failed on this request.")
        )
        self.set_header("Content-Type", "application/json")
        self.set_status(refusal.status)
        self.finish(msgspec.json.encode(refusal.record()))

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        if not isinstance(value, RunaiError):
            super().log_exception(typ, value, tb)


class InfoHandler(Handler):
    """Which engine this is."""

    @web.authenticated
    @authorized("read", resource=ENGINE)
    async def get(self) -> None:
        self.answer(await self.client.engine.info())


class SimulateHandler(Handler):
    """Change between simulated and real devices."""

    @web.authenticated
    @authorized("write", resource=ENGINE)
    async def post(self) -> None:
        self.answer(await self.client.engine.simulate(decoded(self.request.body, Simulate).devices))


class DevicesHandler(Handler):
    """All devices and who holds them."""

    @web.authenticated
    @authorized("read", resource=DEVICES)
    async def get(self) -> None:
        self.answer(DeviceList(await self.client.engine.devices()))


class QueuesHandler(Handler):
    """All queues."""

    @web.authenticated
    @authorized("read", resource=QUEUES)
    async def get(self) -> None:
        self.answer(QueueList(await self.client.engine.queues()))


class WorkloadsHandler(Handler):
    """All workloads."""

    @web.authenticated
    @authorized("read", resource=WORKLOADS)
    async def get(self) -> None:
        self.answer(WorkloadList(await self.client.engine.list()))


class WorkloadHandler(Handler):
    """One workload."""

    @web.authenticated
    @authorized("read", resource=WORKLOADS)
    async def get(self, workload_id: str) -> None:
        self.answer(await self.client.engine.get(workload_id))

    @web.authenticated
    @authorized("write", resource=WORKLOADS)
    async def delete(self, workload_id: str) -> None:
        await self.client.engine.delete(workload_id)
        self.set_status(204)
        self.finish()


class SuspendHandler(Handler):
    """Free what a workload holds and keep it."""

    @web.authenticated
    @authorized("write", resource=WORKLOADS)
    async def post(self, workload_id: str) -> None:
        self.answer(await self.client.engine.suspend(workload_id))


class ResumeHandler(Handler):
    """Let a suspended workload wait again."""

    @web.authenticated
    @authorized("write", resource=WORKLOADS)
    async def post(self, workload_id: str) -> None:
        self.answer(await self.client.engine.resume(workload_id))


class ResizeHandler(Handler):
    """Change what a workload asks for."""

    @web.authenticated
    @authorized("write", resource=WORKLOADS)
    async def post(self, workload_id: str) -> None:
        self.answer(await self.client.engine.resize(workload_id, decoded(self.request.body, TaskRequest)))


class ScaleHandler(Handler):
    """Change how many tasks a workload has."""

    @web.authenticated
    @authorized("write", resource=WORKLOADS)
    async def post(self, workload_id: str) -> None:
        self.answer(await self.client.engine.scale(workload_id, decoded(self.request.body, Scale)))


class StopHandler(Handler):
    """End a workload."""

    @web.authenticated
    @authorized("write", resource=WORKLOADS)
    async def post(self, workload_id: str) -> None:
        self.answer(await self.client.engine.stop(workload_id))


class ExplainHandler(Handler):
    """Why a workload is where it is."""

    @web.authenticated
    @authorized("read", resource=WORKLOADS)
    async def get(self, workload_id: str) -> None:
        self.answer(await self.client.engine.explain(workload_id))


_ID = r"([0-9a-zA-Z_-]+)"
ROUTES: list[tuple[str, type[Any]]] = [
    ("info", InfoHandler),
    ("simulate", SimulateHandler),
    ("devices", DevicesHandler),
    ("queues", QueuesHandler),
    ("workloads", WorkloadsHandler),
    (rf"workloads/{_ID}", WorkloadHandler),
    (rf"workloads/{_ID}/suspend", SuspendHandler),
    (rf"workloads/{_ID}/resume", ResumeHandler),
    (rf"workloads/{_ID}/resize", ResizeHandler),
    (rf"workloads/{_ID}/scale", ScaleHandler),
    (rf"workloads/{_ID}/stop", StopHandler),
    (rf"workloads/{_ID}/explain", ExplainHandler),
    ("stream", StreamHandler),
]
