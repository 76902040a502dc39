"""What one task asks for, compiled to integers.

GPU amounts are counted in *units*: `Scale.device` of them make one device. The scale is the smallest in which every
portion (thousandths) and every request by memory (memory / device memory) is a whole number, so sums are exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum
from fractions import Fraction
from math import lcm
from typing import TypeAlias

from msgspec import Struct

from scheduler_core.model import MILLI, Snapshot, Task, TaskRequest, Toleration

Vector: TypeAlias = tuple[int, int, int]
"""GPU units, thousandths of a core, MiB: in the order of `RESOURCES`."""

NOTHING: Vector = (0, 0, 0)

_MIG_PROFILE = re.compile(r"(?:[1-9][0-9]?c\.)?([1-9][0-9]?)g(?:\.|\Z)")


class Form(IntEnum):
    """The four forms of a GPU request, and none."""

    NONE = 0
    WHOLE = 1
    PORTION = 2
    MEMORY = 3
    MIG = 4


class Scale(Struct, frozen=True):
    """Units in a device, and the smallest and largest device memory of the snapshot in MiB (0: no device has any)."""

    device: int
    smallest: int
    largest: int

    def of_memory(self, memory_mib: int, device_mib: int) -> int:
        """Units that `memory_mib` takes of a device with `device_mib`; 0 where the device has no known memory."""
        return memory_mib * self.device // device_mib if device_mib else 0

    def devices(self, units: int) -> Fraction:
        return Fraction(units, self.device)


class Demand(Struct, frozen=True, gc=False):
    """One distinct request with its constraints; tasks that ask alike share one.

    `share` is the units taken of each device for a portion; `devices` the number of different devices, all of one node.
    `least` and `most` are what a queue is charged on the largest and on the smallest device of the snapshot.
    """

    index: int
    cpu_milli: int
    memory_mib: int
    form: Form
    devices: int
    share: int
    gpu_memory_mib: int
    mig: tuple[tuple[str, int], ...]
    models: frozenset[str] | None
    node_selector: tuple[tuple[str, str], ...]
    tolerations: tuple[Toleration, ...]
    node_names: tuple[str, ...] | None
    most: Vector
    least: Vector


def scale_of(snapshot: Snapshot) -> Scale:
    """The unit in which every GPU request of the snapshot is a whole number."""
    memories = {gpu.memory_mib for node in snapshot.nodes for gpu in node.gpus if gpu.memory_mib}
    by_memory = any(task.request.gpu_memory_mib for workload in snapshot.workloads for task in workload.tasks)
    return Scale(
        device=lcm(MILLI, *memories) if by_memory else MILLI,
        smallest=min(memories, default=0),
        largest=max(memories, default=0),
    )


def mig_devices(profile: str) -> int:
    """Devices that a slice `Ng.*` is charged for: N.

    Raises:
        ValueError: the profile does not begin with a number of slices.
    """
    match = _MIG_PROFILE.match(profile)
    if match is None:
        raise ValueError(f"a MIG profile looks like 1g.10gb, not {profile[:40]!r}")
    return int(match.group(1))


class Demands:
    """Interns the requests of a snapshot."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self._known: dict[object, Demand] = {}
        self._last: Task | None = None
        self._found: Demand

    def of(self, task: Task) -> Demand:
        """The demand of a task; equal requests give the same object."""
        request = task.request
        last = self._last
        if last is not None and last.request == request and _same_rules(last, task):
            return self._found
        key = (
            request.cpu_milli,
            request.memory_mib,
            request.gpu,
            request.gpu_memory_mib,
            request.gpu_devices,
            tuple(sorted(request.mig.items())) if request.mig else (),
            request.models,
            tuple(sorted(task.node_selector.items())) if task.node_selector else (),
            task.tolerations,
            task.node_names,
        )
        demand = self._known.get(key)
        if demand is None:
            demand = self._known[key] = self._compile(task, request, len(self._known))
        self._last, self._found = task, demand
        return demand

    def _compile(self, task: Task, request: TaskRequest, index: int) -> Demand:
        form, devices = _form(request)
        share = request.portion_milli * (self.scale.device // MILLI)
        least, most = (
            self._charge(request, form, devices, share, of) for of in (self.scale.largest, self.scale.smallest)
        )
        return Demand(
            index=index,
            cpu_milli=request.cpu_milli,
            memory_mib=request.memory_mib,
            form=form,
            devices=devices,
            share=share,
            gpu_memory_mib=request.gpu_memory_mib,
            mig=tuple(sorted(request.mig.items())),
            models=None if request.models is None else frozenset(request.models),
            node_selector=tuple(sorted(task.node_selector.items())),
            tolerations=task.tolerations,
            node_names=task.node_names,
            most=(most, request.cpu_milli, request.memory_mib),
            least=(least, request.cpu_milli, request.memory_mib),
        )

    def _charge(self, request: TaskRequest, form: Form, devices: int, share: int, device_mib: int) -> int:
        if form == Form.MEMORY:
            return devices * (self.scale.of_memory(request.gpu_memory_mib, device_mib) or self.scale.device)
        if form == Form.MIG:
            return self.scale.device * sum(mig_devices(profile) * count for profile, count in request.mig.items())
        return devices * (self.scale.device if form == Form.WHOLE else share)


def _same_rules(left: Task, right: Task) -> bool:
    return (
        left.node_selector == right.node_selector
        and left.tolerations == right.tolerations
        and left.node_names == right.node_names
    )


def _form(request: TaskRequest) -> tuple[Form, int]:
    if request.mig:
        return Form.MIG, 0
    if request.gpu_memory_mib:
        return Form.MEMORY, request.gpu_devices
    if request.portion_milli:
        return Form.PORTION, request.gpu_devices
    whole = request.whole_devices
    return (Form.WHOLE, whole) if whole else (Form.NONE, 0)


def add(left: Vector, right: Vector) -> Vector:
    """The sum, resource by resource."""
    return left[0] + right[0], left[1] + right[1], left[2] + right[2]


def total(vectors: Iterable[Vector]) -> Vector:
    """The sum of all, resource by resource."""
    units = cpu = memory = 0
    for vector in vectors:
        units += vector[0]
        cpu += vector[1]
        memory += vector[2]
    return units, cpu, memory
