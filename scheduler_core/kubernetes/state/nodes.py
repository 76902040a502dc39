"""Nodes as the scheduler sees them: what can be allocated there, and who may be there."""

from __future__ import annotations

from collections.abc import Mapping
from sys import intern

import msgspec
from msgspec import Struct

from scheduler_core.kubernetes.api.resources import DEVICES, MIG_DEVICES, POOL_LABEL
from scheduler_core.kubernetes.state import amounts
from scheduler_core.model import MigProfile, Taint

_MODEL_LABEL = "nvidia.com/gpu.product"
_MEMORY_LABEL = "nvidia.com/gpu.memory"
_POOL = "default"


class Machine(Struct, frozen=True, kw_only=True, gc=False):
    """A node: what can be allocated of it, in thousandths of a core and MiB.

    It has `devices` whole devices of one model, each with `memory_mib` of its own, and the `slices` of those that are
    partitioned. It is not `ready` while nothing new may start there.
    """

    name: str
    uid: str
    cpu_milli: int
    memory_mib: int
    most_pods: int
    devices: int
    device_memory_mib: int
    model: str
    slices: tuple[MigProfile, ...]
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    pool: str
    ready: bool


class _Metadata(Struct):
    name: str
    uid: str
    labels: dict[str, str] = {}


class _Taint(Taint, frozen=True, forbid_unknown_fields=False):
    """A node's taint also says since when."""


class _Spec(Struct):
    unschedulable: bool = False
    taints: tuple[_Taint, ...] = ()


class _Condition(Struct):
    type: str
    status: str


class _Status(Struct):
    allocatable: dict[str, str] = {}
    conditions: tuple[_Condition, ...] = ()


class _Object(Struct):
    metadata: _Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


_read = msgspec.json.Decoder(_Object).decode


def read_machine(content: bytes) -> Machine:
    """A node from the JSON of the API.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    found = _read(content)
    labels, room = found.metadata.labels, found.status.allocatable
    is_alive = any(one.type == "Ready" and one.status == "True" for one in found.status.conditions)
    return Machine(
        name=intern(found.metadata.name),
        uid=found.metadata.uid,
        cpu_milli=amounts.milli(room.get("cpu", "0")),
        memory_mib=amounts.mib(room.get("memory", "0")),
        most_pods=_count(room.get("pods")),
        devices=_count(room.get(DEVICES)),
        device_memory_mib=_count(labels.get(_MEMORY_LABEL)),
        model=labels.get(_MODEL_LABEL, ""),
        slices=tuple(
            MigProfile(profile=resource.removeprefix(MIG_DEVICES), count=_count(room[resource]))
            for resource in sorted(room)
            if resource.startswith(MIG_DEVICES)
        ),
        labels=labels,
        taints=found.spec.taints,
        pool=labels.get(POOL_LABEL, _POOL),
        ready=is_alive and not found.spec.unschedulable,
    )


def _count(said: str | None) -> int:
    """A whole number; what is none counts as nothing, for nothing could be placed by it."""
    return int(said) if said is not None and said.isdecimal() else 0
