"""A kernel's workload as the server beside it follows it: does it wait, does its kernel run, is it over."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from jupyter_runai.client import AsyncClient, never_starts
from jupyter_runai.kernels.channel import Channel, KernelLaunch, KernelState, open_channel
from jupyter_runai.words.waiting import waiting_words
from scheduler_core.errors import Conflict, EngineUnavailable, InvalidRequest, NotFound, RunaiError
from scheduler_core.workload import Workload

_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.2
_MOST_TRIES = 200
_KEEPER_TIMEOUT_S = 60.0
_IMAGE_TIMEOUT_S = 600.0
_RESTART_TIMEOUT_S = 10.0
_END_TIMEOUT_S = 5.0
_ENGINE_PAUSE_S = 30.0
_LAST_WORDS = 2000


class Lease:
    """Follows one workload and its keeper. Made and called on one event loop; its attributes are read from anywhere.

    `exit_code` is null as long as the kernel runs, or waits for its devices and comes back by itself; `is_attached`
    says which. `changed` is called on the loop whenever any of it is different. `launch` is how the kernel is started;
    one that `adopts` takes a kernel that runs as it is, and `launch` then says how that was started.
    """

    def __init__(
        self,
        client: AsyncClient,
        workload: Workload,
        launch: KernelLaunch,
        changed: Callable[[Lease], None],
        adopts: bool = False,
    ) -> None:
        self.launch = launch
        self.workload = workload
        self.exit_code: int | None = None
        self.is_attached = False
        self.is_ending = False
        self._client = client
        self._adopts = adopts
        self._changed = changed
        self._channel: Channel | None = None
        self._state: KernelState | None = None
        self._news = asyncio.Event()
        self._attaching: asyncio.Task[None] | None = None
        self._following = asyncio.ensure_future(self._follow())

    async def started(self, queue_timeout_s: float | None) -> None:
        """Wait until the kernel's process runs, at most so long for a device; null: as long as it takes.

        Raises:
            Conflict: it got no device; the message says why and its position.
            InvalidRequest: it got one, and its process could not be started.
        """
        with suppress(TimeoutError):
            await self._until(lambda: not _waits(self.workload) or never_starts(self.workload), queue_timeout_s)
        if _waits(self.workload):
            raise await self._not_placed(queue_timeout_s)
        with suppress(TimeoutError):
            # An image may have to be fetched first.
            await self._until(lambda: self.workload.state != "initializing", _IMAGE_TIMEOUT_S)
        with suppress(TimeoutError):
            await self._until(lambda: self._state is not None or self.workload.has_ended, _KEEPER_TIMEOUT_S)
        if self._state is None:
            raise await self._lost()
        if self._state.failure:
            raise InvalidRequest(f"The kernel cannot be started: {self._state.failure}.", "Look at its kernelspec.")

    @property
    def process(self) -> tuple[int, int | None] | None:
        """Which process the kernel is: the start of its workload, and its number there; null while it is none."""
        return None if self._state is None else (self.workload.restarts, self._state.pid)

    async def restarted(self) -> None:
        """Wait until the kernel's process is another one, where it runs."""
        with suppress(TimeoutError):
            await self._until(lambda: self._state is not None or self._channel is None, _RESTART_TIMEOUT_S)

    def restart(self, launch: KernelLaunch) -> None:
        """Start the kernel anew on what the workload holds, or so that it starts once that holds something."""
        self.launch, self._state, self.exit_code = launch, None, None
        if self._channel is not None:
            self._channel.start(launch)

    def signal(self, number: int) -> None:
        """Send the kernel a signal; one that is killed while it waits counts as gone until it is started again."""
        if self._channel is not None:
            self._channel.signal(number)
        elif number == signal.SIGKILL:
            self.exit_code = -number

    def note_presence(self) -> None:
        """Somebody works on the kernel's notebook now; one that waits is not idle anyway."""
        if self._channel is not None:
            self._channel.note_presence()

    async def end(self) -> None:
        """End the workload: as completed where its keeper answers, else by stopping it."""
        self.is_ending = True
        with suppress(TimeoutError):
            if self._channel is not None:
                self._channel.end()
                await self._until(lambda: self.workload.has_ended, _END_TIMEOUT_S)
        await self._stop()

    def leave(self) -> None:
        """Follow the workload no longer, and let it go on."""
        self.is_ending = True
        self._following.cancel()
        if self._attaching is not None:
            self._attaching.cancel()

    async def withdraw(self) -> None:
        """Undo a start that came to nothing."""
        await self.end()
        with suppress(NotFound, TimeoutError):
            async with asyncio.timeout(_END_TIMEOUT_S):
                while not self.workload.has_ended:
                    await asyncio.sleep(_LONGEST_PAUSE_S)
                    self.workload = await self._client.engine.get(self.workload.id)
            await self._client.engine.delete(self.workload.id, purge=True)

    async def _stop(self) -> None:
        with suppress(NotFound):
            if not self.workload.has_ended:
                self.workload = await self._client.engine.stop(self.workload.id)
        self.leave()

    async def _follow(self) -> None:
        while not self.workload.has_ended:
            try:
                async for workload in self._client.changes(self.workload.id):
                    self._show(workload)
            except NotFound:
                self._show(replace(self.workload, state="stopped", reason="it was deleted"))
            except EngineUnavailable:
                # The kernel goes on without its engine; what becomes of it is seen when there is one again.
                await asyncio.sleep(_ENGINE_PAUSE_S)

    def _show(self, workload: Workload) -> None:
        self.workload = workload
        if workload.has_ended:
            self.exit_code = workload.exit_code or 0
        elif workload.state == "running" and (self._attaching is None or self._attaching.done()):
            self._attaching = asyncio.ensure_future(self._attach())
        self._tell()

    async def _attach(self) -> None:
        """Stay connected to the keeper as long as the workload runs."""
        tries, pause_s = 0, _FIRST_PAUSE_S
        while self.workload.state == "running" and tries < _MOST_TRIES:
            try:
                channel = await open_channel(self._client.engine, self.workload.id)
                has_spoken = await self._listen(channel)
            except (OSError, RunaiError):
                has_spoken = False
            if has_spoken:
                tries, pause_s = 0, _FIRST_PAUSE_S
            else:
                # Its process runs before it listens.
                await asyncio.sleep(pause_s)
                tries, pause_s = tries + 1, min(_LONGEST_PAUSE_S, pause_s * 2)

    async def _listen(self, channel: Channel) -> bool:
        """Stay connected to the end; whether the keeper said anything."""
        is_first = True
        try:
            async for state in channel:
                self._channel = channel
                if self._adopts and state.exit is None:
                    self.launch = state.launch
                self._adopts = False
                if state.launch.id == self.launch.id:
                    self.launch = state.launch
                    await self._hear(state)
                elif is_first:
                    # It was started anew while its workload waited.
                    channel.start(self.launch)
                is_first = False
        finally:
            self._channel, self._state, self.is_attached = None, None, False
            channel.close()
            if not is_first:
                self._tell()
        return not is_first

    async def _hear(self, state: KernelState) -> None:
        self._state, self.is_attached = state, True
        if state.exit is not None and await self._is_staying():
            self.exit_code = state.exit
        self._tell()

    async def _is_staying(self) -> bool:
        """Whether the engine leaves the workload where it is: else its kernel has not ended by itself."""
        try:
            workload = await self._client.engine.get(self.workload.id)
        except EngineUnavailable:
            return True
        except NotFound:
            return False
        return workload.state == "running" and not workload.is_leaving

    async def _until(self, reached: Callable[[], bool], timeout_s: float | None) -> None:
        async with asyncio.timeout(timeout_s):
            while not reached():
                await self._news.wait()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
        self._changed(self)

    async def _not_placed(self, queue_timeout_s: float | None) -> Conflict:
        """Why it still waits, and behind whom, as far as the engine tells."""
        workload = self.workload
        with suppress(RunaiError):
            explained = await self._client.engine.explain(workload.id)
            workload = replace(workload, verdict=explained.verdict)
        return _not_placed(workload, queue_timeout_s)

    async def _lost(self) -> RunaiError:
        """Why a workload that was placed has no kernel."""
        workload = self.workload
        output = b"".join([piece.data async for piece in self._client.engine.logs(workload.id)])
        said = output.decode(errors="replace").strip()[-_LAST_WORDS:]
        reason = workload.reason or "its process did not answer"
        return Conflict(f"{workload.name} {workload.state}: {reason}.", said and f"It said: {said}")


def _waits(workload: Workload) -> bool:
    return workload.state in ("pending", "suspending", "suspended", "resuming")


def _not_placed(workload: Workload, queue_timeout_s: float | None) -> Conflict:
    words = "; ".join(word.rstrip(".") for word in waiting_words(workload)) or "the engine has not said why"
    if never_starts(workload):
        return Conflict(f"The kernel cannot start: {words}.", "Ask for less: jupyter runai kernelspec install --help")
    return Conflict(
        f"The kernel got no device within {queue_timeout_s:g} s: {words}.",
        "See who holds what with %runai devices, ask for less, or try again later.",
    )
