"""What goes in and out of the REST interface beside the engine's own vocabulary."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from scheduler_core.accounting.usage import MOST_GROUPS, UsageBy, UsageStep
from scheduler_core.workload import (
    DEFAULT_QUEUE,
    Device,
    Kind,
    Measurement,
    PriorityName,
    QueueStatus,
    Step,
    TaskStatus,
    Workload,
)

Offset = Annotated[int, Meta(ge=0, le=2**63 - 1)]
TaskIndex = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Time = Annotated[float, Meta(ge=0, le=1e11)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]


class Simulate(Struct, frozen=True, forbid_unknown_fields=True):
    """Which devices to simulate, such as `2xA100-80GB`; null for the machine's own."""

    devices: str | None


class LeasedKernel(Struct, frozen=True, forbid_unknown_fields=True):
    """A kernel on a share of a device: that of the kernelspec `base`, with what it asks for and of whose quota.

    Below the priority `high` it may be evicted; it is stopped after `max_time_s`, unless that is 0. An `environment` of
    the catalog gives it variables and, where it has one, another interpreter.
    """

    base: Text
    gpu: int | str = 0
    gpu_memory_mib: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    project: Text = DEFAULT_QUEUE
    preemptible: bool = False
    priority: PriorityName | None = None
    max_time_s: Seconds = 0.0
    environment: Text | None = None


class KernelSpecName(Struct, frozen=True):
    """A kernelspec, and what people see of it."""

    name: str
    display_name: str


class KernelLease(Struct, frozen=True):
    """A kernel of this server, and the workload that holds its devices."""

    kernel: str
    workload: str


class KernelLeaseList(Struct, frozen=True):
    """The kernels of this server that are workloads."""

    leases: tuple[KernelLease, ...]


class WorkloadList(Struct, frozen=True):
    """All workloads, oldest first."""

    workloads: tuple[Workload, ...]


class DeviceList(Struct, frozen=True):
    """All devices."""

    devices: tuple[Device, ...]


class QueueList(Struct, frozen=True):
    """All queues."""

    queues: tuple[QueueStatus, ...]


class TaskList(Struct, frozen=True):
    """All tasks of a workload, by their index."""

    tasks: tuple[TaskStatus, ...]


class MeasurementList(Struct, frozen=True):
    """What a workload used, oldest first."""

    measurements: tuple[Measurement, ...]


class ResultFolder(Struct, frozen=True):
    """The folder on the server's machine in which the results of a task lie."""

    path: str


class Listed(Struct, frozen=True):
    """`deleted` lists what is deleted and can be had back, instead of what there is."""

    deleted: bool = False


class Submitted(Struct, frozen=True):
    """`inherit_env` lays the specification's `env` over the server's own environment, as a terminal has it."""

    inherit_env: bool = True


class Deleted(Struct, frozen=True):
    """`purge` removes the workload at once with all its files; without it, it can be had back for a while."""

    purge: bool = False


class Explained(Struct, frozen=True):
    """`remedies` also works out what would let the workload start: that costs a plan each."""

    remedies: bool = False


class OfTask(Struct, frozen=True):
    """`task` is its index."""

    task: TaskIndex = 0


class LogRange(Struct, frozen=True):
    """The output of `task` from byte `offset` on; `download` makes a browser save it as a file."""

    task: TaskIndex = 0
    offset: Offset = 0
    download: bool = False


class Measured(Struct, frozen=True):
    """In which steps, and from when on in seconds since the epoch."""

    step: Step = "minute"
    since: Time = 0.0


class Accounted(Struct, frozen=True):
    """Grouped by what, in [since, until) in seconds since the epoch, without `until` up to now; in all or by steps.

    The `most` groups that were allocated most come one by one, the others as one.
    """

    by: UsageBy = "project"
    since: Time = 0.0
    until: Time | None = None
    step: UsageStep = "all"
    most: Annotated[int, Meta(ge=1, le=MOST_GROUPS)] = MOST_GROUPS


class PastQueues(Struct, frozen=True):
    """In [since, until) in seconds since the epoch, without `until` up to now; in all or by steps."""

    since: Time = 0.0
    until: Time | None = None
    step: UsageStep = "all"


class OfProject(Struct, frozen=True):
    """Which project, by default one's own, and for which kind of work."""

    project: str = DEFAULT_QUEUE
    kind: Kind = "training"


class PolicyText(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of policies (YAML), to be checked."""

    text: str


class Reported(Struct, frozen=True):
    """Grouped by what, in [since, until) in seconds since the epoch: the last seven days, where nothing is said."""

    by: UsageBy = "project"
    since: Time | None = None
    until: Time | None = None


class TextStream(NamedTuple):
    """Text that is sent as it comes; `saved_as` is the name of the file that a browser makes of it."""

    pieces: AsyncGenerator[bytes, None]
    saved_as: str | None
