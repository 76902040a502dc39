"""Work with devices that is no GpuWorkload, as one workload for each object that makes pods."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from scheduler_core.errors import Conflict, NotAllowed, NotFound, RunaiError
from scheduler_core.kubernetes.api.connection import MERGE_PATCH, Connection, Json
from scheduler_core.kubernetes.api.listing import listed
from scheduler_core.kubernetes.api.resources import QUEUE_LABEL
from scheduler_core.kubernetes.state.grouping import UNKNOWN, Grouped, grouped
from scheduler_core.kubernetes.state.memberships import metadata_of
from scheduler_core.kubernetes.state.owner_kinds import OwnerKind
from scheduler_core.kubernetes.state.owners import Owners
from scheduler_core.kubernetes.state.pod_requests import is_share
from scheduler_core.kubernetes.state.pods import Pod, read_pod
from scheduler_core.kubernetes.state.sight import Sight
from scheduler_core.workload import DEFAULT_QUEUE, KIND_PRIORITY, Allocation, Origin, State, Verb, Workload

_LOOK_AGAIN_S = 5.0
_log = logging.getLogger(__name__)


class Others:
    """The workloads of this user's namespace that are none of ours; `changed` is called with what has changed of them.

    Null stands for what has gone. One that may not read pods sees none.
    """

    def __init__(
        self,
        connection: Connection,
        sight: Sight,
        owners: Owners,
        changed: Callable[[Mapping[str, Workload | None]], None],
    ) -> None:
        self.seen: Mapping[str, Workload] = {}
        self._connection = connection
        self._path = f"/api/v1/namespaces/{connection.namespace}/pods"
        self._sight = sight
        self._owners = owners
        self._changed = changed
        self._news = asyncio.Event()
        sight.tell(lambda _: self._news.set())

    async def list(self) -> tuple[Workload, ...]:
        return tuple((await self._workloads(await self._pods())).values())

    async def get(self, workload_id: str) -> Workload:
        """One of them.

        Raises:
            NotFound: there is none of this id.
        """
        found = await self._workloads(await self._pods())
        if workload_id not in found:
            raise NotFound(f"There is no workload {workload_id!r}.")
        return found[workload_id]

    async def act(self, workload_id: str, verb: Verb) -> Workload:
        """Do to its object what it is made for, with this user's own rights.

        Raises:
            Conflict: its kind cannot do that.
        """
        workload = await self.get(workload_id)
        origin, top = workload.origin, (await self._tops(await self._pods()))[workload_id]
        if origin is None or verb not in origin.actions:
            raise Conflict(f"A {top.kind} of another project cannot be told to {verb} from here.")
        path = await self._owners.path(top.api_version, top.kind, top.namespace, top.name)
        if verb == "stop":
            await self._connection.send("DELETE", path, propagationPolicy="Background")
        else:
            change = _nested(f"spec.{top.rule.suspend}", verb == "suspend")
            await self._connection.send("PATCH", path, change, MERGE_PATCH)
        return workload

    async def follow(self) -> None:
        """Follow them until cancelled."""
        await self._sight.known.wait()
        while True:
            self._news.clear()
            before = self.seen
            try:
                self.seen = await self._workloads(list(self._sight.pods()))
            except RunaiError as error:
                _log.info("Work that was not submitted here is looked at again: %s", error)
                await asyncio.sleep(_LOOK_AGAIN_S)
                self._news.set()
            gone: dict[str, Workload | None] = {key: None for key in before if key not in self.seen}
            fresh = {key: one for key, one in self.seen.items() if before.get(key) != one}
            if gone or fresh:
                self._changed({**gone, **fresh})
            await self._news.wait()

    async def _pods(self) -> Sequence[Pod]:
        try:
            return [read_pod(bytes(item)) async for item in listed(self._connection, self._path)]
        except NotAllowed:
            return ()

    async def _workloads(self, pods: Sequence[Pod]) -> Mapping[str, Workload]:
        members: dict[str, list[Pod]] = {}
        tops: dict[str, Grouped] = {}
        for pod, top in [(pod, await self._top(pod)) for pod in pods if _is_other(pod)]:
            members.setdefault(_id(top), []).append(pod)
            tops.setdefault(_id(top), top)
        return {key: _workload(key, tops[key], found) for key, found in members.items()}

    async def _tops(self, pods: Sequence[Pod]) -> Mapping[str, Grouped]:
        found = [await self._top(pod) for pod in pods if _is_other(pod)]
        return {_id(top): top for top in found}

    async def _top(self, pod: Pod) -> Grouped:
        metadata = metadata_of(pod)
        return grouped(metadata, await self._owners.above(metadata))


def is_others(workload_id: str) -> bool:
    """Whether an id is of one of these: no GpuWorkload of ours has a dot in its name."""
    return "." in workload_id


def _is_other(pod: Pod) -> bool:
    request = pod.request
    return pod.workload is None and bool(request.whole_devices or is_share(request) or request.mig)


def _id(top: Grouped) -> str:
    return ".".join(filter(None, (top.kind.lower(), top.name, top.part)))


def _workload(key: str, top: Grouped, pods: Sequence[Pod]) -> Workload:
    live = [pod for pod in pods if not pod.has_ended]
    node = next((pod.node for pod in live if pod.node is not None), None)
    priority = next((pod.priority for pod in pods if pod.priority is not None), KIND_PRIORITY[top.workload])
    is_known = top.rule is not UNKNOWN
    return Workload(
        id=key,
        name=top.name,
        owner="",
        kind=top.workload,
        queue=top.labels.get(QUEUE_LABEL, DEFAULT_QUEUE),
        priority=priority,
        preemptible=pods[0].preemptible or False,
        state=_state(pods),
        request=pods[0].request,
        created=min(pod.created for pod in pods),
        simulated=False,
        started=min((pod.started for pod in pods if pod.started is not None), default=None),
        allocation=None if node is None else Allocation(node=node),
        tasks=max(1, len(live)),
        min_tasks=min(top.gang.least, max(1, len(live))),
        origin=Origin(
            kind=top.kind,
            level="third-party" if is_known else "other",
            scheduler=pods[0].scheduler,
            actions=_actions(top.rule) if is_known else (),
        ),
    )


def _actions(rule: OwnerKind) -> tuple[Verb, ...]:
    return ("stop", "suspend", "resume") if rule.suspend else ("stop",)


def _state(pods: Sequence[Pod]) -> State:
    phases = {pod.phase for pod in pods}
    if "Running" in phases:
        return "running"
    if phases & {"Pending", "Unknown"}:
        placed = all(pod.node is not None for pod in pods if not pod.has_ended)
        return "initializing" if placed else "pending"
    return "failed" if "Failed" in phases else "completed"


def _nested(path: str, value: bool) -> Json:
    """A change to one field."""
    first, _, rest = path.partition(".")
    return {first: _nested(rest, value) if rest else value}
