"""What of a cluster one of its users may see, kept up to date: all of it, else at most the pods of their namespace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from scheduler_core.errors import NotAllowed
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.reflector import Reflector
from scheduler_core.kubernetes.state.cluster import Cluster
from scheduler_core.kubernetes.state.mirror import mirrored, mirrored_pods
from scheduler_core.kubernetes.state.pods import Pod

_OF_THE_WHOLE_CLUSTER = ("/api/v1/nodes", "/api/v1/pods")


class Sight:
    """Follows it once for all who look on; who has something to be told is called with whether a plan may change."""

    def __init__(self, connection: Connection) -> None:
        self.cluster = Cluster()
        self.sees_all = False
        self.known = asyncio.Event()
        self._connection = connection
        self._listeners: list[Callable[[bool], None]] = []

    def tell(self, listener: Callable[[bool], None]) -> None:
        """Call this one too from now on."""
        self._listeners.append(listener)

    def pods(self) -> Iterator[Pod]:
        """Those of this user's namespace; none where they may not be read."""
        namespace = self._connection.namespace
        return (pod for pod in self.cluster.pods.values() if pod.namespace == namespace)

    async def run(self) -> None:
        """Follow it until cancelled.

        Raises:
            RunaiError: what may be read cannot be.
        """
        self.known.clear()
        self.cluster = Cluster()
        self.sees_all = await self._may_see_all()
        if self.sees_all:
            await self._follow(mirrored(self._connection, self.cluster, self._changed))
            return
        path = f"/api/v1/namespaces/{self._connection.namespace}/pods"
        if await self._may_read(path):
            await self._follow((mirrored_pods(self._connection, path, self.cluster, self._changed),))
        self.known.set()
        await asyncio.Event().wait()

    async def _follow(self, reflectors: tuple[Reflector[Any], ...]) -> None:
        async with asyncio.TaskGroup() as parts:
            for reflector in reflectors:
                parts.create_task(reflector.run())
            for reflector in reflectors:
                await reflector.synced.wait()
            self.known.set()

    async def _may_see_all(self) -> bool:
        return all([await self._may_read(path) for path in _OF_THE_WHOLE_CLUSTER])

    async def _may_read(self, path: str) -> bool:
        with suppress(NotAllowed):
            await self._connection.raw(path, limit="1")
            return True
        return False

    def _changed(self, matters: bool) -> None:
        for listener in self._listeners:
            listener(matters)
