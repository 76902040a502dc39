"""Snapshot, Plan and their parts: the vocabulary of the planning contract.

Every struct mirrors one table of the contract; field names, units and defaults are the contract's.
Decoding is strict: an unknown field or a value out of range is an error that names its path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct, field

Placement: TypeAlias = Literal["binpack", "spread", "fgd", "fragmentation"]
Action: TypeAlias = Literal["allocate", "consolidate", "reclaim", "preempt", "stale_gang"]
TaskState: TypeAlias = Literal["pending", "running", "releasing", "stuck", "done", "failed", "gated"]
VerdictState: TypeAlias = Literal["placed", "partly_placed", "nominated", "pending"]
VerdictCode: TypeAlias = Literal[
    "placed",
    "waiting_release",
    "waiting_turn",
    "over_limit",
    "non_preemptible_over_quota",
    "over_fair_share",
    "no_node_fits",
    "fragmented",
    "gang_incomplete",
    "gang_does_not_fit",
    "topology_does_not_fit",
    "victims_protected",
    "never_fits",
    "queue_not_found",
    "gated",
    "search_gave_up",
]
Resource: TypeAlias = Literal["gpu", "cpu_milli", "memory_mib"]

ACTIONS: tuple[Action, ...] = ("allocate", "consolidate", "reclaim", "preempt", "stale_gang")
RESOURCES: tuple[Resource, ...] = ("gpu", "cpu_milli", "memory_mib")
MILLI = 1000
"""Thousandths in one device: portions are whole numbers of them."""

NON_PREEMPTIBLE_PRIORITY = 100
"""A workload of this priority or above is non-preemptible unless it says otherwise."""

_PLAIN_DECIMAL = re.compile(r"-?[0-9]{0,9}\.?[0-9]{1,30}")
"""Exponents are left out: "1e999999999" would be a number too large to hold."""

_THOUSANDTH_TOLERANCE = Fraction(1, 10**9)

Count: TypeAlias = Annotated[int, Meta(ge=0)]
Amount: TypeAlias = Annotated[float, Meta(ge=0)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0)]
Ratio: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Name: TypeAlias = Annotated[str, Meta(min_length=1)]


class Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Base of everything that is decoded: frozen, keyword-only, no unknown fields.

    Being frozen they form no cycles, so the garbage collector need not walk the tens of thousands of a large snapshot.
    """


class Config(Strict, frozen=True, kw_only=True):
    placement: Placement = "binpack"
    typical: tuple[TypicalTask, ...] | None = None
    max_consolidation_victims: Annotated[int, Meta(ge=-1)] = 16
    allow_consolidating_reclaim: bool = True
    stale_gang_grace_s: float = 60.0
    usage_weight_k: float = 1.0
    actions: tuple[Action, ...] = ACTIONS

    def __post_init__(self) -> None:
        if self.stale_gang_grace_s < 0 and self.stale_gang_grace_s != -1:
            raise ValueError("stale_gang_grace_s is at least 0, or -1 for never")


class MigProfile(Strict, frozen=True, kw_only=True):
    profile: Name
    count: Count


class Gpu(Strict, frozen=True, kw_only=True):
    """One device: `id` is its UUID, `memory_mib` its physical memory."""

    id: Name
    memory_mib: Count = 0
    model: str = ""
    shareable: bool = True
    mig: tuple[MigProfile, ...] | None = None


class Taint(Strict, frozen=True, kw_only=True):
    key: Name
    value: str = ""
    effect: str = "NoSchedule"


class Toleration(Strict, frozen=True, kw_only=True):
    """A Kubernetes toleration; an empty key with operator Exists tolerates everything."""

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: str = ""


class Node(Strict, frozen=True, kw_only=True):
    """A machine; `cpu_milli`, `memory_mib` and `max_tasks` are what can be allocated."""

    name: Name
    cpu_milli: Count = 0
    memory_mib: Count = 0
    max_tasks: Count = 110
    gpus: tuple[Gpu, ...] = ()
    labels: Mapping[str, str] = {}
    taints: tuple[Taint, ...] = ()
    pool: Name = "default"
    ready: bool = True


class GpuQuota(Strict, frozen=True, kw_only=True):
    """Deserved devices, hard limit and over-quota weight; null is unlimited."""

    quota: Amount | None = 0.0
    limit: Amount | None = None
    weight: Amount = 1.0


class HostQuota(Strict, frozen=True, kw_only=True):
    """The same for CPU (thousandths of a core) and memory (MiB): no quota unless one is given."""

    quota: Amount | None = None
    limit: Amount | None = None
    weight: Amount = 1.0


class PoolQuota(Strict, frozen=True, kw_only=True):
    gpu: GpuQuota = GpuQuota()
    cpu_milli: HostQuota = HostQuota()
    memory_mib: HostQuota = HostQuota()


class Usage(Strict, frozen=True, kw_only=True):
    """Decayed past usage as a share of the cluster, 0 to 1."""

    gpu: Ratio = 0.0
    cpu_milli: Ratio = 0.0
    memory_mib: Ratio = 0.0


class Queue(Strict, frozen=True, kw_only=True):
    """A node of the quota tree; only leaves run workloads."""

    name: Name
    parent: str | None = None
    priority: int = 100
    created: float = 0.0
    gpu: GpuQuota = GpuQuota()
    cpu_milli: HostQuota = HostQuota()
    memory_mib: HostQuota = HostQuota()
    pools: Mapping[str, PoolQuota] = {}
    preempt_min_runtime_s: Seconds | None = None
    reclaim_min_runtime_s: Seconds | None = None
    usage: Usage | None = None


class TaskRequest(Strict, frozen=True, kw_only=True):
    """What one task asks for.

    A GPU request takes one of four forms: whole devices (`gpu: 2`), a share of a device (`gpu: "0.35"`), device memory
    (`gpu_memory_mib`), the last two on `gpu_devices` different devices of one node, or MIG slices (`mig`).

    A share of one device may have a limit in the same form, up to which it may use what nobody else's share needs.
    Plans count what is asked for alone.
    """

    cpu_milli: Count = 0
    memory_mib: Count = 0
    gpu: int | float | str = 0
    gpu_memory_mib: Count = 0
    gpu_devices: Annotated[int, Meta(ge=1)] = 1
    gpu_limit: int | float | str = 0
    gpu_memory_limit_mib: Count = 0
    mig: Mapping[str, Annotated[int, Meta(ge=1)]] = {}
    models: tuple[Name, ...] | None = None

    def __post_init__(self) -> None:
        whole, milli = gpu_amount(self.gpu)
        forms = [whole > 0, milli > 0, self.gpu_memory_mib > 0, bool(self.mig)]
        if sum(forms) > 1:
            raise ValueError("a GPU request takes one form: gpu, gpu_memory_mib or mig")
        if self.gpu_devices > 1 and not (milli or self.gpu_memory_mib):
            raise ValueError("gpu_devices goes with a share: gpu below 1, or gpu_memory_mib")
        self._check_limit()

    def _check_limit(self) -> None:
        limit = self.limit_milli
        if limit and (self.gpu_devices > 1 or not 0 < self.portion_milli <= limit <= MILLI):
            raise ValueError("gpu_limit goes with a share of one device, and is at least that and at most 1")
        memory = self.gpu_memory_limit_mib
        if memory and (self.gpu_devices > 1 or not 0 < self.gpu_memory_mib <= memory):
            raise ValueError("gpu_memory_limit_mib goes with gpu_memory_mib of one device, and is at least that")

    @property
    def limit_milli(self) -> int:
        """Share of its device up to which it may use it, in thousandths; 0 where that is what it asks for."""
        whole, milli = gpu_amount(self.gpu_limit)
        return whole * MILLI + milli

    @property
    def whole_devices(self) -> int:
        """Whole devices asked for; 0 for every other form."""
        return gpu_amount(self.gpu)[0]

    @property
    def portion_milli(self) -> int:
        """Share of each device asked for, in thousandths; 0 for every other form."""
        return gpu_amount(self.gpu)[1]


@lru_cache(maxsize=4096, typed=True)
def gpu_amount(value: int | float | str) -> tuple[int, int]:
    """Split a request into (whole devices, thousandths of a device); one of them is 0.

    Raises:
        ValueError: not a whole number of devices and not a share above 0 and below 1 in whole thousandths.
    """
    if isinstance(value, str) and not _PLAIN_DECIMAL.fullmatch(value):
        raise ValueError(f"gpu is a number, not {value[:40]!r}")
    try:
        exact = Fraction(str(value))
    except (ValueError, OverflowError):
        raise ValueError(f"gpu is a number, not {value!r}") from None
    if exact.denominator == 1 and not isinstance(value, str):
        if exact < 0:
            raise ValueError(f"gpu is at least 0, not {value}")
        return int(exact), 0
    if not 0 < exact < 1:
        raise ValueError(f"gpu is a whole number of devices or a share above 0 and below 1, not {value}")
    milli = round(exact * MILLI)
    if abs(exact - Fraction(milli, MILLI)) > _THOUSANDTH_TOLERANCE or not 0 < milli < MILLI:
        raise ValueError(f"a share is a whole number of thousandths of a device, not {value}")
    return 0, milli


class TypicalTask(Strict, frozen=True, kw_only=True):
    request: TaskRequest
    models: tuple[Name, ...] | None = None
    weight: Amount = 1.0


class Topology(Strict, frozen=True, kw_only=True):
    levels: tuple[Name, ...]
    required: str | None = None
    preferred: str | None = None


class Group(Strict, frozen=True, kw_only=True):
    """A gang: at least `min_members` of its tasks start together."""

    name: Name
    min_members: Count
    parent: str | None = None
    min_subgroups: Count | None = None
    topology: Topology | None = None


class MigSlice(Strict, frozen=True, kw_only=True):
    gpu: Name
    profile: Name


class Task(Strict, frozen=True, kw_only=True):
    id: Name
    group: Name = "default"
    state: TaskState = "pending"
    node: str | None = None
    gpu_ids: tuple[Name, ...] = ()
    mig_slices: tuple[MigSlice, ...] = ()
    priority: int = 0
    request: TaskRequest = TaskRequest()
    node_selector: Mapping[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()
    node_names: tuple[str, ...] | None = None


class PlannedWorkload(Strict, frozen=True, kw_only=True):
    """A workload as the planner sees it: its place in the order, its gang and its tasks."""

    id: Name
    queue: Name
    created: float
    tasks: tuple[Task, ...]
    priority: int = 50
    preemptible: bool | None = None
    started: float | None = None
    stale_since: float | None = None
    groups: tuple[Group, ...] | None = None
    pools: Annotated[tuple[Name, ...], Meta(min_length=1)] = ("default",)
    topology: Topology | None = None
    estimate_s: Seconds | None = None

    @property
    def is_preemptible(self) -> bool:
        if self.preemptible is None:
            return self.priority < NON_PREEMPTIBLE_PRIORITY
        return self.preemptible


class Snapshot(Strict, frozen=True, kw_only=True):
    """Everything the planner may know; `time` is its only clock."""

    time: float
    version: Literal[1] = 1
    config: Config = Config()
    nodes: tuple[Node, ...] = ()
    queues: tuple[Queue, ...] = ()
    workloads: tuple[PlannedWorkload, ...] = ()


class Bind(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task that may start now, and where."""

    task: str
    node: str
    gpu_ids: tuple[str, ...] = ()
    mig_slices: tuple[MigSlice, ...] = ()


class Nomination(Bind, frozen=True, kw_only=True):
    """A place held for a task on resources that are still releasing or being evicted."""


class Eviction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    task: str
    workload: str
    action: Literal["consolidate", "reclaim", "preempt", "stale_gang"]
    beneficiary: str | None
    reason: str


class Verdict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a workload with a pending task runs, or does not."""

    workload: str
    state: VerdictState
    code: VerdictCode
    message: str
    facts: dict[str, Any] = field(default_factory=dict)
    position: int | None = None
    queue_position: int | None = None
    ahead: tuple[str, ...] = ()


class Remedy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One change to a request, and what it would bring: "gpu 0.5 to 0.4", "starts now on node-3"."""

    change: str
    effect: str


class QueueShare(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a queue deserves, has and asks for, of one resource in one pool; null is unlimited."""

    queue: str
    pool: str
    resource: Resource
    quota: float | None
    fair_share: float | None
    allocated: float
    requested: float
    limit: float | None


class Plan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    binds: tuple[Bind, ...] = ()
    nominations: tuple[Nomination, ...] = ()
    evictions: tuple[Eviction, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    shares: tuple[QueueShare, ...] = ()
