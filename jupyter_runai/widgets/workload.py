"""One workload, followed to its end."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, suppress
from typing import Protocol

from msgspec.structs import replace

from jupyter_runai.client.runtime import runtime
from jupyter_runai.client.watch import shared_watch
from jupyter_runai.functions.errors import door
from jupyter_runai.functions.options import of_another_amount
from jupyter_runai.verbs.options import scale_to
from jupyter_runai.widgets import strings
from jupyter_runai.widgets.live import LiveWidget, Note, in_one_sentence, static
from jupyter_runai.widgets.log_tail import LogTail
from jupyter_runai.widgets.use import Use
from jupyter_runai.widgets.workload_view import WorkloadView, workload_view
from jupyter_runai.words.figures import resized, told_to_resume, told_to_stop, told_to_suspend
from scheduler_core.errors import InvalidRequest, RunaiError
from scheduler_core.model import TaskRequest, gpu_amount
from scheduler_core.workload import Resized

_TICK_S = 1.0


class HasId(Protocol):
    """Whatever stands for a workload."""

    @property
    def id(self) -> str: ...


class Workload(LiveWidget):
    """A workload by its id, its name or what stands for it: its state, use and output, and what can be done.

    Raises:
        NotFound: no workload is called so; the hint names the nearest.
        Conflict: several live ones are.
        EngineUnavailable: no engine answers.
    """

    _esm = static("elements.js", "workload.js")

    def __init__(self, workload: str | HasId) -> None:
        reference = workload if isinstance(workload, str) else workload.id
        try:
            self._last = runtime().run(shared_watch().client.find(reference))
        except RunaiError as error:
            raise in_one_sentence(error) from None
        self._log = LogTail()
        self._use = Use()
        self._share: str | None = None
        super().__init__()

    @door
    def resize(
        self,
        *,
        gpu: float | str | None = None,
        gpu_memory: str | None = None,
        gpu_limit: float | str | None = None,
        gpu_memory_limit: str | None = None,
    ) -> Resized:
        """Change what it asks for: now where that is possible, else from its next start on; the answer says which."""
        limits = {"gpu_limit": gpu_limit, "gpu_memory_limit": gpu_memory_limit}
        request = of_another_amount(self._last.request, {"gpu": gpu, "gpu_memory": gpu_memory, **limits})
        return runtime().run(self._watch.client.engine.resize(self._last.id, request))

    @door
    def scale(self, *, workers: int | str) -> Resized:
        """Change how many tasks it has, "2:8" for an elastic number; the answer is as that of `resize`."""
        return runtime().run(self._watch.client.engine.scale(self._last.id, scale_to(workers)))

    def _view(self) -> WorkloadView:
        watch = self._watch
        note = self._note()
        self._last = watch.workloads.get(self._last.id, self._last)
        if watch.is_open and watch.info is not None and self._last.id not in watch.workloads:
            note = Note(strings.DELETED, is_problem=True)
        return workload_view(self._last, time.time(), self._log, self._use, self._share, note)

    async def _keep_up(self) -> None:
        async with asyncio.TaskGroup() as both:
            both.create_task(self._follow_log())
            both.create_task(self._follow_use())

    async def _follow_log(self) -> None:
        self._log = LogTail()
        # What is out of reach or deleted is said by the watch.
        with suppress(RunaiError):
            async with aclosing(self._watch.client.output(self._last.id)) as chunks:
                async for chunk in chunks:
                    self._log.add(chunk)
                    self._pace.ask()

    async def _follow_use(self) -> None:
        """Once a second, which also moves the clock, until the workload has ended."""
        ended = False
        while not ended:
            ended = self._last.has_ended
            if self._last.started is not None:
                with suppress(RunaiError):
                    await self._use.update(self._watch.client.engine, self._last.id)
            self._pace.ask()
            await asyncio.sleep(_TICK_S)

    async def _fill(self, field: str, value: str | bool) -> None:
        if field == "share":
            self._share = str(value)

    async def _press(self, button: str) -> str:
        engine, workload_id = self._watch.client.engine, self._last.id
        match button:
            case "stop":
                return told_to_stop(await engine.stop(workload_id))
            case "suspend":
                return told_to_suspend(await engine.suspend(workload_id))
            case "resume":
                return told_to_resume(await engine.resume(workload_id))
            case "resize":
                request = self._asked_for()
                return resized(await engine.resize(workload_id, request), request)
        return ""

    def _asked_for(self) -> TaskRequest:
        text = str(self._last.request.gpu) if self._share is None else self._share.strip()
        gpu = int(text) if text.isdecimal() else text
        try:
            gpu_amount(gpu)
        except ValueError:
            raise InvalidRequest(strings.BAD_SHARE.format(text), strings.SHARE_HINT) from None
        return replace(self._last.request, gpu=gpu, gpu_memory_mib=0, gpu_limit=0, gpu_memory_limit_mib=0)
