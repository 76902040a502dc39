"""What a user submits (WorkloadSpec) and what they see (Workload, devices, queues and events)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import Meta, Struct

from scheduler_core.model import NON_PREEMPTIBLE_PRIORITY, TaskRequest, Verdict
from scheduler_core.roles import Role

Kind: TypeAlias = Literal["workspace", "training", "interactive", "inference"]
JobKindName: TypeAlias = Literal["Job", "JobSet", "TrainJob", "PyTorchJob", "MPIJob", "RayJob"]
"""What makes pods on a cluster: Kubernetes' own Job, or an object of an operator that is installed there."""
State: TypeAlias = Literal[
    "creating",
    "pending",
    "initializing",
    "running",
    "suspending",
    "suspended",
    "resuming",
    "degraded",
    "completed",
    "failed",
    "stopped",
    "deleting",
]
Step: TypeAlias = Literal["second", "minute", "hour"]
Strength: TypeAlias = Literal["hard", "soft", "none"]
Verb: TypeAlias = Literal["stop", "suspend", "resume"]
Action: TypeAlias = Literal["release", "suspend", "stop"]

ENDED: frozenset[State] = frozenset({"completed", "failed", "stopped"})
TRANSITIONS: Mapping[State, frozenset[State]] = {
    "creating": frozenset({"pending", "failed", "stopped", "deleting"}),
    "pending": frozenset({"initializing", "degraded", "suspended", "completed", "failed", "stopped"}),
    "initializing": frozenset({"running", "degraded", "pending", "suspending", "completed", "failed", "stopped"}),
    "running": frozenset({"degraded", "suspending", "pending", "completed", "failed", "stopped"}),
    "degraded": frozenset({"running", "suspending", "pending", "completed", "failed", "stopped"}),
    "suspending": frozenset({"suspended", "pending", "completed", "failed", "stopped"}),
    "suspended": frozenset({"resuming", "pending", "completed", "failed", "stopped"}),
    "resuming": frozenset({"pending", "suspended", "stopped"}),
    "completed": frozenset({"deleting"}),
    "failed": frozenset({"deleting"}),
    "stopped": frozenset({"deleting"}),
    "deleting": frozenset(),
}
"""From each state those that may follow it; running work that is pending again was evicted, or is tried once more.

What waits or is suspended is done where it was scaled down to tasks that have all ended.
"""
PriorityName: TypeAlias = Literal["very-low", "low", "medium-low", "medium", "medium-high", "high", "very-high"]
PRIORITIES: Mapping[str, int] = dict(zip(get_args(PriorityName), (25, 40, 65, 80, 90, 125, 150), strict=True))
KIND_PRIORITY: Mapping[Kind, int] = {
    "workspace": PRIORITIES["high"],
    "training": PRIORITIES["low"],
    "interactive": PRIORITIES["high"],
    "inference": PRIORITIES["very-high"],
}
DEFAULT_QUEUE = "default"
DEFAULT_GRACE_S = 30.0
KEPT_DELETED_S = 14 * 24 * 3600.0
"""A deleted workload can be had back for so long."""
MOST_RETRIES = 100
MOST_TASKS = 1000

WorkloadName: TypeAlias = Annotated[str, Meta(pattern=r"^([a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?)?$")]
"""Lower-case letters, digits, '-', '_' and '.', at most 63; empty where the engine may choose."""


class _Submitted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What comes in from outside: unknown fields are refused."""


class _Seen(Struct, frozen=True, kw_only=True, gc=False):
    """What goes out: a newer engine may add fields that an older client leaves aside."""


class Mount(_Submitted, frozen=True, kw_only=True):
    """A volume claim of a cluster, or the folder `sub_path` of it, as a workload sees it at `path`."""

    claim: Annotated[str, Meta(min_length=1, max_length=253)]
    path: Annotated[str, Meta(pattern="^/")]
    sub_path: str = ""
    read_only: bool = False


class WorkloadSpec(_Submitted, frozen=True, kw_only=True):
    """A workload as it is submitted.

    `command` is an argument list (never a shell string) that starts in `cwd` with exactly `env` and the allocation's
    variables. An empty `name` lets the engine choose one from `name_hint` and a number. `key` makes submitting
    idempotent: the same key answers with the same workload. `grace_s` is the time between SIGTERM and SIGKILL. A run
    that fails is followed by another up to `retries` times; what has run for `max_run_s` seconds in all, waiting not
    counted, is stopped. It is deleted `delete_after_s` seconds after its end, or when its engine finds it old.

    Each of its `tasks` runs the command on a `request` of its own. A gang starts together, `min_tasks` of it at least,
    and when one of its tasks fails all start over or end; otherwise the tasks are an array: each comes, fails and is
    tried again by itself.

    On a cluster it runs in `image`, a container image, with the volumes of `mounts`, and an object of `job_kind` makes
    its pods.
    """

    command: Annotated[tuple[str, ...], Meta(min_length=1)]
    cwd: Annotated[str, Meta(min_length=1)]
    env: Mapping[str, str] = {}
    image: Annotated[str, Meta(min_length=1, max_length=512)] | None = None
    mounts: tuple[Mount, ...] = ()
    name: WorkloadName = ""
    name_hint: WorkloadName = "workload"
    job_kind: JobKindName = "Job"
    kind: Kind = "training"
    queue: Annotated[str, Meta(min_length=1)] = DEFAULT_QUEUE
    priority: int | None = None
    preemptible: bool | None = None
    request: TaskRequest = TaskRequest()
    tasks: Annotated[int, Meta(ge=1, le=MOST_TASKS)] = 1
    min_tasks: Annotated[int, Meta(ge=1)] | None = None
    gang: bool = True
    grace_s: Annotated[float, Meta(ge=0, le=300)] = DEFAULT_GRACE_S
    retries: Annotated[int, Meta(ge=0, le=MOST_RETRIES)] = 0
    max_run_s: Annotated[float, Meta(gt=0)] | None = None
    delete_after_s: Annotated[float, Meta(ge=0)] | None = None
    key: Annotated[str, Meta(min_length=1, max_length=200)] | None = None

    def __post_init__(self) -> None:
        if self.min_tasks is not None and (not self.gang or self.min_tasks > self.tasks):
            raise ValueError("min_tasks is at most tasks, and goes with a gang")
        if self.job_kind != "Job" and (not self.gang or self.fewest_tasks != self.tasks):
            raise ValueError(f"a {self.job_kind} is of a gang that stays of one size")

    @property
    def fewest_tasks(self) -> int:
        """So many of its tasks start together or not at all."""
        return (self.tasks if self.min_tasks is None else self.min_tasks) if self.gang else 1

    @property
    def effective_priority(self) -> int:
        """The priority given, else that of the kind."""
        return KIND_PRIORITY[self.kind] if self.priority is None else self.priority

    @property
    def effective_preemptible(self) -> bool:
        """Whether it may be evicted for others: as given, else by priority."""
        return self.effective_priority < NON_PREEMPTIBLE_PRIORITY if self.preemptible is None else self.preemptible


class Scale(_Submitted, frozen=True, kw_only=True):
    """Another number of tasks; without `min_tasks` a gang stays elastic, or not, as it is."""

    tasks: Annotated[int, Meta(ge=1, le=MOST_TASKS)]
    min_tasks: Annotated[int, Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if self.min_tasks is not None and self.min_tasks > self.tasks:
            raise ValueError("min_tasks is at most tasks")


class Enforcement(_Seen, frozen=True, kw_only=True):
    """How a fraction is held: the level in force and what it does for memory and compute."""

    level: Literal["device", "mig", "mps-v3", "mps-v2", "framework", "none"]
    memory: Strength
    compute: Strength


class HeldDevice(_Seen, frozen=True, kw_only=True):
    """A share of one device: `portion_milli` thousandths, `memory_mib` the memory that goes with it.

    `limit_milli` and `limit_mib` are up to what it may use of the device while nobody's share needs that; null where
    that is the share.
    """

    id: str
    index: int
    model: str
    portion_milli: int
    memory_mib: int
    limit_milli: int | None = None
    limit_mib: int | None = None

    @property
    def most_milli(self) -> int:
        return self.limit_milli or self.portion_milli

    @property
    def most_mib(self) -> int:
        return self.limit_mib or self.memory_mib


class Allocation(_Seen, frozen=True, kw_only=True):
    """What a workload holds."""

    node: str
    devices: tuple[HeldDevice, ...] = ()
    enforcement: Enforcement = Enforcement(level="none", memory="none", compute="none")


class ResultFile(_Seen, frozen=True, kw_only=True):
    """A value that a workload left: the type's name and the size of its pickle in bytes."""

    name: str
    type: str
    size: int


class RaisedError(_Seen, frozen=True, kw_only=True):
    """An exception that ended a workload, its traceback trimmed to the user's code."""

    type: str
    message: str
    traceback: str


class Activity(_Seen, frozen=True, kw_only=True):
    """Whether a workload executes anything, as its own process says in the file named by RUNAI_ACTIVITY.

    `since` is when that changed last; the engine adds `idle_since`: since when the workload has neither executed
    anything, used its devices nor had anybody at it, null while it does. Use that is made up, of simulated devices,
    does not count. `kept_until` is when it ends, where its work is done and it only keeps what it holds for the next
    cell of its name.
    """

    executing: bool
    since: float
    idle_since: float | None = None
    kept_until: float | None = None


class Report(_Seen, frozen=True, kw_only=True):
    """What a workload's own process said of its end, in the file named by RUNAI_REPORT."""

    results: tuple[ResultFile, ...] = ()
    error: RaisedError | None = None


class TaskStatus(_Seen, frozen=True, kw_only=True):
    """One task of a workload, by its `index` from 0; all else is what `Workload` says of the whole."""

    index: int
    state: State
    allocation: Allocation | None = None
    started: float | None = None
    ended: float | None = None
    exit_code: int | None = None
    reason: str = ""
    report: Report | None = None
    restarts: int = 0


class Notice(_Seen, frozen=True, kw_only=True):
    """What a rule of its project has to say to a workload's owner, in a sentence said `at` a time.

    `rule` is `idle`, `max_time` or another field of policies; `stage` counts its warnings. What it counts it counts
    from `since` on; `acts_at` is when the `action` follows, null once it has been taken. It was put off at `snoozed`,
    which can be done once.
    """

    rule: str
    message: str
    at: float
    since: float
    action: Action
    stage: int = 0
    acts_at: float | None = None
    snoozed: float | None = None

    @property
    def can_snooze(self) -> bool:
        return self.rule == "idle" and self.acts_at is not None and self.snoozed is None


class Origin(_Seen, frozen=True, kw_only=True):
    """Where work comes from that was not submitted here: the `kind` of object that makes it, and who places it.

    Of `third-party` kinds it is known what makes one workload and what can be done to it (`actions`); `other` ones are
    only shown.
    """

    kind: str
    level: Literal["third-party", "other"]
    scheduler: str
    actions: tuple[Verb, ...] = ()


class Workload(_Seen, frozen=True, kw_only=True):
    """A workload as everyone sees it. Times are seconds since the epoch.

    `exit_code` is the process's, negative for a signal; `reason` says in a sentence why it ended, or was taken off its
    devices, if not by itself; `stop_requested` is when somebody asked to stop it while it was running; `restarts` is
    how often it was started again, after a suspension, an eviction or a failure.

    Of several tasks `allocation` is all that they hold together, `request` what one of them asks for, `exit_code` and
    `report` those of the first that failed, else of task 0; `task_states` counts them by state, and is empty where
    there is but one. `next_request` is what it asks for, and `next_scale` of how many tasks it is, from its next start
    on, where that differs; `deleted` is when it was deleted, as long as it can be had back, `restored` when it was.
    `owner_uid` is its owner's number in an engine that several users share, null in one's own. `activity` is null where
    its process does not tell, and while it does not run. `notice` is a warning that its owner has to heed, or what was
    done by a rule. `origin` is null for native workloads, which were submitted here.
    """

    id: str
    name: str
    owner: str
    kind: Kind
    queue: str
    priority: int
    preemptible: bool
    state: State
    request: TaskRequest
    created: float
    simulated: bool
    started: float | None = None
    ended: float | None = None
    stop_requested: float | None = None
    allocation: Allocation | None = None
    verdict: Verdict | None = None
    exit_code: int | None = None
    reason: str = ""
    report: Report | None = None
    restarts: int = 0
    tasks: int = 1
    min_tasks: int = 1
    gang: bool = True
    task_states: Mapping[State, int] = {}
    next_request: TaskRequest | None = None
    next_scale: Scale | None = None
    deleted: float | None = None
    restored: float | None = None
    delete_after_s: float | None = None
    owner_uid: int | None = None
    activity: Activity | None = None
    notice: Notice | None = None
    origin: Origin | None = None

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def is_running(self) -> bool:
        return self.state in ("running", "degraded")

    @property
    def kept_until(self) -> float | None:
        """When it ends, where it only keeps what it holds, in seconds since the epoch; else null."""
        stays = self.state == "running" and self.stop_requested is None
        return self.activity.kept_until if stays and self.activity is not None else None

    @property
    def is_leaving(self) -> bool:
        """Whether it was told to go from its devices and has not gone yet."""
        return self.state == "suspending" or (self.stop_requested is not None and not self.has_ended)


class Output(_Seen, frozen=True, kw_only=True):
    """A piece of a task's output that starts at byte `offset`.

    Where it does not follow on what came before, the bytes between were let go of: the output had grown too long.
    """

    offset: int
    data: bytes


class Measurement(_Seen, frozen=True, kw_only=True):
    """What a workload used in the `seconds` from `at` on.

    `gpu_utilization` is in devices (0.4: two fifths of one compute), null where nothing measures it; memory is the mean
    and the highest of the time. On simulated devices what is of the GPU is made up.
    """

    at: float
    seconds: float
    gpu_utilization: float | None
    gpu_memory_mib: float | None
    gpu_memory_peak_mib: float | None
    cpu_cores: float
    memory_mib: float
    memory_peak_mib: float


class Resized(_Seen, frozen=True, kw_only=True):
    """A workload that asks for something else, or is of more or fewer tasks, now or from its next start on.

    `reason` says why not now.
    """

    workload: Workload
    applied: Literal["now", "next_start"]
    reason: str = ""


class Holder(_Seen, frozen=True, kw_only=True):
    """Who holds a share of a device: a workload of this engine, one of another user's engine, or a foreign process."""

    kind: Literal["workload", "other_engine", "foreign"]
    owner: str
    name: str
    portion_milli: int
    memory_mib: int
    workload: str | None = None


class Device(_Seen, frozen=True, kw_only=True):
    """One device and who holds it. `used_mib` and `utilization` (0 to 1) are null where nothing measures them."""

    id: str
    index: int
    node: str
    model: str
    memory_mib: int
    ready: bool
    simulated: bool
    holders: tuple[Holder, ...] = ()
    used_mib: int | None = None
    utilization: float | None = None


class PastUse(_Seen, frozen=True, kw_only=True):
    """What a queue held lately, as a `part` (0 to 1) of all devices, where fair shares are time-based.

    It weighs `k` against the queue's weight when what is beyond quotas is divided. What lies back more than `window_s`
    does not count, what lies back `half_life_s` counts half (null: all of it).
    """

    part: float
    k: float
    window_s: float
    half_life_s: float | None = None


class QueueStatus(_Seen, frozen=True, kw_only=True):
    """A queue's devices: deserved, granted, held, asked for; null is unlimited.

    `past_use` is null where the past does not count.
    """

    name: str
    parent: str | None
    quota: float | None
    limit: float | None
    fair_share: float | None
    allocated: float
    requested: float
    past_use: PastUse | None = None


class EngineInfo(_Seen, frozen=True, kw_only=True):
    """Which engine answers. `simulated` names the simulated devices, null when they are real.

    `user` is who asks: the engine's only user, or one of those who share it (`shared`). `notice` is a sentence for
    people (no GPU here, a device that is lost); `survives` lists the restarts that running workloads outlive on this
    machine. Of a shared engine `roles` are those of who asks in each project, and `administers` says whether they
    are one of its administrators.
    """

    kind: Literal["local", "kubernetes"]
    protocol: int
    version: str
    host: str
    user: str
    pid: int
    simulated: str | None
    notice: str
    survives: tuple[str, ...]
    shared: bool = False
    roles: dict[str, tuple[Role, ...]] = {}
    administers: bool = False


class SpecChange(_Seen, frozen=True, kw_only=True):
    """One change with which a waiting workload would start: in words, and as the fields of its submission.

    `change` and `effect` are the words ("gpu 0.5 to 0.4", "starts now on node-3"); a field that is null stays as it is.
    """

    change: str
    effect: str
    request: TaskRequest | None = None
    min_tasks: int | None = None
    priority: int | None = None


class Explanation(_Seen, frozen=True, kw_only=True):
    """Why a workload is where it is: its last verdict, its queue's figures and, asked for, what would let it start."""

    workload: Workload
    verdict: Verdict | None
    queue: QueueStatus | None
    remedies: tuple[SpecChange, ...] = ()


class PlannerTime(_Seen, frozen=True, kw_only=True):
    """What the plans of one engine run have taken so far, in seconds; it plans whenever something has changed."""

    plans: int = 0
    seconds: float = 0.0


class EngineState(_Seen, frozen=True, kw_only=True, tag="state"):
    """Everything at once: the first event of a stream, and the first after a gap.

    `planner` is null where another process than the engine's plans, as on a cluster.
    """

    epoch: str
    seq: int
    info: EngineInfo
    devices: tuple[Device, ...]
    queues: tuple[QueueStatus, ...]
    workloads: tuple[Workload, ...]
    planner: PlannerTime | None = None


class WorkloadChanged(_Seen, frozen=True, kw_only=True, tag="workload"):
    """A workload as it is now; one that was not known before is new."""

    epoch: str
    seq: int
    workload: Workload


class WorkloadDeleted(_Seen, frozen=True, kw_only=True, tag="deleted"):
    """A workload that is out of sight: purged, or deleted until somebody restores it."""

    epoch: str
    seq: int
    id: str


class DevicesChanged(_Seen, frozen=True, kw_only=True, tag="devices"):
    """All devices as they are now."""

    epoch: str
    seq: int
    devices: tuple[Device, ...]


class QueuesChanged(_Seen, frozen=True, kw_only=True, tag="queues"):
    """All queues as they are now; `planner` as that of `EngineState`."""

    epoch: str
    seq: int
    queues: tuple[QueueStatus, ...]
    planner: PlannerTime | None = None


class Heartbeat(_Seen, frozen=True, kw_only=True, tag="heartbeat"):
    """Nothing happened, the stream is alive; `planner` as that of `EngineState`."""

    epoch: str
    seq: int
    planner: PlannerTime | None = None


Event: TypeAlias = EngineState | WorkloadChanged | WorkloadDeleted | DevicesChanged | QueuesChanged | Heartbeat
"""Events of one engine run (`epoch`) carry consecutive `seq`; `EngineState` starts or restarts the count."""
