"""The occupancy as numpy columns, for looking at many nodes at once.

Brought up to date from the occupancy's log of changes, node by node, when asked. Units that do not fit 64 bits (a scale
made of many different device memories) are kept as Python integers in columns of objects.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from scheduler_core.planning.cluster import Cluster, Mask
from scheduler_core.planning.demand import Demand, Form
from scheduler_core.planning.occupancy import LATER, NOW, Occupancy

Column: TypeAlias = NDArray[Any]

Indices: TypeAlias = NDArray[np.intp]
"""Nodes, or devices, by their index in the cluster."""

NO_DEVICE = -1

_LARGEST_SCALE = 1 << 40
"""Sums of units over a million devices stay below 2^62 up to here."""


class Columns:
    """One row for each node or device; the first index of what is free says `later` (0 throughout, 1 later).

    `devices_of` has a row of devices for each node, in list order and filled up with `NO_DEVICE`.
    """

    def __init__(self, occupancy: Occupancy) -> None:
        self.occupancy = occupancy
        cluster = occupancy.cluster
        nodes, devices = len(cluster.nodes), len(cluster.gpus)
        self.units_type = np.dtype(np.int64 if cluster.scale.device <= _LARGEST_SCALE else object)
        self.node_of = np.array(cluster.gpu_node, dtype=np.intp)
        self.first = np.array([span.start for span in cluster.spans], dtype=np.intp)
        self.last = np.array([span.stop for span in cluster.spans], dtype=np.intp)
        self.devices_of = np.full((nodes, max(map(len, cluster.spans), default=0)), NO_DEVICE, dtype=np.intp)
        for i, span in enumerate(cluster.spans):
            self.devices_of[i, : len(span)] = span
        self.all_nodes = np.arange(nodes, dtype=np.intp)
        self._kind_of, self._examples = _kinds(cluster)
        self.whole_only = np.array([slices is None for slices in cluster.sliced], dtype=np.bool_)
        self.free = np.zeros((2, devices), dtype=self.units_type)
        self.idle, self.cpu, self.memory, self.slots = (np.zeros((2, nodes), dtype=np.int64) for _ in range(4))
        self._seen = 0
        self._usable: dict[object, Mask] = {}
        self._shares: dict[int, Column] = {}
        self._read_all()

    def sync(self) -> None:
        """Take over what has changed since the last time."""
        log = self.occupancy.changes
        if self._seen < len(log):
            for i in set(log[self._seen :]):
                self._read(i)
            self._seen = len(log)

    def usable(self, demand: Demand) -> Mask:
        """Devices of the kind the demand asks for, however full."""
        key = (demand.form, demand.models)
        mask = self._usable.get(key)
        if mask is None:
            cluster = self.occupancy.cluster
            of_kind = np.array([cluster.usable(d, demand) for d in self._examples], dtype=np.bool_)
            mask = self._usable[key] = of_kind[self._kind_of]
        return mask

    def large_enough(self, demand: Demand) -> Mask:
        """Those of them that hold the demand's share of one device when nobody else is on them."""
        whole = self.occupancy.cluster.scale.device
        return np.asarray(self.usable(demand) & (self._share(demand) <= whole), dtype=np.bool_)

    def fitting(self, demand: Demand, later: bool) -> Mask:
        """Devices that have the demand's share of one device free."""
        return np.asarray(self.usable(demand) & (self.free[int(later)] >= self._share(demand)), dtype=np.bool_)

    def fitting_on(self, demand: Demand, later: bool, nodes: Indices) -> Mask:
        """The same for the devices of these nodes, as in `devices_of`."""
        devices = self.devices_of[nodes]
        share = self._share(demand)
        enough = self.free[int(later)][devices] >= (share if isinstance(share, int) else share[devices])
        return np.asarray((devices != NO_DEVICE) & self.usable(demand)[devices] & enough, dtype=np.bool_)

    def count(self, devices: Mask) -> NDArray[np.int64]:
        """How many of the devices each node has."""
        return np.bincount(self.node_of[devices], minlength=len(self.first)).astype(np.int64)

    def free_units(self, later: bool, nodes: Indices | None = None) -> Column:
        """Units free on the devices of these nodes (all), slices counted as `Occupancy.free_units` does."""
        nodes = self.all_nodes if nodes is None else nodes
        devices = self.devices_of[nodes]
        whole = (devices != NO_DEVICE) & self.whole_only[devices]
        sums = np.where(whole, np.maximum(self.free[int(later)][devices], 0), 0).sum(axis=1)
        sliced = (devices != NO_DEVICE) & ~self.whole_only[devices]
        for row in np.flatnonzero(sliced.any(axis=1)).tolist():
            sums[row] = self.occupancy.free_units(int(nodes[row]), later)
        return np.asarray(sums)

    def host_fits(self, demand: Demand, later: bool, nodes: Indices) -> Mask:
        """Which of these nodes have the task slot, CPU and memory for the demand."""
        t = int(later)
        fits = self.slots[t][nodes] >= 1
        if demand.cpu_milli:
            fits &= self.cpu[t][nodes] >= demand.cpu_milli
        if demand.memory_mib:
            fits &= self.memory[t][nodes] >= demand.memory_mib
        return np.asarray(fits, dtype=np.bool_)

    def host_shortages(self, demand: Demand, later: bool) -> list[tuple[str, Mask]]:
        """Nodes that lack a task slot, CPU or memory for the demand; each with all that lack it."""
        t = int(later)
        return [
            ("no task slot left", self.slots[t] < 1),
            ("not enough CPU free", (self.cpu[t] < demand.cpu_milli) & bool(demand.cpu_milli)),
            ("not enough memory free", (self.memory[t] < demand.memory_mib) & bool(demand.memory_mib)),
        ]

    def _share(self, demand: Demand) -> Column | int:
        if demand.form != Form.MEMORY:
            return self.occupancy.cluster.share(0, demand)
        shares = self._shares.get(demand.gpu_memory_mib)
        if shares is None:
            cluster = self.occupancy.cluster
            units = [cluster.share(d, demand) for d in range(len(cluster.gpus))]
            shares = self._shares[demand.gpu_memory_mib] = np.array(units, dtype=object)
        return shares

    def _read_all(self) -> None:
        """Every node at once, as `_read` does it one by one."""
        occupancy, device = self.occupancy, self.occupancy.cluster.scale.device
        now, later = (np.array(used, dtype=self.units_type) for used in occupancy.used)
        self.free[:] = device - np.maximum(now, later), device - later
        self.idle[:] = occupancy.idle_throughout, occupancy.idle[LATER]
        held = ((self.cpu, occupancy.cpu), (self.memory, occupancy.memory), (self.slots, occupancy.slots))
        for column, amounts in held:
            present, after = (np.array(amount, dtype=np.int64) for amount in amounts)
            column[:] = np.minimum(present, after), after

    def _read(self, i: int) -> None:
        occupancy = self.occupancy
        span = occupancy.cluster.spans[i]
        self.free[0, span.start : span.stop] = [occupancy.free(d, later=False) for d in span]
        self.free[1, span.start : span.stop] = [occupancy.free(d, later=True) for d in span]
        self.idle[:, i] = occupancy.idle_throughout[i], occupancy.idle[LATER][i]
        held = ((self.cpu, occupancy.cpu), (self.memory, occupancy.memory), (self.slots, occupancy.slots))
        for column, amounts in held:
            column[:, i] = min(amounts[NOW][i], amounts[LATER][i]), amounts[LATER][i]


def _kinds(cluster: Cluster) -> tuple[Indices, list[int]]:
    """For each device the number of its kind, and one device of each kind."""
    numbers: dict[object, int] = {}
    examples: list[int] = []
    kind_of = []
    for d, (gpu, memory) in enumerate(zip(cluster.gpus, cluster.gpu_memory, strict=True)):
        number = numbers.setdefault((gpu.model, memory, gpu.shareable, gpu.mig is None), len(examples))
        if number == len(examples):
            examples.append(d)
        kind_of.append(number)
    return np.array(kind_of, dtype=np.intp), examples
