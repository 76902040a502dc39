"""The server extension over a feed of made-up workloads, more and faster than one machine can run: for panel.py.

Everything from the relay to the browser is the product's own, and so is every record; only the engine behind the relay
is this one. `POST jupyter-runai-feed {"count": 10000, "rate": 1000}` starts it over with so many workloads, of which so
many change in a second.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from itertools import count
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from msgspec.structs import replace
from tornado import web

from jupyter_runai.server.app import RunaiExtension
from scheduler_core.model import TaskRequest, Verdict
from scheduler_core.workload import (
    Allocation,
    Device,
    EngineInfo,
    EngineState,
    Event,
    HeldDevice,
    QueueStatus,
    Workload,
    WorkloadChanged,
)

STEP_S = 0.01
USERS = ("ana", "ben", "eva", "jo")
MODEL = "NVIDIA A100-SXM4-80GB"


class Feed:
    """As much of an engine as a relay watches."""

    def __init__(self) -> None:
        self._workloads: list[Workload] = []
        self._rate = 0.0
        self._epochs = count()
        self._is_over = asyncio.Event()

    def start_over(self, workloads: int, rate: float) -> None:
        self._workloads = [workload(number) for number in range(workloads)]
        self._rate = rate
        self._is_over.set()

    async def watch(self, since: tuple[str, int] | None = None) -> AsyncGenerator[Event, None]:
        """A full state, then as many changes a second as are asked for; again whenever it starts over."""
        while True:
            self._is_over.clear()
            number, seq = next(self._epochs), count(1)
            epoch = f"feed{number}"
            yield self._state(epoch, number)
            began, sent = time.monotonic(), 0
            while not self._is_over.is_set():
                due = int((time.monotonic() - began) * self._rate)
                for change in range(sent, due):
                    place = change * 7919 % len(self._workloads)
                    self._workloads[place] = changed(self._workloads[place], change)
                    yield WorkloadChanged(epoch=epoch, seq=next(seq), workload=self._workloads[place])
                sent = due
                await asyncio.sleep(STEP_S)

    async def close(self) -> None:
        return

    def _state(self, epoch: str, number: int) -> EngineState:
        devices = tuple(
            Device(
                id=f"GPU-{index}",
                index=index,
                node="here",
                model=MODEL,
                memory_mib=81920,
                ready=True,
                simulated=True,
                utilization=0.5,
            )
            for index in range(8)
        )
        return EngineState(
            epoch=epoch,
            seq=0,
            info=EngineInfo(
                kind="local",
                protocol=1,
                version="0",
                host="here",
                user=USERS[0],
                pid=1,
                # Another engine each time: what it begins with is no news to the application's own event stream.
                simulated=f"8xA100-{80 + number}GB",
                notice="",
                survives=(),
            ),
            devices=devices,
            queues=(
                QueueStatus(
                    name="default", parent=None, quota=8, limit=None, fair_share=8, allocated=4, requested=4000
                ),
            ),
            workloads=tuple(self._workloads),
        )


def workload(number: int) -> Workload:
    """One of many: half of them have ended, the others wait or run."""
    made = Workload(
        id=f"{number:012x}",
        name=f"workload-{number}",
        owner=USERS[number % len(USERS)],
        kind="training",
        queue="default",
        priority=40,
        preemptible=True,
        state="pending",
        request=TaskRequest(gpu="0.5"),
        created=time.time() - number,
        simulated=True,
    )
    return changed(made, number) if number % 2 else replace(made, state="completed", ended=time.time(), exit_code=0)


def changed(before: Workload, number: int) -> Workload:
    """The same workload a moment later: one that waits starts, one that runs waits again."""
    if before.state == "running" or number % 4 == 1:
        verdict = Verdict(
            workload=before.id,
            state="pending",
            code="no_node_fits",
            message=f"No device has 0.5 free; the largest free share is 0.{number % 5}.",
            facts={"requested": "0.5", "largest_free_share": f"0.{number % 5}"},
            position=number % 1000,
            queue_position=number % 1000,
        )
        return replace(before, state="pending", ended=None, allocation=None, verdict=verdict)
    held = HeldDevice(id="GPU-0", index=number % 8, model=MODEL, portion_milli=500, memory_mib=40960)
    allocation = Allocation(node="here", devices=(held,))
    return replace(before, state="running", started=time.time(), ended=None, allocation=allocation, verdict=None)


class FeedHandler(APIHandler):
    """Starts the feed over."""

    def initialize(self, start_over: Callable[[int, float], None]) -> None:
        self._start_over = start_over

    @web.authenticated
    @authorized("write", resource="runai:workloads")
    async def post(self) -> None:
        asked = json.loads(self.request.body)
        self._start_over(int(asked["count"]), float(asked["rate"]))
        self.set_status(204)


class Client:
    """The feed where the server extension looks for its engine."""

    def __init__(self, engine: Feed) -> None:
        self.engine = engine


class FeedExtension(RunaiExtension):
    """The server extension on a feed."""

    def initialize_settings(self) -> None:
        super().initialize_settings()
        self.settings["runai_client"] = Client(Feed())

    def initialize_handlers(self) -> None:
        super().initialize_handlers()
        start_over = self.settings["runai_client"].engine.start_over
        self.handlers.append(("/jupyter-runai-feed", FeedHandler, {"start_over": start_over}))


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": "feeding", "app": FeedExtension}]
