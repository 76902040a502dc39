"""The queues of a cluster, as everybody may see them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from scheduler_core.errors import InvalidRequest, NotFound
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.queue_objects import GpuQueue
from scheduler_core.kubernetes.api.resources import QUEUES
from scheduler_core.policies.templates import Environment
from scheduler_core.workload import DEFAULT_QUEUE, QueueStatus


class _Listed(Struct, frozen=True):
    items: list[GpuQueue]


class Queues:
    """All queues; where nobody has made one there is `default`, with all devices."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def admit(self, name: str, namespace: str) -> dict[str, GpuQueue]:
        """Refuse a workload that no controller would ever place; all queues by their names.

        Raises:
            InvalidRequest: there is no such queue, or it is not for this namespace, or it is a department.
        """
        queues = {queue.metadata.name: queue for queue in await self._list()}
        if name not in queues and (queues or name != DEFAULT_QUEUE):
            names = ", ".join(queues) or DEFAULT_QUEUE
            raise InvalidRequest(f"There is no project {name!r}.", f"There is: {names}.")
        if queues and not queues[name].admits(namespace):
            raise InvalidRequest(f"The project {name} is not for the namespace {namespace}.")
        children = [queue.metadata.name for queue in queues.values() if queue.spec.parent == name]
        if children:
            raise InvalidRequest(f"{name} is a department.", f"Name one of its projects: {', '.join(children)}.")
        return queues

    async def statuses(self) -> tuple[QueueStatus, ...]:
        return queue_statuses(await self._list())

    async def environments(self, namespace: str) -> tuple[Environment, ...]:
        """Those that work of a namespace can name, each once: a project's own go before those of its department."""
        queues = {queue.metadata.name: queue for queue in await self._list()}
        found: dict[str, Environment] = {}
        parents = {queue.spec.parent for queue in queues.values()}
        nearest = [queue for name, queue in queues.items() if name not in parents and queue.admits(namespace)]
        while nearest:
            for queue in nearest:
                found = {environment.name: environment for environment in queue.spec.environments} | found
            above = {queue.spec.parent for queue in nearest if queue.spec.parent}
            nearest = [queues.pop(parent) for parent in sorted(above) if parent in queues]
        return tuple(found[name] for name in sorted(found))

    async def _list(self) -> list[GpuQueue]:
        try:
            content = await self._connection.raw(QUEUES.path())
        except NotFound:
            raise NotFound(
                "This cluster does not know our workloads and queues.",
                "Whoever runs it can change that: jupyter runai cluster install",
            ) from None
        return msgspec.json.decode(content, type=_Listed).items


def queue_statuses(queues: Iterable[GpuQueue]) -> tuple[QueueStatus, ...]:
    """As people see them; where nobody has made one there is `default`, with all devices."""
    found = [
        QueueStatus(
            name=queue.metadata.name,
            parent=queue.spec.parent,
            quota=queue.spec.gpu.quota,
            limit=queue.spec.gpu.limit,
            fair_share=queue.status.fair_share,
            allocated=queue.status.allocated,
            requested=queue.status.requested,
        )
        for queue in sorted(queues, key=lambda queue: queue.metadata.name)
    ]
    nobodys = QueueStatus(
        name=DEFAULT_QUEUE, parent=None, quota=None, limit=None, fair_share=None, allocated=0.0, requested=0.0
    )
    return tuple(found) or (nobodys,)
