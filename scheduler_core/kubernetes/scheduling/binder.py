"""Pods on their way to their nodes: many at once, each assumed to be there until the API tells."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from scheduler_core.errors import Conflict, EngineUnavailable, NotFound, RunaiError
from scheduler_core.kubernetes.api.connection import Connection, Json
from scheduler_core.kubernetes.api.resources import ALLOCATION_ANNOTATION
from scheduler_core.kubernetes.state.cluster import Binding, Cluster
from scheduler_core.kubernetes.state.pod_requests import is_share
from scheduler_core.kubernetes.state.pods import read_pod
from scheduler_core.workload import Allocation

Reserve: TypeAlias = Callable[[Binding], Awaitable[Binding | None]]
"""Makes the devices ready that a pod is to share; the answer is how it is bound, null where it cannot be."""

_AT_ONCE = 12
_SHORT_LINE = 2 * _AT_ONCE
_ANSWER_S = 5.0
"""Far less than a lease lasts: what a leader asked for is done, or refused, before the next one plans."""
_RETRY_S = (0.2, 5.0)
_HELD_BACK_S = (1.0, 60.0)
_log = logging.getLogger(__name__)


class Binder:
    """Binds pods; `changed` is called where one could not be bound and the next plan is to look again."""

    def __init__(self, connection: Connection, cluster: Cluster, reserve: Reserve, changed: Callable[[], None]) -> None:
        self._connection = connection
        self._cluster = cluster
        self._reserve = reserve
        self._changed = changed
        self._line: asyncio.Queue[Binding] = asyncio.Queue()
        self._short = asyncio.Event()
        self._short.set()
        self._preparing: set[asyncio.Task[None]] = set()
        self._refusals: dict[str, int] = {}

    def bind(self, bindings: Sequence[Binding]) -> None:
        """Assume that all of these pods are where a plan wants them, and see to it that they come there."""
        for binding in bindings:
            self._cluster.assumed[binding.pod.uid] = binding
        self._put([binding for binding in bindings if not is_share(binding.pod.request)])
        for binding in (binding for binding in bindings if is_share(binding.pod.request)):
            # Each by itself: one whose device takes long to be held keeps no other.
            preparing = asyncio.ensure_future(self._prepare(binding))
            self._preparing.add(preparing)
            preparing.add_done_callback(self._preparing.discard)

    async def until_short(self, most_s: float) -> None:
        """Wait until few are in line, so many seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self._short.wait()

    async def run(self) -> None:
        """Bind what is in line, for ever."""
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(_AT_ONCE):
                    workers.create_task(self._work())
        finally:
            for preparing in self._preparing:
                preparing.cancel()

    async def _prepare(self, binding: Binding) -> None:
        try:
            ready = await self._reserve(binding)
        except RunaiError as error:
            _log.warning("%s waits for its devices again: %s", binding.pod.key, error)
            ready = None
        if ready is None:
            self._give_up(binding)
        elif self._is_wanted(binding):
            self._cluster.assumed[binding.pod.uid] = ready
            self._put([ready])

    def _put(self, bindings: Iterable[Binding]) -> None:
        for binding in bindings:
            self._line.put_nowait(binding)
        if self._line.qsize() > _SHORT_LINE:
            self._short.clear()

    async def _work(self) -> None:
        while True:
            binding = await self._line.get()
            if self._line.qsize() <= _SHORT_LINE:
                self._short.set()
            if self._is_wanted(binding):
                await self._bind(binding)

    async def _bind(self, binding: Binding) -> None:
        """Ask until there is an answer: one that broke off may have been heard."""
        pause = _RETRY_S[0]
        while self._is_wanted(binding):
            try:
                await _to_its_end(self._ask(binding))
            except (EngineUnavailable, TimeoutError):
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RETRY_S[1])
                continue
            except RunaiError as error:
                _log.warning("%s could not be bound to %s: %s", binding.pod.key, binding.node, error)
                self._give_up(binding)
                return
            self._refusals.pop(binding.pod.uid, None)
            return

    async def _ask(self, binding: Binding) -> None:
        pod = binding.pod
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
        async with asyncio.timeout(_ANSWER_S):
            try:
                # The server, too, gives up by then.
                await self._connection.send("POST", f"{path}/binding", _body(binding), timeout=f"{_ANSWER_S:g}s")
            except (Conflict, NotFound):
                await self._look(binding, path)

    async def _look(self, binding: Binding, path: str) -> None:
        """Assume what is so: it may be bound already, by us or by somebody else, and the API has not told yet."""
        try:
            found = read_pod(await self._connection.raw(path))
        except NotFound:
            self._give_up(binding)
            return
        if found.uid != binding.pod.uid or found.node is None:
            self._give_up(binding)
        elif found.node != binding.node and self._is_wanted(binding):
            allocation = found.allocation or Allocation(node=found.node)
            self._cluster.assumed[found.uid] = replace(binding, node=found.node, allocation=allocation)

    def _is_wanted(self, binding: Binding) -> bool:
        """Whether it is still assumed: not seen, not given up, and its pod is there."""
        return self._cluster.assumed.get(binding.pod.uid) is binding

    def _give_up(self, binding: Binding) -> None:
        """Plan it anew after a while, longer each time; where it has gone the API will tell."""
        uid = binding.pod.uid
        if not self._is_wanted(binding):
            self._refusals.pop(uid, None)
            return
        del self._cluster.assumed[uid]
        count = self._refusals[uid] = self._refusals.get(uid, 0) + 1
        pause = min(_HELD_BACK_S[0] * 2 ** (count - 1), _HELD_BACK_S[1])
        self._cluster.held_back[uid] = time.time() + pause
        asyncio.get_running_loop().call_later(pause, self._changed)
        self._changed()


async def _to_its_end(asking: Coroutine[None, None, None]) -> None:
    """Also where we are told to stop meanwhile: whoever comes after us must not plan before it is done, or refused."""
    task = asyncio.ensure_future(asking)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.info("What was asked for at the end was refused: %s", error)
        raise


def _body(binding: Binding) -> Json:
    pod = binding.pod
    said = {ALLOCATION_ANNOTATION: msgspec.json.encode(binding.allocation).decode(), **binding.annotations}
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        # The API server writes these annotations into the pod, and refuses where another pod has its name by now.
        "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid, "annotations": said},
        "target": {"apiVersion": "v1", "kind": "Node", "name": binding.node},
    }
