"""What a packing of typical work still means for the nodes as they are, and what a task would displace of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from scheduler_core.model import MILLI
from scheduler_core.planning.columns import Column, Columns, Indices
from scheduler_core.planning.demand import Demand
from scheduler_core.planning.occupancy import LATER
from scheduler_core.planning.packing import Packing, Slot
from scheduler_core.planning.policy import Scores
from scheduler_core.planning.room import Room
from scheduler_core.planning.typical import Classes, Kind

_WITH_MODELS = 2
"""Work that asks for models counts so many times over: it has nowhere else to go."""

_NO_ROOM = 1 << 40

Pattern: TypeAlias = tuple[int, int, tuple[int, ...]]
"""A device's class, the units free on it and the kinds still planned there, largest first."""


class Outlook:
    """The planned tasks that still fit on each node, worth their thousandths of a device.

    Everything is seen as it will be when what is releasing has gone. By node: `kept` are these tasks, `planned` says
    for each kind whether one of it is among them, `free` is in thousandths of a device.
    """

    def __init__(self, columns: Columns, classes: Classes, kinds: Sequence[Kind]) -> None:
        self.columns = columns
        self.classes = classes
        self.cluster = columns.occupancy.cluster
        self.kinds = kinds
        nodes = len(self.cluster.nodes)
        self.kept: list[list[Slot]] = [[] for _ in range(nodes)]
        self.planned = np.zeros((len(kinds), nodes), dtype=np.bool_)
        self.free = np.zeros(nodes, dtype=np.int64)
        self._shares = [classes.shares(kind.demand) for kind in kinds]
        self._worth = [self._milli(kind.units) * (1 if kind.demand.models is None else _WITH_MODELS) for kind in kinds]
        self._totals = np.zeros((5, nodes), dtype=np.int64)
        self._patterns: list[Pattern] = []
        self._numbers: dict[Pattern, int] = {}
        self._pattern_of = np.zeros(len(self.cluster.gpus), dtype=np.intp)
        self._losses: dict[object, Column] = {}
        self._slots: list[list[Slot]] = []

    def plan(self) -> Packing:
        """Pack the typical work into what is free now, and look at every node again."""
        first = not self._slots
        if first:
            self._slots = [[] for _ in self.kept]
        packing = Packing(self.cluster, self.classes, self.kinds, self._room())
        for i, (slots, kept) in enumerate(zip(packing.slots, self.kept, strict=True)):
            self._slots[i] = slots
            if slots or kept or first:
                self.read(i)
        return packing

    def read(self, i: int) -> None:
        """Look at node i as it is now: planned tasks are kept while they fit, the largest first."""
        occupancy, of = self.columns.occupancy, self.classes.of
        cpu, memory = occupancy.cpu[LATER][i], occupancy.memory[LATER][i]
        span = [d for d in self.cluster.spans[i] if self.cluster.sliced[d] is None]
        free = {d: max(0, occupancy.free(d, later=True)) for d in span}
        left = dict(free)
        on: dict[int, list[int]] = {d: [] for d in span}
        worth = for_cpu = for_memory = 0
        kept: list[Slot] = []
        for slot in self._slots[i]:
            k, devices = slot.kind, slot.devices
            demand, shares = self.kinds[k].demand, self._shares[k]
            if cpu < demand.cpu_milli or memory < demand.memory_mib or any(left[d] < shares[of[d]] for d in devices):
                continue
            kept.append(slot)
            cpu -= demand.cpu_milli
            memory -= demand.memory_mib
            for d in devices:
                left[d] -= shares[of[d]]
                on[d].append(k)
            if devices:
                worth += self._worth[k]
                for_cpu += demand.cpu_milli
                for_memory += demand.memory_mib
        spare = occupancy.cpu[LATER][i] - for_cpu, occupancy.memory[LATER][i] - for_memory
        self.kept[i] = kept
        self.planned[:, i] = False
        self.planned[[slot.kind for slot in kept], i] = True
        self.free[i] = sum(map(self._milli, free.values()))
        self._totals[:, i] = worth, for_cpu, for_memory, *spare
        self._pattern_of[span] = [self._pattern((of[d], free[d], tuple(on[d]))) for d in span]

    def displaced(self, demand: Demand, later: bool, nodes: Indices) -> Scores:
        """Worth of the planned tasks that the demand would displace, at the least, on each of these nodes."""
        if not demand.devices:
            none = np.zeros(len(nodes), dtype=np.int64)
            return self._with_host(demand, nodes, none, none, none)
        self.columns.sync()
        fits = self.columns.fitting_on(demand, later, nodes)
        worth, cpu, memory = self._losses_of(demand)[:, self._pattern_of[self.columns.devices_of[nodes]]]
        if demand.devices == 1:
            lost = self._with_host(demand, nodes[:, None], worth, cpu, memory)
            return np.asarray(np.where(fits, lost, _NO_ROOM).min(axis=1, initial=_NO_ROOM))
        order = np.argsort(np.where(fits, worth, _NO_ROOM), axis=1, kind="stable")[:, : demand.devices]
        taken = (np.take_along_axis(each, order, axis=1).sum(axis=1) for each in (worth, cpu, memory))
        return self._with_host(demand, nodes, *taken)

    def displaced_on(self, i: int, demand: Demand) -> dict[int, int]:
        """The same for each device of node i, where the demand takes it, alone or among others."""
        span = self.cluster.spans[i]
        worth, cpu, memory = self._losses_of(demand)[:, self._pattern_of[span.start : span.stop]]
        lost = self._with_host(demand, np.full(len(span), i, dtype=np.intp), worth, cpu, memory)
        return dict(zip(span, lost.tolist(), strict=True))

    def _with_host(self, demand: Demand, nodes: Indices, worth: Column, cpu: Column, memory: Column) -> Scores:
        """Add what goes because the node's CPU or memory is taken: as large a part of the planned work.

        `cpu` and `memory` are set free by what has lost its devices already.
        """
        planned, for_cpu, for_memory, spare_cpu, spare_memory = self._totals[:, nodes]
        lost: Column | int = 0
        lacks_cpu = demand.cpu_milli - spare_cpu - cpu
        if (lacks_cpu > 0).any():
            lost = np.maximum(lacks_cpu, 0) * planned // np.maximum(for_cpu, 1)
        lacks_memory = demand.memory_mib - spare_memory - memory
        if (lacks_memory > 0).any():
            lost = np.maximum(lost, np.maximum(lacks_memory, 0) * planned // np.maximum(for_memory, 1))
        return np.asarray(worth + lost)

    def _losses_of(self, demand: Demand) -> Column:
        """Worth, CPU and memory of what a share of the demand displaces on a device, by the device's pattern."""
        key = demand.form, demand.share, demand.gpu_memory_mib, demand.devices > 1
        known = self._losses.get(key)
        done = 0 if known is None else known.shape[1]
        if known is None or done < len(self._patterns):
            # Whatever its models, for demands of all models share these figures.
            shares = [self.cluster.share(d, demand) for d in self.classes.examples]
            new = [self._lost(pattern, shares, demand.devices > 1) for pattern in self._patterns[done:]]
            more = np.array(new, dtype=np.int64).reshape(len(new), 3).T
            known = self._losses[key] = more if known is None else np.concatenate((known, more), axis=1)
        return known

    def _lost(self, pattern: Pattern, shares: Sequence[int], several: bool) -> tuple[int, int, int]:
        """A task planned on several devices is lost with the first of them; to work on several it counts in parts."""
        number, free, planned = pattern
        left = free - shares[number]
        worth = cpu = memory = 0
        for k in planned:
            if left >= self._shares[k][number]:
                left -= self._shares[k][number]
            else:
                demand = self.kinds[k].demand
                parts = demand.devices if several else 1
                worth += self._worth[k] // parts
                cpu += demand.cpu_milli // parts
                memory += demand.memory_mib // parts
        return worth, cpu, memory

    def _pattern(self, pattern: Pattern) -> int:
        number = self._numbers.setdefault(pattern, len(self._numbers))
        if number == len(self._patterns):
            self._patterns.append(pattern)
        return number

    def _room(self) -> Room:
        occupancy, nodes = self.columns.occupancy, self.cluster.nodes
        return Room(
            cpu=[max(0, cpu) if node.ready else 0 for node, cpu in zip(nodes, occupancy.cpu[LATER], strict=True)],
            memory=[max(0, mib) if node.ready else 0 for node, mib in zip(nodes, occupancy.memory[LATER], strict=True)],
            units=[
                max(0, occupancy.free(d, later=True)) if nodes[i].ready and self.cluster.sliced[d] is None else 0
                for d, i in enumerate(self.cluster.gpu_node)
            ],
        )

    def _milli(self, units: int) -> int:
        return units * MILLI // self.cluster.scale.device
