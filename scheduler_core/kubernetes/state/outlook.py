"""What the planner says of a cluster to one of its users who may see all of it: no controller is asked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.errors import NotAllowed, RunaiError
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.listing import listed
from scheduler_core.kubernetes.api.queue_objects import read_queue
from scheduler_core.kubernetes.api.resources import QUEUES, WORKLOADS
from scheduler_core.kubernetes.state.cluster import Cluster, read_planned
from scheduler_core.kubernetes.state.membership import workload_of
from scheduler_core.kubernetes.state.memberships import Memberships
from scheduler_core.kubernetes.state.nodes import read_machine
from scheduler_core.kubernetes.state.owners import Owners
from scheduler_core.kubernetes.state.pods import read_pod
from scheduler_core.kubernetes.state.shown_devices import shown_devices
from scheduler_core.kubernetes.state.snapshot import View, view
from scheduler_core.model import Verdict
from scheduler_core.planned import forecast, pending_workload, spec_change
from scheduler_core.planning.plan import plan
from scheduler_core.planning.remedies import changes
from scheduler_core.workload import PRIORITIES, Device, SpecChange, WorkloadSpec

_PREVIEW = "preview"
_log = logging.getLogger(__name__)
_Record = TypeVar("_Record")


class Reason(Struct, frozen=True, kw_only=True):
    """Why a workload waits, with its position as it is now, and what would let it start."""

    verdict: Verdict | None
    remedies: tuple[SpecChange, ...] = ()


class Outlook:
    """Plans what the cluster shows, for a user of one namespace; every method raises `NotAllowed` where it does not."""

    def __init__(self, connection: Connection, owners: Owners) -> None:
        self._connection = connection
        self._grouping = Memberships(owners)

    async def devices(self) -> tuple[Device, ...]:
        """Every device of the cluster with who holds it."""
        cluster = await self._cluster()
        return shown_devices(cluster, view(cluster, self._grouping, time.time()))

    async def preview(self, spec: WorkloadSpec) -> Verdict:
        """The verdict that `spec` would get now."""
        now = time.time()
        asked = pending_workload(_PREVIEW, spec, now)
        seen = view(await self._cluster(), self._grouping, now, (asked,))
        made = await asyncio.to_thread(plan, seen.snapshot)
        verdict = next(verdict for verdict in made.verdicts if verdict.workload == _PREVIEW)
        return self._local(replace(verdict, facts=verdict.facts | forecast(made, asked, {})))

    async def reason(self, name: str, spec: WorkloadSpec, remedies: bool) -> Reason:
        """Of a workload of this namespace; without a verdict where no plan knows it yet."""
        key, now = f"{self._connection.namespace}/{name}", time.time()
        cluster = await self._cluster()
        seen = view(cluster, self._grouping, now)
        if len(seen.members.get(key, ())) < spec.tasks:
            seen = self._with_all_pods(cluster, key, spec, now)
        asked = next((one for one in seen.snapshot.workloads if one.id == key), None)
        if asked is None:
            return Reason(verdict=None)
        made = await asyncio.to_thread(plan, seen.snapshot)
        said = (*seen.refused, *made.verdicts)
        verdict = next((self._local(one) for one in said if one.workload == key and one.state != "placed"), None)
        if not remedies or verdict is None:
            return Reason(verdict=verdict)
        helpful = await asyncio.to_thread(changes, seen.snapshot, key, PRIORITIES)
        return Reason(verdict=verdict, remedies=tuple(spec_change(spec, asked, change) for change in helpful))

    def _with_all_pods(self, cluster: Cluster, key: str, spec: WorkloadSpec, now: float) -> View:
        """As it will be when the pods of a workload that are still on their way have come."""
        known = cluster.workloads.get(key)
        cluster.pods = {name: pod for name, pod in cluster.pods.items() if workload_of(pod) != key}
        asked = pending_workload(key, spec, now if known is None else known.created)
        return view(cluster, self._grouping, now, (asked,))

    def _local(self, verdict: Verdict) -> Verdict:
        """With the workloads of this namespace by their ids here."""
        prefix = f"{self._connection.namespace}/"
        ahead = tuple(key.removeprefix(prefix) for key in verdict.ahead)
        return replace(verdict, workload=verdict.workload.removeprefix(prefix), ahead=ahead)

    async def _cluster(self) -> Cluster:
        try:
            cluster = await read_cluster(self._connection)
        except NotAllowed as error:
            hint = "Whoever runs it can give the cluster role jupyter-runai-cluster-view."
            raise NotAllowed(f"Only who may see the whole cluster can be told: {error.message}", hint) from error
        await self._grouping.learn(cluster.pods.values())
        return cluster


async def read_cluster(connection: Connection) -> Cluster:
    """All that plans depend on, as the API has it now.

    Raises:
        NotAllowed: this user may not see all of it.
    """
    cluster = Cluster()
    machines, pods, workloads, queues = await asyncio.gather(
        _read(connection, "/api/v1/nodes", read_machine),
        _read(connection, "/api/v1/pods", read_pod),
        _read(connection, WORKLOADS.path(), read_planned),
        _read(connection, QUEUES.path(), read_queue),
    )
    cluster.machines = {machine.name: machine for machine in machines}
    cluster.pods = {pod.key: pod for pod in pods}
    cluster.workloads = {workload.key: workload for workload in workloads}
    cluster.queues = {queue.metadata.name: queue for queue in queues}
    return cluster


async def _read(connection: Connection, path: str, read: Callable[[bytes], _Record]) -> list[_Record]:
    found: list[_Record] = []
    async for item in listed(connection, path):
        try:
            found.append(read(bytes(item)))
        except (msgspec.MsgspecError, ValueError, RunaiError) as error:
            _log.warning("One of %s is left aside: %s", path, error)
    return found
