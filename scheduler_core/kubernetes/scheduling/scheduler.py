"""The cycle: gather changes, take a snapshot, plan it, check the plan, apply it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.scheduling.binder import Binder
from scheduler_core.kubernetes.scheduling.evictions import Evictions
from scheduler_core.kubernetes.scheduling.queue_reports import QueueReports
from scheduler_core.kubernetes.scheduling.verdicts import Verdicts
from scheduler_core.kubernetes.sharing.reservation_pods import Slot
from scheduler_core.kubernetes.sharing.shares import Shares, slots_of
from scheduler_core.kubernetes.state.cluster import Binding, Cluster
from scheduler_core.kubernetes.state.membership import Grouping
from scheduler_core.kubernetes.state.pod_requests import is_share
from scheduler_core.kubernetes.state.pods import Pod
from scheduler_core.kubernetes.state.slots import allocation_on, device_id, device_index
from scheduler_core.kubernetes.state.snapshot import View, view
from scheduler_core.model import Bind, Eviction, Plan, Snapshot, Verdict, VerdictCode
from scheduler_core.planning.check import Violation, check
from scheduler_core.planning.plan import plan
from scheduler_core.workload import QueueStatus

_GATHER_S = 0.05
_BUSY_S = 1.0
_LOOK_AGAIN_S = 10.0
"""Time alone changes plans too: what was protected is no more, a gang below its minimum gets stale."""
_log = logging.getLogger(__name__)


class Scheduler:
    """Plans whenever something changed, one plan at a time, off the event loop; a plan's bindings are assumed done."""

    def __init__(
        self,
        connection: Connection,
        cluster: Cluster,
        grouping: Grouping,
        shares: Shares,
    ) -> None:
        self._cluster = cluster
        self._grouping = grouping
        self._shares = shares
        self._binder = Binder(connection, cluster, shares.reserve, self.wake)
        self._evictions = Evictions(connection, cluster, self.wake)
        self._verdicts = Verdicts(connection, cluster)
        self._reports = QueueReports(connection, cluster)
        self._changed = asyncio.Event()
        self.waiting: Mapping[tuple[str, VerdictCode], int] = {}
        """How many workloads wait by project and cause, as the newest plan has it."""

    @property
    def queues(self) -> tuple[QueueStatus, ...]:
        """The queues as the newest plan has them."""
        return self._reports.queues()

    def wake(self) -> None:
        """Something changed: plan again."""
        self._changed.set()

    async def run(self) -> None:
        """Plan for ever, and do what is planned."""
        async with asyncio.TaskGroup() as parts:
            for part in (self._binder, self._verdicts, self._reports):
                parts.create_task(part.run())
            parts.create_task(self._plan())

    async def _plan(self) -> None:
        """Plan for ever; a defect of ours in one cycle is logged and the next change tries again.

        Planning rests for as long as it took: bindings and what the API tells have their turn.
        """
        while True:
            try:
                async with asyncio.timeout(_LOOK_AGAIN_S):
                    await self._changed.wait()
            except TimeoutError:
                pass
            await asyncio.sleep(_GATHER_S)
            # Planning while many are still to be bound only takes time from binding them.
            await self._binder.until_short(_BUSY_S)
            self._changed.clear()
            started = time.monotonic()
            try:
                await self._cycle()
            except Exception:
                _log.exception("A scheduling cycle failed")
            await asyncio.sleep(time.monotonic() - started)

    async def _cycle(self) -> None:
        refusals = self._shares.refusals()
        self._cluster.unshareable = {device_id(slot.node, slot.index) for slot in refusals}
        seen = view(self._cluster, self._grouping, time.time())
        made, violations = await asyncio.to_thread(_plan_and_check, seen.snapshot)
        if violations:
            _log.error("A plan is not valid and is not applied: %s", violations)
            return
        self._binder.bind(list(self._bindings(made.binds, seen)))
        self._shares.settle({*_shared(seen), *self._about_to_be_shared()})
        await self._evictions.evict(self._leaving(made.evictions, seen))
        told = list(_to_tell(made, seen))
        self._verdicts.tell(told, seen)
        self.waiting = _waiting(told, seen)
        self._reports.tell(made.shares)
        if made.binds and any(verdict.state == "pending" for verdict in made.verdicts):
            # Who is left has moved up.
            self.wake()

    def _bindings(self, binds: Sequence[Bind], seen: View) -> Iterator[Binding]:
        """What can still be done: pods may have gone, or changed, while it was planned."""
        now = time.time()
        for bind in binds:
            pod, machine = self._current(seen.pods[bind.task]), self._cluster.machines.get(bind.node)
            if pod is None or machine is None or pod.node is not None or pod.deleted is not None:
                continue
            allocation = allocation_on(machine, bind.gpu_ids, pod.request)
            yield Binding(pod=pod, node=bind.node, allocation=allocation, at=now)

    def _about_to_be_shared(self) -> Iterator[Slot]:
        for binding in self._cluster.assumed.values():
            if is_share(binding.pod.request):
                yield from slots_of(binding.allocation)

    def _leaving(self, evictions: Sequence[Eviction], seen: View) -> Iterator[tuple[Pod, Eviction]]:
        for eviction in evictions:
            pod = self._current(seen.pods[eviction.task])
            if pod is not None and pod.uid not in self._cluster.leaving:
                yield pod, eviction

    def _current(self, pod: Pod) -> Pod | None:
        known = self._cluster.pods.get(pod.key)
        return known if known is not None and known.uid == pod.uid else None


def _shared(seen: View) -> Iterator[Slot]:
    """The devices that are shared by pods on their nodes."""
    for task in (task for workload in seen.snapshot.workloads for task in workload.tasks):
        if task.node is not None and is_share(task.request):
            yield from (Slot(task.node, device_index(device)) for device in task.gpu_ids)


def _to_tell(made: Plan, seen: View) -> Iterator[Verdict]:
    """Of work that is placed nobody need be told why it waits."""
    yield from seen.refused
    refused = {verdict.workload for verdict in seen.refused}
    for verdict in made.verdicts:
        if verdict.state != "placed" and verdict.workload not in refused:
            yield verdict


def _waiting(verdicts: Iterable[Verdict], seen: View) -> Mapping[tuple[str, VerdictCode], int]:
    projects = {workload.id: workload.queue for workload in seen.snapshot.workloads}
    waiting = (one for one in verdicts if one.state == "pending" and one.workload in projects)
    return Counter((projects[verdict.workload], verdict.code) for verdict in waiting)


def _plan_and_check(snapshot: Snapshot) -> tuple[Plan, list[Violation]]:
    made = plan(snapshot)
    return made, check(snapshot, made)
