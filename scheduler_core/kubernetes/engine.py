"""The engine on a cluster, for one of its users: what is known is read from the API, what is asked is written to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractContextManager, aclosing
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from scheduler_core.accounting.past import QueueHistory
from scheduler_core.accounting.usage import MOST_GROUPS, Usage, UsageBy, UsageStep
from scheduler_core.engine import Door, Ends
from scheduler_core.errors import Conflict, InvalidRequest, NotAllowed, RunaiError, leaves
from scheduler_core.feed import Feed
from scheduler_core.kubernetes.absent import Absent
from scheduler_core.kubernetes.api.connection import Connection, Json
from scheduler_core.kubernetes.api.history import NOT_KEPT, HistoryReader
from scheduler_core.kubernetes.api.objects import GpuWorkload, read_workload, scaling_obstacle
from scheduler_core.kubernetes.api.reflector import Reflector
from scheduler_core.kubernetes.api.tunnels import Tunnels
from scheduler_core.kubernetes.running.followed_jobs import has_kind, not_there
from scheduler_core.kubernetes.running.job_kinds import JOB_KINDS, WITHOUT_INPUTS, no_inputs
from scheduler_core.kubernetes.running.outputs import Outputs
from scheduler_core.kubernetes.running.surroundings import surrounded
from scheduler_core.kubernetes.running.workloads import Workloads
from scheduler_core.kubernetes.running.world import DOOR
from scheduler_core.kubernetes.scheduling.kai import KAI_NOTICE, has_kai
from scheduler_core.kubernetes.state.live import Live
from scheduler_core.kubernetes.state.others import Others, is_others
from scheduler_core.kubernetes.state.outlook import Outlook, Reason
from scheduler_core.kubernetes.state.owners import Owners
from scheduler_core.kubernetes.state.queues import Queues
from scheduler_core.kubernetes.state.sight import Sight
from scheduler_core.model import TaskRequest, Verdict
from scheduler_core.policies.templates import Catalog
from scheduler_core.staging import travelling_folder
from scheduler_core.workload import (
    Activity,
    Device,
    DevicesChanged,
    EngineInfo,
    EngineState,
    Event,
    Explanation,
    JobKindName,
    Measurement,
    Output,
    QueuesChanged,
    QueueStatus,
    Resized,
    Scale,
    Step,
    TaskStatus,
    Workload,
    WorkloadChanged,
    WorkloadDeleted,
    WorkloadSpec,
)

_PROTOCOL = 1
_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


class KubernetesEngine(Absent):
    """The workloads of one namespace; `image` is what those run in that name none.

    Every method raises as the port says, and `NotAllowed` where the cluster does not let this user.
    """

    def __init__(self, connection: Connection, user: str, image: str | None = None) -> None:
        self._connection = connection
        self._user = user
        self._image = image
        self._workloads = Workloads(connection, connection.namespace)
        self._history = HistoryReader(connection)
        self._outputs = Outputs(connection, connection.namespace, self._workloads, self._history)
        self._tunnels = Tunnels(connection)
        self._queues = Queues(connection)
        owners = Owners(connection)
        self._outlook = Outlook(connection, owners)
        self._sight = Sight(connection)
        self._live = Live(connection, self._sight, owners, self._machines_changed)
        self._feed = Feed(self._state)
        self._reflector = Reflector(connection, self._workloads.path, read_workload, self._changed)
        self._notice = ""
        self._others = Others(connection, self._sight, owners, self._others_changed)
        self._following: asyncio.Task[None] | None = None
        self._following_others: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, context: str | None = None, image: str | None = None) -> KubernetesEngine:
        """With the credentials that this user has, in their namespace."""
        connection = await Connection.open(context)
        try:
            review: Json = await connection.send(
                "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", dict(_REVIEW)
            )
        except BaseException:
            await connection.close()
            raise
        return cls(connection, review["status"]["userInfo"]["username"], image)

    async def info(self) -> EngineInfo:
        told = [KAI_NOTICE] if await has_kai(self._connection) else []
        if await self._history.keeping() is None:
            told.append(f"Here {NOT_KEPT}.")
        self._notice = " ".join(told)
        return self._info()

    def staging(self) -> AbstractContextManager[Path]:
        """A private folder, gone at exit: what is submitted of it travels."""
        return travelling_folder()

    async def submit(self, spec: WorkloadSpec, inputs: Path | None = None) -> Workload:
        """Store a workload in the API; it waits there for the controller.

        `TooLarge` where its inputs are more than travels.
        """
        if spec.job_kind != "Job":
            await self._check_kind(spec.job_kind, inputs)
        queues = await self._queues.admit(spec.queue, self._connection.namespace)
        found = await surrounded(self._connection, replace(spec, image=spec.image or self._image), queues)
        return (await self._workloads.create(found, self._user, inputs)).workload()

    async def list(self, deleted: bool = False) -> tuple[Workload, ...]:
        """All of the namespace; work with devices that was not submitted here is among them."""
        ours = tuple(one.workload() for one in await self._workloads.list(deleted))
        return ours if deleted else _oldest_first((*ours, *await self._others.list()))

    async def get(self, workload_id: str) -> Workload:
        if is_others(workload_id):
            return await self._others.get(workload_id)
        return (await self._workloads.get(workload_id)).workload()

    async def tasks(self, workload_id: str) -> tuple[TaskStatus, ...]:
        return (await self._workloads.get(workload_id)).task_statuses()

    async def logs(
        self, workload_id: str, offset: int = 0, follow: bool = False, task: int = 0
    ) -> AsyncGenerator[Output, None]:
        """As kubelets keep it: of a task that was started again what its last pod said.

        Of a pod that is gone there is what the controller has kept, where it keeps history.
        """
        async with aclosing(self._outputs.logs(workload_id, offset, follow, task)) as pieces:
            async for piece in pieces:
                yield piece

    async def results(self, workload_id: str, task: int = 0) -> Path:
        """Brought here once its task has ended; `TooLarge` where that is more than is brought back."""
        return await self._outputs.results(workload_id, task)

    async def dial(self, workload_id: str, socket: str, task: int = 0) -> Ends:
        return await self._tunnels.dial(await self._outputs.place(workload_id, task), DOOR)

    async def tell_activity(self, workload_id: str, activity: Activity) -> None:
        await self._workloads.note(workload_id, activity)

    async def forward(self, workload_id: str, host: str, ports: Mapping[int, int]) -> Door:
        """By the pod's own address where this process is in the cluster, else through the API server."""
        return await self._tunnels.open(lambda: self._outputs.place(workload_id), host, ports)

    async def measurements(
        self, workload_id: str, step: Step = "minute", since: float = 0.0
    ) -> tuple[Measurement, ...]:
        """None: nothing measures in this cluster yet."""
        await self._workloads.get(workload_id)
        return ()

    async def follow_measurements(
        self, workload_id: str, step: Step = "minute", since: float = 0.0
    ) -> AsyncGenerator[tuple[Measurement, ...], None]:
        """No more than `measurements` has, and the end with the workload's."""
        yield await self.measurements(workload_id, step, since)
        async with aclosing(self.watch()) as events:
            async for event in events:
                if _tells_end(event, workload_id):
                    return

    async def specification(self, workload_id: str) -> WorkloadSpec:
        return await self._workloads.submission(workload_id)

    async def stop(self, workload_id: str) -> Workload:
        if is_others(workload_id):
            return await self._others.act(workload_id, "stop")
        workload = await self.get(workload_id)
        return workload if workload.has_ended else (await self._workloads.want(workload_id, "stopped")).workload()

    async def suspend(self, workload_id: str) -> Workload:
        if is_others(workload_id):
            return await self._others.act(workload_id, "suspend")
        await self._unended(workload_id)
        return (await self._workloads.want(workload_id, "suspended")).workload()

    async def resume(self, workload_id: str) -> Workload:
        if is_others(workload_id):
            return await self._others.act(workload_id, "resume")
        await self._unended(workload_id)
        return (await self._workloads.want(workload_id, "running")).workload()

    async def resize(self, workload_id: str, request: TaskRequest) -> Resized:
        await self._unended(workload_id)
        workload = (await self._workloads.ask_for(workload_id, request)).workload()
        if workload.next_request is None:
            return Resized(workload=workload, applied="now")
        return Resized(workload=workload, applied="next_start", reason="a pod keeps what it was given")

    async def scale(self, workload_id: str, scale: Scale) -> Resized:
        await self._unended(workload_id)
        found = await self._workloads.get(workload_id)
        if scale.min_tasks is not None and found.spec.job_kind != "Job":
            raise InvalidRequest(f"A {found.spec.job_kind} stays of one size while it runs.", "Leave the fewest out.")
        if scale.min_tasks is not None and not found.spec.gang:
            raise InvalidRequest("The tasks of an array do not start together: it has no fewest.")
        if scale.min_tasks is None and found.spec.min_tasks is not None:
            scale = Scale(tasks=scale.tasks, min_tasks=min(found.spec.min_tasks, scale.tasks))
        scaled = await self._workloads.scale(workload_id, scale)
        obstacle = scaling_obstacle(scaled.spec, scaled.status.as_started)
        applied: Literal["now", "next_start"] = "next_start" if obstacle else "now"
        return Resized(workload=scaled.workload(), applied=applied, reason=obstacle)

    async def delete(self, workload_id: str, purge: bool = False) -> None:
        if purge and await self._workloads.is_deleted(workload_id):
            await self._workloads.purge(workload_id)
            return
        workload = await self.get(workload_id)
        if not workload.has_ended:
            raise Conflict(f"{workload.name} has not ended.", f"Stop it first: %runai stop {workload.name}")
        await (self._workloads.purge if purge else self._workloads.discard)(workload_id)

    async def restore(self, workload_id: str) -> Workload:
        return (await self._workloads.restore(workload_id)).workload()

    async def preview(self, spec: WorkloadSpec) -> Verdict:
        """The verdict the workload would get now; `NotAllowed` where this user may not see the whole cluster."""
        await self._queues.admit(spec.queue, self._connection.namespace)
        return await self._outlook.preview(spec)

    async def explain(self, workload_id: str, remedies: bool = False) -> Explanation:
        """Why a workload is where it is.

        Its position, and what would let it start, are told to who may see the whole cluster.
        """
        workload = await self.get(workload_id)
        queue = next((queue for queue in await self._queues.statuses() if queue.name == workload.queue), None)
        reason = await self._reason(workload, remedies) if workload.state == "pending" else Reason(verdict=None)
        verdict = reason.verdict or workload.verdict
        return Explanation(workload=workload, verdict=verdict, queue=queue, remedies=reason.remedies)

    async def _reason(self, workload: Workload, remedies: bool) -> Reason:
        try:
            return await self._outlook.reason(workload.id, await self.specification(workload.id), remedies)
        except NotAllowed:
            return Reason(verdict=None)

    async def devices(self) -> tuple[Device, ...]:
        """Every device of the cluster; `NotAllowed` where this user may not see all of it."""
        return await self._outlook.devices()

    async def queues(self) -> tuple[QueueStatus, ...]:
        return await self._queues.statuses()

    async def usage(
        self,
        by: UsageBy = "project",
        since: float = 0.0,
        until: float | None = None,
        step: UsageStep = "all",
        most: int = MOST_GROUPS,
    ) -> Usage:
        """Of the whole cluster for whom its accounts are open, else of this namespace.

        `InvalidRequest` where nobody keeps it, `NotAllowed` where this user may not read the Secret that opens it.
        """
        return await self._history.usage(by, since, until, step, most)

    async def queue_history(
        self, since: float = 0.0, until: float | None = None, step: UsageStep = "all"
    ) -> QueueHistory:
        """All queues; errors as those of `usage`."""
        return await self._history.queue_history(since, until, step)

    async def catalog(self) -> Catalog:
        """The environments of the queues that this namespace may use; there are no templates."""
        return Catalog(environments=await self._queues.environments(self._connection.namespace))

    async def watch(self, since: tuple[str, int] | None = None) -> AsyncGenerator[Event, None]:
        """Events after `since` where this engine object still has them, else from a full state on."""
        following = await self._follow()
        async with aclosing(self._feed.subscribe(since)) as events:
            while True:
                upcoming = asyncio.ensure_future(anext(events))
                try:
                    await asyncio.wait((upcoming, following), return_when=asyncio.FIRST_COMPLETED)
                    if following.done():
                        following.result()
                    yield await upcoming
                finally:
                    if not upcoming.done():
                        upcoming.cancel()
                        await asyncio.wait((upcoming,))

    async def close(self) -> None:
        for following in filter(None, (self._following, self._following_others)):
            following.cancel()
            await asyncio.wait((following,))
        await self._tunnels.close()
        self._outputs.close()
        await self._connection.close()

    async def _follow(self) -> asyncio.Task[None]:
        """Follow the workloads from now on, as long as they may be read.

        Raises:
            RunaiError: they may not.
        """
        if self._following is None or self._following.done():
            await self.info()
            # Says what to do where the cluster does not know our kinds.
            await self._queues.statuses()
            self._following = asyncio.ensure_future(self._followed())
            self._following_others = asyncio.ensure_future(self._others.follow())
        listed = asyncio.ensure_future(self._reflector.synced.wait())
        await asyncio.wait((listed, self._following), return_when=asyncio.FIRST_COMPLETED)
        listed.cancel()
        if self._following.done():
            self._following.result()
        return self._following

    async def _followed(self) -> None:
        try:
            async with asyncio.TaskGroup() as parts:
                parts.create_task(self._reflector.run())
                parts.create_task(self._sight.run())
                parts.create_task(self._live.run())
        except* RunaiError as refused:
            raise next(leaves(refused)) from None

    async def _check_kind(self, name: JobKindName, inputs: Path | None) -> None:
        if inputs is not None and name in WITHOUT_INPUTS:
            raise no_inputs(name)
        if not await has_kind(self._connection, JOB_KINDS[name]):
            raise not_there(name)

    async def _unended(self, workload_id: str) -> None:
        workload = await self.get(workload_id)
        if workload.has_ended:
            raise Conflict(f"{workload.name} is {workload.state}.")

    def _changed(self, changes: Mapping[str, GpuWorkload | None]) -> None:
        for key, found in changes.items():
            if found is None or found.is_deleted:
                self._feed.publish(_gone(key.rpartition("/")[2]))
            else:
                self._feed.publish(_changed(found.workload()))

    def _machines_changed(self, devices_differ: bool, queues_differ: bool) -> None:
        devices, queues = self._live.devices, self._live.queues
        if devices_differ:
            self._feed.publish(lambda epoch, seq: DevicesChanged(epoch=epoch, seq=seq, devices=devices))
        if queues_differ:
            self._feed.publish(lambda epoch, seq: QueuesChanged(epoch=epoch, seq=seq, queues=queues))

    def _others_changed(self, changes: Mapping[str, Workload | None]) -> None:
        for key, found in changes.items():
            self._feed.publish(_gone(key) if found is None else _changed(found))

    def _state(self, epoch: str, seq: int) -> EngineState:
        seen = [one.workload() for one in self._reflector.records.values() if not one.is_deleted]
        return EngineState(
            epoch=epoch,
            seq=seq,
            info=self._info(),
            devices=self._live.devices,
            queues=self._live.queues,
            workloads=_oldest_first((*seen, *self._others.seen.values())),
        )

    def _info(self) -> EngineInfo:
        return EngineInfo(
            kind="kubernetes",
            protocol=_PROTOCOL,
            version=_version(),
            host=self._connection.server,
            user=self._user,
            pid=0,
            simulated=None,
            notice=self._notice,
            survives=("a restart of Jupyter", "a restart of this machine"),
            shared=True,
        )


def _oldest_first(workloads: tuple[Workload, ...]) -> tuple[Workload, ...]:
    return tuple(sorted(workloads, key=lambda workload: (workload.created, workload.id)))


def _gone(name: str) -> Callable[[str, int], Event]:
    return lambda epoch, seq: WorkloadDeleted(epoch=epoch, seq=seq, id=name)


def _changed(workload: Workload) -> Callable[[str, int], Event]:
    return lambda epoch, seq: WorkloadChanged(epoch=epoch, seq=seq, workload=workload)


def _tells_end(event: Event, name: str) -> bool:
    if isinstance(event, EngineState):
        return all(one.has_ended for one in event.workloads if one.id == name)
    if isinstance(event, WorkloadChanged):
        return event.workload.id == name and event.workload.has_ended
    return isinstance(event, WorkloadDeleted) and event.id == name


@cache
def _version() -> str:
    try:
        return version("jupyter-runai")
    except PackageNotFoundError:
        return "0"
