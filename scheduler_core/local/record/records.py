"""What the engine keeps of each workload: what was submitted, what people see, and where each of its tasks is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from scheduler_core.local.machine.accounts import Account
from scheduler_core.local.machine.identity import Process
from scheduler_core.workload import ENDED, Allocation, Report, State, Workload, WorkloadSpec

Ending: TypeAlias = Literal["suspended", "pending", "stopped", "failed"]
"""What a workload becomes when the last of its processes has gone."""

ALIVE: frozenset[State] = frozenset({"initializing", "running"})
"""The states in which a task holds its devices."""


class TaskId(Struct, frozen=True, gc=False):
    """One task of a workload; as text it is the planner's name for it, and the mark of its processes."""

    workload: str
    index: int

    def __str__(self) -> str:
        return f"{self.workload}-{self.index}"

    @staticmethod
    def parse(text: str) -> TaskId:
        workload, _, index = text.rpartition("-")
        return TaskId(workload, int(index))


class TaskRecord(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One task: its state (pending, initializing, running or ended), what it holds, and its supervisor once it runs.

    `run` numbers its runs from 0: the present one, or the next; `ran_s` is how long those before it ran, `failures` how
    many of them failed. `then` is set while this task alone is told to go: what it becomes when it has gone.
    """

    state: State = "pending"
    allocation: Allocation | None = None
    supervisor: Process | None = None
    started: float | None = None
    ended: float | None = None
    exit_code: int | None = None
    reason: str = ""
    report: Report | None = None
    run: int = 0
    ran_s: float = 0.0
    failures: int = 0
    then: State | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it holds its devices."""
        return self.state in ALIVE

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


class Record(Struct, frozen=True, kw_only=True):
    """A workload as the engine keeps it.

    `then` is set while its processes are told to go; `failures` counts the runs of a gang that failed; `port` is where
    the tasks of a gang meet. A task that is added numbers its runs from `first_run` on, so that it takes up no files of
    one that was here before and went when the workload was scaled down. `owner_gid` is its owner's group in a shared
    engine.
    """

    spec: WorkloadSpec
    workload: Workload
    tasks: tuple[TaskRecord, ...]
    then: Ending | None = None
    failures: int = 0
    port: int | None = None
    first_run: int = 0
    owner_gid: int | None = None

    @property
    def account(self) -> Account | None:
        """As whom its processes run; null where that is the engine's own user."""
        uid, gid = self.workload.owner_uid, self.owner_gid
        return None if uid is None or gid is None else Account(uid, gid)

    def alive(self) -> Iterator[tuple[TaskId, TaskRecord]]:
        """The tasks that hold devices."""
        for index, task in enumerate(self.tasks):
            # Without a call: there may be thousands, each time that something happens to one of them.
            if task.state in ALIVE:
                yield TaskId(self.workload.id, index), task


class _OfTask(Protocol):
    @property
    def task(self) -> str: ...


Part = TypeVar("Part", bound=_OfTask)


def by_workload(parts: Iterable[Part]) -> dict[str, dict[int, Part]]:
    """Parts of a plan by the workload and the index of their task."""
    found: dict[str, dict[int, Part]] = {}
    for part in parts:
        task = TaskId.parse(part.task)
        found.setdefault(task.workload, {})[task.index] = part
    return found


def new_workload(
    spec: WorkloadSpec, workload_id: str, name: str, owner: str, simulated: bool, account: Account | None = None
) -> Workload:
    """A workload as people see it when it was just submitted."""
    return Workload(
        id=workload_id,
        name=name,
        owner=owner,
        owner_uid=None if account is None else account.uid,
        kind=spec.kind,
        queue=spec.queue,
        priority=spec.effective_priority,
        preemptible=spec.effective_preemptible,
        state="pending",
        request=spec.request,
        created=time.time(),
        simulated=simulated,
        tasks=spec.tasks,
        min_tasks=spec.fewest_tasks,
        gang=spec.gang,
        delete_after_s=spec.delete_after_s,
    )


def new_record(spec: WorkloadSpec, workload: Workload, account: Account | None = None) -> Record:
    """The record of a workload that waits for its first run."""
    gid = None if account is None else account.gid
    return Record(spec=spec, workload=workload, tasks=(TaskRecord(),) * spec.tasks, owner_gid=gid)


def decode_record(content: bytes) -> Record:
    """A record as it was written down.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    try:
        return _decoder.decode(content)
    except msgspec.ValidationError:
        return msgspec.convert(_with_tasks(msgspec.json.decode(content)), Record)


_decoder = msgspec.json.Decoder(Record)


def _with_tasks(old: Any) -> dict[str, Any]:
    """A record from when workloads had no tasks: all it says of its run is that of its only task."""
    if not isinstance(old, dict) or "tasks" in old or not isinstance(old.get("workload"), dict):
        raise msgspec.ValidationError("This is no record of a workload.")
    workload = old["workload"]
    state = workload.get("state")
    task = {
        name: workload[name] for name in ("allocation", "started", "ended", "exit_code", "report") if name in workload
    }
    task |= {name: old[name] for name in ("supervisor", "run", "ran_s") if name in old}
    task["state"] = "running" if state == "suspending" else "pending" if state == "suspended" else state
    stopping = state in ("initializing", "running") and workload.get("stop_requested") is not None
    then = old.get("then", "suspended") if state == "suspending" else "stopped" if stopping else None
    return {**old, "tasks": [task], "then": then}
