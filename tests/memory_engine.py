"""An engine in memory: it plans as engines do, and its processes are three commands that it plays itself."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from msgspec.structs import replace

from scheduler_core import plan
from scheduler_core.errors import Conflict, InvalidRequest, NotFound
from scheduler_core.local.feed import Feed
from scheduler_core.model import MILLI, Gpu, GpuQuota, Node, Plan, PlannedWorkload, Queue, Snapshot, Task, Verdict
from scheduler_core.workload import (
    Allocation,
    Device,
    EngineInfo,
    EngineState,
    Event,
    Explanation,
    HeldDevice,
    Holder,
    QueueStatus,
    Workload,
    WorkloadChanged,
    WorkloadDeleted,
    WorkloadSpec,
)

_GPUS = tuple(Gpu(id=f"gpu-{index}", memory_mib=81_920, model="A100-80GB") for index in range(2))


class MemoryEngine:
    """`/bin/echo` says its words and ends, `/bin/false` fails, and anything else runs until it is told to go."""

    def __init__(self) -> None:
        self._feed = Feed(self._state)
        self._specs: dict[str, WorkloadSpec] = {}
        self._known: dict[str, Workload] = {}
        self._output: dict[str, bytes] = {}
        self._runs = Counter[str]()
        self._numbers = count(1)
        self._queues: tuple[QueueStatus, ...] = ()
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
        asked = self._planned("preview", spec, time.time(), None)
        made = plan(self._snapshot((asked,)))
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
        for known, other in self._specs.items():
            if spec.key is not None and other.key == spec.key:
                return self._known[known]
        number = next(self._numbers)
        workload = Workload(
            id=f"{number:08x}",
            name=spec.name or f"{spec.name_hint}-{number}",
            owner="somebody",
            kind=spec.kind,
            queue=spec.queue,
            priority=spec.effective_priority,
            preemptible=spec.effective_preemptible,
            state="pending",
            request=spec.request,
            created=time.time(),
            simulated=True,
        )
        results = self._folder / workload.id
        results.mkdir()
        if inputs is not None:
            inputs.rename(results / "inputs")
        self._specs[workload.id], self._output[workload.id] = spec, b""
        self._show(workload)
        self._plan()
        return workload

    async def list(self) -> tuple[Workload, ...]:
        return tuple(self._known.values())

    async def get(self, workload_id: str) -> Workload:
        return self._find(workload_id)

    def watch(self, since: tuple[str, int] | None = None) -> AsyncGenerator[Event, None]:
        return self._feed.subscribe(since)

    async def logs(self, workload_id: str, offset: int = 0, follow: bool = False) -> AsyncGenerator[bytes, None]:
        self._find(workload_id)
        if follow:
            async for _ in self._feed.subscribe(None):
                if workload_id not in self._known or self._known[workload_id].has_ended:
                    break
        yield self._output.get(workload_id, b"")[offset:]

    async def results(self, workload_id: str) -> Path:
        return self._folder / self._find(workload_id).id

    async def stop(self, workload_id: str) -> Workload:
        workload = self._find(workload_id)
        if workload.has_ended:
            return workload
        if workload.state == "running":
            self._change(workload_id, stop_requested=time.time())
        self._end(workload_id, "stopped")
        return self._known[workload_id]

    async def suspend(self, workload_id: str) -> Workload:
        workload = self._unended(workload_id)
        if workload.state == "running":
            self._change(workload_id, state="suspending")
        if workload.state != "suspended":
            self._change(workload_id, state="suspended", allocation=None, started=None, verdict=None)
        self._plan()
        return self._known[workload_id]

    async def resume(self, workload_id: str) -> Workload:
        if self._unended(workload_id).state == "suspended":
            self._change(workload_id, state="pending")
            self._plan()
        return self._known[workload_id]

    async def delete(self, workload_id: str) -> None:
        workload = self._find(workload_id)
        if not workload.has_ended:
            raise Conflict(f"{workload.name} has not ended.")
        for kept in (self._known, self._specs, self._output):
            del kept[workload_id]  # type: ignore[attr-defined]
        self._feed.publish(lambda epoch, seq: WorkloadDeleted(epoch=epoch, seq=seq, id=workload_id))

    async def explain(self, workload_id: str) -> Explanation:
        workload = self._find(workload_id)
        return Explanation(workload=workload, verdict=workload.verdict, queue=self._queues[0])

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
        for verdict in made.verdicts:
            if verdict.state == "pending" or self._known[verdict.workload].state == "pending":
                self._change(verdict.workload, verdict=verdict)
        self._carry_out(made)

    def _carry_out(self, made: Plan) -> None:
        for eviction in made.evictions:
            self._change(eviction.workload, state="suspending", reason=f"{eviction.action}: {eviction.reason}")
            self._again(eviction.workload)
        for bind in made.binds:
            self._start(bind.task, bind.node, bind.gpu_ids)
        if made.evictions or made.binds:
            self._plan()

    def _start(self, workload_id: str, node: str, gpu_ids: tuple[str, ...]) -> None:
        spec = self._specs[workload_id]
        milli = spec.request.portion_milli or MILLI
        held = tuple(
            HeldDevice(
                id=gpu.id,
                index=index,
                model=gpu.model,
                portion_milli=milli,
                memory_mib=gpu.memory_mib * milli // MILLI,
            )
            for index, gpu in enumerate(_GPUS)
            if gpu.id in gpu_ids
        )
        allocation = Allocation(node=node, devices=held)
        changes = {"allocation": allocation, "started": time.time(), "verdict": None, "reason": ""}
        self._change(workload_id, state="initializing", restarts=self._runs[workload_id], **changes)
        self._runs[workload_id] += 1
        self._change(workload_id, state="running")
        if spec.command[0] == "/bin/echo":
            self._output[workload_id] += " ".join(spec.command[1:]).encode() + b"\n"
            self._end(workload_id, "completed", 0)
        elif spec.command[0] == "/bin/false":
            if self._known[workload_id].restarts < spec.retries:
                self._again(workload_id)
            else:
                self._end(workload_id, "failed", 1)

    def _again(self, workload_id: str) -> None:
        self._change(workload_id, state="pending", allocation=None, started=None)

    def _end(self, workload_id: str, state: str, code: int | None = None) -> None:
        reason = f"exit status {code}" if code else ""
        self._change(workload_id, state=state, ended=time.time(), exit_code=code, reason=reason)
        self._plan()

    def _change(self, workload_id: str, **changes: object) -> None:
        self._show(replace(self._known[workload_id], **changes))

    def _show(self, workload: Workload) -> None:
        self._known[workload.id] = workload
        self._feed.publish(lambda epoch, seq: WorkloadChanged(epoch=epoch, seq=seq, workload=workload))

    def _find(self, workload_id: str) -> Workload:
        if workload_id not in self._known:
            raise NotFound(f"There is no workload {workload_id!r}.")
        return self._known[workload_id]

    def _unended(self, workload_id: str) -> Workload:
        workload = self._find(workload_id)
        if workload.has_ended:
            raise Conflict(f"{workload.name} is {workload.state}.")
        return workload

    def _check(self, spec: WorkloadSpec) -> None:
        if spec.queue != "default":
            raise InvalidRequest(f"There is no project {spec.queue!r}.")

    def _holders(self, gpu_id: str) -> Iterator[Holder]:
        for workload in self._known.values():
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
        planned = tuple(
            self._planned(workload.id, self._specs[workload.id], workload.created, workload.allocation)
            for workload in self._known.values()
            if workload.state in ("pending", "running")
        )
        return Snapshot(
            time=time.time(),
            nodes=(Node(name="memory", cpu_milli=64_000, memory_mib=1_000_000, gpus=_GPUS),),
            queues=(Queue(name="default", gpu=GpuQuota(quota=None)),),
            workloads=planned + extra,
        )

    def _planned(
        self, workload_id: str, spec: WorkloadSpec, created: float, allocation: Allocation | None
    ) -> PlannedWorkload:
        task = Task(id=workload_id, request=spec.request)
        if allocation is not None:
            gpu_ids = tuple(held.id for held in allocation.devices)
            task = replace(task, state="running", node="memory", gpu_ids=gpu_ids)
        return PlannedWorkload(
            id=workload_id,
            queue=spec.queue,
            created=created,
            priority=spec.effective_priority,
            preemptible=spec.effective_preemptible,
            started=None if allocation is None else created,
            tasks=(task,),
        )

    def _state(self, epoch: str, seq: int) -> EngineState:
        return EngineState(
            epoch=epoch,
            seq=seq,
            info=_run(self.info()),
            devices=_run(self.devices()),
            queues=self._queues,
            workloads=tuple(self._known.values()),
        )


def _run(answer: object) -> object:
    """What a coroutine that waits for nothing returns."""
    try:
        answer.send(None)  # type: ignore[attr-defined]
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")
