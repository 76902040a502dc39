"""Makes of what is wanted of workloads what is there, and writes down what has come of them.

It remembers nothing that is not in the API, but for why a pod was taken until that is written down: whatever it is told
of, it looks at a workload as a whole and takes the next steps, the same ones if it is asked twice.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from msgspec.structs import replace

from scheduler_core.errors import Conflict, InvalidRequest, NotFound
from scheduler_core.kubernetes.api.connection import MERGE_PATCH, Connection, Json
from scheduler_core.kubernetes.api.objects import GpuWorkload, GpuWorkloadStatus, read_workload, written_status
from scheduler_core.kubernetes.api.reflector import Reflector
from scheduler_core.kubernetes.api.resources import WORKLOADS
from scheduler_core.kubernetes.api.work_queue import WorkQueue
from scheduler_core.kubernetes.running.course import Step, next_step
from scheduler_core.kubernetes.running.followed_jobs import OF_RUNS, Jobs, Parts, not_there
from scheduler_core.kubernetes.running.job_kinds import JOB_KINDS, JobKind
from scheduler_core.kubernetes.running.jobs import ASKED_ANNOTATION, HandOver, asked, job_name, service
from scheduler_core.kubernetes.running.runs import RunPod, read_pod
from scheduler_core.kubernetes.running.seen_tasks import is_alive
from scheduler_core.kubernetes.running.workloads import Workloads
from scheduler_core.workload import ENDED, TRANSITIONS, State

_AT_ONCE = 8
_MOST_STEPS = 8
_LAST = frozenset({"degraded", "resuming", *ENDED})


class Reconciler:
    """Sees to all workloads of a cluster; there is one of its kind at a time.

    `seen` is told of each change of the pods of tasks.
    """

    def __init__(
        self,
        connection: Connection,
        hand_over: HandOver | None = None,
        seen: Callable[[Mapping[str, RunPod | None]], None] = lambda pods: None,
    ) -> None:
        self._connection = connection
        self._hand_over = hand_over
        self._queue = WorkQueue(self._look_at, _AT_ONCE)
        self._jobs = Jobs(connection, self._queue.add)
        self._pods: Parts[RunPod] = Parts(self._queue.add)
        self._taken: dict[str, dict[str, str]] = defaultdict(dict)
        """Why pods that have gone were taken, by workload and uid: there may have been no time to look between."""
        self._written: dict[str, GpuWorkloadStatus] = {}
        self._workloads = Reflector(connection, WORKLOADS.path(), read_workload, self._changed)
        self._following = (
            self._workloads,
            Reflector(connection, "/api/v1/pods", read_pod, self._pods_changed, OF_RUNS),
        )
        self._seen = seen

    async def run(self) -> None:
        """Work until it is cancelled.

        Raises:
            ExceptionGroup: the cluster does not let us do what we have to.
        """
        async with asyncio.TaskGroup() as group:
            for reflector in self._following:
                group.create_task(reflector.run())
            group.create_task(self._jobs.run())
            for reflector in self._following:
                await reflector.synced.wait()
            group.create_task(self._queue.run())

    def _pods_changed(self, changes: Mapping[str, RunPod | None]) -> None:
        for workload, pod, found in self._pods.note(changes):
            if pod.taken and (found is None or found.uid != pod.uid):
                self._taken[workload][pod.uid] = pod.taken
        self._seen(changes)

    def _changed(self, changes: Mapping[str, GpuWorkload | None]) -> None:
        for key, found in changes.items():
            if found is not None:
                self._queue.add(key)
                continue
            self._written.pop(key, None)
            self._taken.pop(key, None)
            self._queue.forget_time(key)

    async def _look_at(self, key: str) -> None:
        """Take one step after the other until there is nothing to do but to wait."""
        for _ in range(_MOST_STEPS):
            workload = self._workloads.records.get(key)
            if workload is None:
                self._taken.pop(key, None)
                return
            # What we have written ourselves is newer than what was read; of what others write there, what was read is.
            known = replace(self._written.get(key, workload.status), verdict=workload.status.verdict)
            jobs = await self._jobs.by_run(workload.spec.job_kind, key)
            step = next_step(workload, known, jobs, self._pods.of(key), self._taken.get(key, {}), time.time())
            await self._write(key, workload, known, step.status)
            self._forget_taken(key, step.status)
            if step.again_at is not None:
                self._queue.add_later(key, step.again_at - time.time())
            if not await self._carry_out(key, workload, step) and step.status.run == known.run:
                return

    def _forget_taken(self, key: str, written: GpuWorkloadStatus) -> None:
        """Of pods that no task counts on any more nobody asks why they were taken."""
        counted = {task.pod for task in written.tasks if is_alive(task)}
        left = {uid: why for uid, why in self._taken.pop(key, {}).items() if uid in counted}
        if left:
            self._taken[key] = left

    async def _write(
        self, key: str, workload: GpuWorkload, known: GpuWorkloadStatus, status: GpuWorkloadStatus
    ) -> None:
        """Write down what has changed, by way of all states between; what others write there stays as it is."""
        path = WORKLOADS.path(workload.metadata.namespace, workload.metadata.name, "status")
        states = way(known.state, status.state)
        for passed in [replace(known, state=state) for state in states[:-1]] + [status]:
            before, after = written_status(known), written_status(passed)
            changes = {name: after[name] for name in after if after[name] != before[name]}
            if changes:
                with suppress(NotFound):
                    await self._connection.send("PATCH", path, {"status": changes}, MERGE_PATCH)
            self._written[key] = known = passed

    async def _carry_out(self, key: str, workload: GpuWorkload, step: Step) -> bool:
        """Do it; whether there may be more to do at once."""
        namespace, kind = workload.metadata.namespace, JOB_KINDS[workload.spec.job_kind]
        for name in step.remove:
            for plural in (kind.plural, *kind.needs):
                with suppress(NotFound):
                    path = kind.path(namespace, name, plural)
                    await self._connection.send("DELETE", path, propagationPolicy="Background")
        if step.discard or step.purge:
            workloads, name = Workloads(self._connection, namespace), workload.metadata.name
            with suppress(NotFound):
                await (workloads.purge if step.purge else workloads.discard)(name)
            return False
        run = step.status.run or 0
        if step.make:
            return await self._make(key, workload, step.status)
        changes = _changes(workload, kind, step)
        if changes:
            with suppress(NotFound):
                path = kind.path(namespace, job_name(workload, run))
                await self._connection.send("PATCH", path, changes, MERGE_PATCH)
        return False

    async def _make(self, key: str, workload: GpuWorkload, status: GpuWorkloadStatus) -> bool:
        """Make the objects of this run, where they are not there already; whether they can never be made."""
        namespace, run, kind = workload.metadata.namespace, status.run or 0, JOB_KINDS[workload.spec.job_kind]
        try:
            if not await self._jobs.know(workload.spec.job_kind):
                raise not_there(workload.spec.job_kind)
            objects = kind.written(workload, run, status.restarts, self._hand_over)
            meeting = service(workload)
            if meeting is not None:
                with suppress(Conflict):
                    await self._connection.send("POST", f"/api/v1/namespaces/{namespace}/services", meeting)
            for made, plural in zip(objects, (*kind.needs, kind.plural), strict=True):
                with suppress(Conflict):
                    await self._connection.send("POST", kind.path(namespace, plural=plural), made)
        except InvalidRequest as error:
            failed = replace(status, state="failed", ended=time.time(), reason=f"could not start: {error}")
            await self._write(key, workload, status, failed)
            return True
        return False


def _changes(workload: GpuWorkload, kind: JobKind, step: Step) -> Json:
    """What of the object of its run is to be otherwise; the size of a Job alone can change."""
    changes: Json = {}
    if step.suspend is not None:
        wanted: Json | bool = step.suspend
        for field in reversed(kind.suspend):
            wanted = {field: wanted}
        changes["spec"] = wanted
    if step.tasks is not None and workload.spec.job_kind == "Job":
        counts = {"completions": step.tasks, "parallelism": step.tasks}
        changes = {"metadata": {"annotations": {ASKED_ANNOTATION: asked(workload)}}, "spec": counts}
    return changes


def way(before: State, after: State) -> tuple[State, ...]:
    """The states through which one becomes the other, the last of them included; nobody is to see a leap."""
    if before == after:
        return (after,)
    reached: dict[State, tuple[State, ...]] = {before: ()}
    waiting = deque([before])
    while waiting:
        state = waiting.popleft()
        # Nothing is degraded, or over, on its way to something else.
        for following in sorted(TRANSITIONS[state] - reached.keys(), key=lambda one: (one in _LAST, one)):
            reached[following] = (*reached[state], following)
            waiting.append(following)
    return reached.get(after, (after,))
