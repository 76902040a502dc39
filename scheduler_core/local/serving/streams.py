"""The daemon's streams: events, the output of tasks, and what workloads use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

import msgspec
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from scheduler_core.errors import EngineDefect, InvalidRequest, NotFound
from scheduler_core.local.access.callers import Caller
from scheduler_core.local.machine.output import OutputReader
from scheduler_core.local.serving.answering import READS, Answering, chosen, signed_number, whole_number
from scheduler_core.local.serving.service import Service
from scheduler_core.local.wire.event_lines import messages
from scheduler_core.local.wire.protocol import COMPLETE, OFFSET_SIZE
from scheduler_core.workload import Measurement, Step

_log = logging.getLogger(__name__)
_LOG_POLL_S = 0.03


class StreamHandler(Answering, WebSocketHandler):
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

    def relay(self, told: AsyncGenerator[bytes, None], binary: bool) -> None:
        """Send all that is told, no faster than they are taken."""
        self._relaying = asyncio.ensure_future(self._relay(told, binary))

    def on_close(self) -> None:
        if hasattr(self, "_relaying"):
            self._relaying.cancel()

    async def _relay(self, told: AsyncGenerator[bytes, None], binary: bool) -> None:
        async with aclosing(told) as opened:
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
            path = self.service.log(workload_id, whole_number(self.get_query_argument("task", "0")))
        except NotFound as error:
            self.close(4000 + error.status, error.message)
            return
        self.relay(_output(self.service, workload_id, path, signed_number(offset), follow), binary=True)


class MeasurementsStreamHandler(StreamHandler):
    """What a workload uses, as `MeasurementsHandler` answers, then what is measured further until it has ended."""

    def prepare(self) -> None:
        super().prepare()
        step = chosen(self.get_query_argument("step", "minute"), Step)
        since = float(whole_number(self.get_query_argument("since", "0")))
        self._measurements = self.service.follow_measurements(self.path_args[0], step, since)

    async def open(self, workload_id: str) -> None:
        self.relay(_told(self._measurements), binary=False)


async def _told(measurements: AsyncGenerator[tuple[Measurement, ...], None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(measurements) as followed:
        async for measured in followed:
            yield msgspec.json.encode(measured)


async def _encoded(service: Service, since: tuple[str, int] | None, caller: Caller) -> AsyncGenerator[bytes, None]:
    async with aclosing(service.watch(since)) as events:
        async for event in events:
            for message in messages(caller.shown_event(event)):
                yield message


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
