"""An engine in memory: it plans as engines do, and its processes are three commands that it plays itself."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from scheduler_core import plan
from scheduler_core.accounting.cells import cells
from scheduler_core.accounting.holding import Entry
from scheduler_core.accounting.past import QueueHistory, added
from scheduler_core.accounting.timeline import intervals
from scheduler_core.accounting.usage import MOST_GROUPS, STEP_MS, Usage, UsageBy, UsageStep, rows
from scheduler_core.audit import EVERYTHING, AuditEntry, AuditPage, AuditQuery
from scheduler_core.engine import Door, Ends
from scheduler_core.errors import Conflict, InvalidRequest, NotFound
from scheduler_core.feed import Feed
from scheduler_core.local.access.acts import Act, asked, counted, evictions
from scheduler_core.local.machine.identity import Process
from scheduler_core.local.record.holding import entries_of
from scheduler_core.local.record.records import Record, TaskId, by_workload, new_record, new_workload
from scheduler_core.local.record.runs import Exit
from scheduler_core.local.record.tasks import (
    after_run,
    asking_for,
    launched,
    replace_workload,
    resized,
    scaled,
    scaling_obstacle,
    seen_running,
    some_told_to_go,
    stopped_where_it_waits,
    submission,
    task_statuses,
    told_to_go,
)
from scheduler_core.local.work.snapshot import planned
from scheduler_core.model import (
    MILLI,
    Bind,
    Gpu,
    GpuQuota,
    Node,
    Plan,
    PlannedWorkload,
    Queue,
    Snapshot,
    TaskRequest,
    Verdict,
)
from scheduler_core.planned import spec_change
from scheduler_core.planning.remedies import changes
from scheduler_core.policies.admission import breaches
from scheduler_core.policies.clauses import Hit, PolicyCheck, PolicyClauses, clauses_of
from scheduler_core.policies.fields import Offer
from scheduler_core.policies.file import NO_POLICIES, parse_policies
from scheduler_core.policies.standing import told
from scheduler_core.policies.templates import Catalog
from scheduler_core.workload import (
    DEFAULT_QUEUE,
    PRIORITIES,
    Activity,
    Allocation,
    Device,
    EngineInfo,
    EngineState,
    Event,
    Explanation,
    HeldDevice,
    Holder,
    Kind,
    Measurement,
    Output,
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
from tests.memory_queues import QueueLog

_GPUS = tuple(Gpu(id=f"gpu-{index}", memory_mib=81_920, model="A100-80GB") for index in range(2))


class MemoryEngine:
    """`/bin/echo` says its words and ends, `/bin/false` fails, and anything else runs until it is told to go."""

    def __init__(self) -> None:
        self._feed = Feed(self._state)
        self._known: dict[str, Record] = {}
        self._trash: dict[str, Record] = {}
        self._output: dict[TaskId, bytes] = {}
        self._held: list[Entry] = []
        self._audit: list[AuditEntry] = []
        self._numbers = count(1)
        self._queues: tuple[QueueStatus, ...] = ()
        self._queue_log = QueueLog()
        self._folder = Path(tempfile.mkdtemp(prefix="runai-"))
        self._plan()

    async def info(self) -> EngineInfo:
        return EngineInfo(
            kind="local",
            protocol=0,
            version="0",
            host="memory",
            user="somebody",
            pid=0,
            simulated="2xA100-80GB",
            notice="",
            survives=(),
        )

    async def preview(self, spec: WorkloadSpec) -> Verdict:
        self._check(spec)
        asked = new_record(spec, self._new("preview", spec))
        made = plan(self._snapshot((planned(asked, "memory"),)))
        return next(verdict for verdict in made.verdicts if verdict.workload == "preview")

    @contextmanager
    def staging(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def submit(self, spec: WorkloadSpec, inputs: Path | None = None) -> Workload:
        self._check(spec)
        for record in self._known.values():
            if spec.key is not None and record.spec.key == spec.key:
                return record.workload
        workload = self._new(f"{next(self._numbers):08x}", spec)
        results = self._folder / workload.id
        results.mkdir()
        if inputs is not None:
            inputs.rename(results / "inputs")
        self._show(new_record(spec, workload), Act(action="submit", user="somebody"))
        self._plan()
        return workload

    def _new(self, workload_id: str, spec: WorkloadSpec) -> Workload:
        return new_workload(spec, workload_id, spec.name or f"{spec.name_hint}-{workload_id}", "somebody", True)

    async def list(self, deleted: bool = False) -> tuple[Workload, ...]:
        return tuple(record.workload for record in (self._trash if deleted else self._known).values())

    async def get(self, workload_id: str) -> Workload:
        return self._find(workload_id).workload

    async def tasks(self, workload_id: str) -> tuple[TaskStatus, ...]:
        return task_statuses(self._find(workload_id))

    def watch(self, since: tuple[str, int] | None = None) -> AsyncGenerator[Event, None]:
        return self._feed.subscribe(since)

    async def logs(
        self, workload_id: str, offset: int = 0, follow: bool = False, task: int = 0
    ) -> AsyncGenerator[Output, None]:
        name = self._task(workload_id, task)
        if follow:
            async for _ in self._feed.subscribe(None):
                if workload_id not in self._known or self._known[workload_id].workload.has_ended:
                    break
        said = self._output.get(name, b"")
        start = max(0, len(said) + offset) if offset < 0 else offset
        if data := said[start:]:
            yield Output(offset=start, data=data)

    async def measurements(
        self, workload_id: str, step: Step = "minute", since: float = 0.0
    ) -> tuple[Measurement, ...]:
        self._find(workload_id)
        return ()

    async def follow_measurements(
        self, workload_id: str, step: Step = "minute", since: float = 0.0
    ) -> AsyncGenerator[tuple[Measurement, ...], None]:
        yield await self.measurements(workload_id, step, since)

    async def results(self, workload_id: str, task: int = 0) -> Path:
        return self._folder / self._task(workload_id, task).workload

    async def dial(self, workload_id: str, socket: str, task: int = 0) -> Ends:
        raise ConnectionRefusedError(f"Nobody listens in {self._task(workload_id, task).workload}.")

    async def tell_activity(self, workload_id: str, activity: Activity) -> None:
        self._find(workload_id)

    async def forward(self, workload_id: str, host: str, ports: Mapping[int, int]) -> Door:
        raise InvalidRequest(f"{workload_id} runs nowhere.")

    async def stop(self, workload_id: str) -> Workload:
        record = self._find(workload_id)
        if record.workload.has_ended:
            return record.workload
        act = Act(action="stop", user="somebody")
        if not any(record.alive()):
            return self._show(stopped_where_it_waits(record, time.time(), "stopped while it waited"), act)
        self._show(told_to_go(record, "stopped", "", time.time()), act)
        return self._gone(workload_id)

    async def suspend(self, workload_id: str) -> Workload:
        record, act = self._unended(workload_id), Act(action="suspend", user="somebody")
        if record.workload.state == "pending":
            return self._show(replace_workload(record, state="suspended", verdict=None), act)
        if record.workload.state == "suspended":
            return record.workload
        self._show(told_to_go(record, "suspended", "", time.time()), act)
        return self._gone(workload_id)

    async def resume(self, workload_id: str) -> Workload:
        record = self._unended(workload_id)
        if record.workload.state == "suspended":
            self._show(replace_workload(record, state="pending"), Act(action="resume", user="somebody"))
            self._plan()
        return self._known[workload_id].workload

    async def snooze(self, workload_id: str) -> Workload:
        raise Conflict(f"{self._unended(workload_id).workload.name} is not warned of being idle.")

    async def resize(self, workload_id: str, request: TaskRequest) -> Resized:
        record = self._unended(workload_id)
        held, milli = record.workload.allocation, request.portion_milli
        detail = f"{asked(record.spec.request)} to {asked(request)}"
        act = Act(action="resize", user="somebody", detail=detail)
        reason = ""
        if held is not None and request != record.spec.request:
            device = held.devices[0]
            taken = sum(holder.portion_milli for holder in self._holders(device.id))
            if not (record.spec.request.portion_milli and milli):
                reason = "it is not a share"
            elif taken - device.portion_milli + milli > MILLI:
                reason = f"device {device.index} has no room for more now"
            else:
                fresh = replace(held, devices=(replace(device, portion_milli=milli),))
                return Resized(workload=self._show(resized(record, request, fresh), act), applied="now")
        workload = self._show(asking_for(record, request), act)
        self._plan()
        return Resized(workload=workload, applied="next_start" if reason else "now", reason=reason)

    async def scale(self, workload_id: str, scale: Scale) -> Resized:
        record = self._unended(workload_id)
        if scale.min_tasks is not None and not record.spec.gang:
            raise InvalidRequest(f"{record.workload.name} is an array.")
        reason = scaling_obstacle(record, scale)
        self._show(scaled(record, scale, time.time()), Act(action="scale", user="somebody", detail=counted(scale)))
        for task, known in list(self._known[workload_id].alive()):
            if known.then is not None:
                self._end(task, 143)
        self._plan()
        workload = self._known[workload_id].workload
        return Resized(workload=workload, applied="next_start" if reason else "now", reason=reason)

    async def delete(self, workload_id: str, purge: bool = False) -> None:
        act = Act(action="purge" if purge else "delete", user="somebody")
        if purge and workload_id in self._trash:
            self._tell(self._trash.pop(workload_id).workload, act)
            return
        workload = self._find(workload_id).workload
        if not workload.has_ended:
            raise Conflict(f"{workload.name} has not ended.")
        record = self._known.pop(workload_id)
        self._tell(workload, act)
        if not purge:
            self._trash[workload_id] = replace_workload(record, deleted=time.time())
        self._feed.publish(lambda epoch, seq: WorkloadDeleted(epoch=epoch, seq=seq, id=workload_id))

    async def restore(self, workload_id: str) -> Workload:
        if workload_id not in self._trash:
            raise NotFound(f"There is no deleted workload {workload_id!r}.")
        return self._show(
            replace_workload(self._trash.pop(workload_id), deleted=None, restored=time.time()),
            Act(action="restore", user="somebody"),
        )

    async def specification(self, workload_id: str) -> WorkloadSpec:
        return submission(self._find(workload_id))

    async def explain(self, workload_id: str, remedies: bool = False) -> Explanation:
        record = self._find(workload_id)
        workload, helpful = record.workload, ()
        if remedies and workload.state == "pending":
            asked = planned(record, "memory")
            found = changes(self._snapshot(), workload_id, PRIORITIES)
            helpful = tuple(spec_change(record.spec, asked, each) for each in found)
        return Explanation(workload=workload, verdict=workload.verdict, queue=self._queues[0], remedies=helpful)

    async def queues(self) -> tuple[QueueStatus, ...]:
        return self._queues

    async def devices(self) -> tuple[Device, ...]:
        return tuple(
            Device(
                id=gpu.id,
                index=index,
                node="memory",
                model=gpu.model,
                memory_mib=gpu.memory_mib,
                ready=True,
                simulated=True,
                holders=tuple(self._holders(gpu.id)),
            )
            for index, gpu in enumerate(_GPUS)
        )

    async def usage(
        self,
        by: UsageBy = "project",
        since: float = 0.0,
        until: float | None = None,
        step: UsageStep = "all",
        most: int = MOST_GROUPS,
    ) -> Usage:
        end = time.time() if until is None else until
        if end < since:
            raise InvalidRequest("It ends before it begins.")
        begin_ms, end_ms = round(since * 1000), round(end * 1000)
        found = cells(intervals(self._held, [], end_ms), [], begin_ms, end_ms, STEP_MS[step])
        return Usage(by=by, step=step, since=since, until=end, rows=rows(found.items(), by, None, most), simulated=True)

    async def queue_history(
        self, since: float = 0.0, until: float | None = None, step: UsageStep = "all"
    ) -> QueueHistory:
        end = time.time() if until is None else until
        if end < since:
            raise InvalidRequest("It ends before it begins.")
        rows = added(self._queue_log.steps(round(since * 1000), round(end * 1000), STEP_MS[step]))
        return QueueHistory(step=step, since=since, until=end, rows=rows, simulated=True)

    async def policy(self, project: str = DEFAULT_QUEUE, kind: Kind = "training") -> PolicyClauses:
        if project != DEFAULT_QUEUE:
            raise InvalidRequest(f"There is no project {project!r}.")
        return clauses_of(NO_POLICIES.of(project, None, kind))

    async def check_policies(self, text: str) -> PolicyCheck:
        policies, hits = parse_policies(text, {DEFAULT_QUEUE: None}), []
        for record in self._known.values():
            found = tuple(breaches(record.spec, policies.of(DEFAULT_QUEUE, None, record.spec.kind), Offer()))
            workload = record.workload
            if found and not workload.has_ended:
                hits.append(
                    Hit(
                        workload=workload.id,
                        name=workload.name,
                        owner=workload.owner,
                        project=workload.queue,
                        message=told(found),
                        action="suspend",
                        acts_at=None if workload.state == "pending" else time.time() + policies.grace_s,
                        is_new=True,
                    )
                )
        return PolicyCheck(hits=tuple(hits))

    async def catalog(self) -> Catalog:
        return Catalog()

    async def audit(self, query: AuditQuery = EVERYTHING) -> AuditPage:
        found = [entry for entry in self._audit if query.finds(entry)]
        if query.newest_first:
            found.reverse()
        at = 0 if not query.after else 1 + [str(entry.seq) for entry in found].index(query.after)
        page = found[at : at + query.limit]
        return AuditPage(tuple(page), str(page[-1].seq) if len(found) > at + query.limit else None)

    async def simulate(self, devices: str | None) -> EngineInfo:
        raise Conflict("An engine in memory has the devices that it has.")

    async def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _plan(self) -> None:
        made = plan(self._snapshot())
        self._queues = tuple(
            QueueStatus(
                name=share.queue,
                parent=None,
                quota=share.quota,
                limit=share.limit,
                fair_share=share.fair_share,
                allocated=share.allocated,
                requested=share.requested,
            )
            for share in made.shares
            if share.resource == "gpu"
        )
        bound = by_workload(made.binds)
        codes = Counter(verdict.code for verdict in made.verdicts if verdict.workload not in bound)
        self._queue_log.note(self._queues, codes)
        for verdict in made.verdicts:
            record = self._known[verdict.workload]
            if record.workload.state == "pending":
                self._show(replace_workload(record, verdict=verdict))
        self._carry_out(made)

    def _carry_out(self, made: Plan) -> None:
        for workload_id, evicted in by_workload(made.evictions).items():
            record, reason = self._known[workload_id], f"{made.evictions[0].action}: {made.evictions[0].reason}"
            acts = evictions(evicted, len(record.tasks), lambda known: self._known[known].workload)
            if len(evicted) == len(list(record.alive())):
                self._show(told_to_go(record, "pending", reason, time.time()), *acts)
            else:
                self._show(some_told_to_go(record, list(evicted), "pending", reason), *acts)
            for index in evicted:
                self._end(TaskId(workload_id, index), 143)
        for workload_id, binds in by_workload(made.binds).items():
            self._start(workload_id, {index: self._allocation(workload_id, bind) for index, bind in binds.items()})
        if made.evictions or made.binds:
            self._plan()

    def _allocation(self, workload_id: str, bind: Bind) -> Allocation:
        milli = self._known[workload_id].spec.request.portion_milli or MILLI
        held = tuple(
            HeldDevice(
                id=gpu.id,
                index=index,
                model=gpu.model,
                portion_milli=milli,
                memory_mib=gpu.memory_mib * milli // MILLI,
            )
            for index, gpu in enumerate(_GPUS)
            if gpu.id in bind.gpu_ids
        )
        return Allocation(node=bind.node, devices=held)

    def _start(self, workload_id: str, allocations: dict[int, Allocation]) -> None:
        self._show(launched(self._known[workload_id], allocations, time.time(), 1))
        for index in allocations:
            self._show(seen_running(self._known[workload_id], index, Process(0, "")))
        command = self._known[workload_id].spec.command
        for index in allocations:
            task = TaskId(workload_id, index)
            if self._known[workload_id].tasks[index].is_alive and command[0] == "/bin/echo":
                self._output[task] = self._output.get(task, b"") + " ".join(command[1:]).encode() + b"\n"
                self._end(task, 0)
            elif self._known[workload_id].tasks[index].is_alive and command[0] == "/bin/false":
                self._end(task, 1)

    def _end(self, task: TaskId, code: int) -> None:
        """A task's process ends so; a gang goes with one that fails."""
        told = self._known[task.workload].then is not None
        self._show(after_run(self._known[task.workload], task.index, Exit(code, "", time.time()), None))
        if not told and self._known[task.workload].then is not None:
            self._gone(task.workload)

    def _gone(self, workload_id: str) -> Workload:
        """What was told to go has gone."""
        for task, _ in list(self._known[workload_id].alive()):
            self._end(task, 143)
        self._plan()
        return self._known[workload_id].workload

    def _tell(self, workload: Workload, *acts: Act) -> None:
        for act in acts:
            self._audit.append(replace(act.entry(workload, time.time()), seq=len(self._audit) + 1))

    def _show(self, record: Record, *acts: Act) -> Workload:
        workload = record.workload
        self._tell(workload, *acts)
        self._held += entries_of(self._known.get(workload.id), record, time.time())
        self._known[workload.id] = record
        self._feed.publish(lambda epoch, seq: WorkloadChanged(epoch=epoch, seq=seq, workload=workload))
        return workload

    def _find(self, workload_id: str) -> Record:
        if workload_id not in self._known:
            raise NotFound(f"There is no workload {workload_id!r}.")
        return self._known[workload_id]

    def _task(self, workload_id: str, index: int) -> TaskId:
        if not 0 <= index < len(self._find(workload_id).tasks):
            raise NotFound(f"There is no task {index}.")
        return TaskId(workload_id, index)

    def _unended(self, workload_id: str) -> Record:
        record = self._find(workload_id)
        if record.workload.has_ended:
            raise Conflict(f"{record.workload.name} is {record.workload.state}.")
        return record

    def _check(self, spec: WorkloadSpec) -> None:
        if spec.queue != "default":
            raise InvalidRequest(f"There is no project {spec.queue!r}.")

    def _holders(self, gpu_id: str) -> Iterator[Holder]:
        for workload in (record.workload for record in self._known.values()):
            for held in workload.allocation.devices if workload.allocation and not workload.has_ended else ():
                if held.id == gpu_id:
                    yield Holder(
                        kind="workload",
                        owner=workload.owner,
                        name=workload.name,
                        portion_milli=held.portion_milli,
                        memory_mib=held.memory_mib,
                        workload=workload.id,
                    )

    def _snapshot(self, extra: tuple[PlannedWorkload, ...] = ()) -> Snapshot:
        ours = tuple(
            planned(record, "memory")
            for record in self._known.values()
            if record.workload.state in ("pending", "running", "degraded")
        )
        return Snapshot(
            time=time.time(),
            nodes=(Node(name="memory", cpu_milli=64_000, memory_mib=1_000_000, gpus=_GPUS),),
            queues=(Queue(name="default", gpu=GpuQuota(quota=None)),),
            workloads=ours + extra,
        )

    def _state(self, epoch: str, seq: int) -> EngineState:
        return EngineState(
            epoch=epoch,
            seq=seq,
            info=_run(self.info()),
            devices=_run(self.devices()),
            queues=self._queues,
            workloads=tuple(record.workload for record in self._known.values()),
        )


def _run(answer: object) -> Any:
    """What a coroutine that waits for nothing returns."""
    try:
        answer.send(None)  # type: ignore[attr-defined]
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")
