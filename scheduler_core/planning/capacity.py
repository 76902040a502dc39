"""What could ever fit: arithmetic on the empty cluster, ready or not. A "never" is certain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from scheduler_core.model import Topology
from scheduler_core.planning.cluster import Cluster, Mask
from scheduler_core.planning.demand import Demand, Form
from scheduler_core.planning.gangs import Gang, GroupNode
from scheduler_core.planning.topology import domains


class Capacity:
    """Counts copies of a demand that empty nodes hold; nodes that look alike are counted once."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        kinds: dict[object, int] = {}
        self._examples: list[int] = []
        kind_of: list[int] = []
        for i, node in enumerate(cluster.nodes):
            gpus = tuple((g.memory_mib, g.model, g.shareable, g.mig) for g in node.gpus)
            kind = kinds.setdefault((node.cpu_milli, node.memory_mib, node.max_tasks, gpus), len(kinds))
            if kind == len(self._examples):
                self._examples.append(i)
            kind_of.append(kind)
        self._kind_of = np.array(kind_of, dtype=np.intp)
        self._copies: dict[int, NDArray[np.int64]] = {}

    def copies(self, demand: Demand, nodes: Mask) -> int:
        """How many such tasks the nodes hold together when they are empty."""
        return int(self.copies_by_node(demand)[nodes].sum())

    def copies_by_node(self, demand: Demand) -> NDArray[np.int64]:
        """How many such tasks each empty node holds; 0 where its rules refuse them."""
        found = self._copies.get(demand.index)
        if found is None:
            by_kind = np.array([self._on_empty(i, demand) for i in self._examples], dtype=np.int64)
            spread = by_kind[self._kind_of] if len(by_kind) else np.zeros(0, dtype=np.int64)
            found = self._copies[demand.index] = np.where(self.cluster.admits(demand), spread, 0)
        return found

    def never_fits(self, gang: Gang, pools: Iterable[str]) -> bool:
        """Whether the gang's next step would not fit in any of the pools however empty."""
        return not any(self._could_start(gang, self.cluster.in_pool(pool)) for pool in pools)

    def _could_start(self, gang: Gang, nodes: Mask) -> bool:
        if gang.satisfied():
            return any(self.copies(gang.demands[k], nodes) > 0 for k in gang.waiting())
        return any(self._holds_roots(gang, scope) for scope in self._scopes(gang.workload.topology, nodes))

    def _holds_roots(self, gang: Gang, nodes: Mask) -> bool:
        if not all(root.satisfied() or self._holds_group(gang, root, nodes) for root in gang.roots):
            return False
        return any(root.has_choice() for root in gang.roots) or self._holds(gang, gang.next_tasks(), nodes)

    def _holds_group(self, gang: Gang, group: GroupNode, nodes: Mask) -> bool:
        for scope in self._scopes(group.topology, nodes):
            able = sum(child.satisfied() or self._holds_group(gang, child, scope) for child in group.children)
            if able >= group.subgroups_needed and self._holds(gang, group.waiting[: group.missing], scope):
                return True
        return False

    def _holds(self, gang: Gang, tasks: Iterable[int], nodes: Mask) -> bool:
        demands = {gang.demands[k].index: gang.demands[k] for k in tasks}
        counts = Counter(gang.demands[k].index for k in tasks)
        if any(self.copies(demand, nodes) < counts[index] for index, demand in demands.items()):
            return False
        if len(demands) < 2:
            return True
        units = sum(demand.least[0] * counts[index] for index, demand in demands.items())
        return units <= self.cluster.devices_in(np.flatnonzero(nodes).tolist()) * self.cluster.scale.device

    def _scopes(self, topology: Topology | None, nodes: Mask) -> list[Mask]:
        if topology is None or topology.required is None:
            return [nodes]
        return list(domains(self.cluster, topology.required, nodes).values())

    def _on_empty(self, i: int, demand: Demand) -> int:
        node = self.cluster.nodes[i]
        bounds = [node.max_tasks]
        if demand.cpu_milli:
            bounds.append(node.cpu_milli // demand.cpu_milli)
        if demand.memory_mib:
            bounds.append(node.memory_mib // demand.memory_mib)
        if demand.form != Form.NONE:
            bounds.append(self._on_devices(i, demand, min(bounds)))
        return min(bounds)

    def _on_devices(self, i: int, demand: Demand, most: int) -> int:
        cluster = self.cluster
        usable = [d for d in cluster.spans[i] if cluster.usable(d, demand)]
        if demand.form == Form.MIG:
            held = Counter[str]()
            for d in usable:
                held.update(cluster.sliced[d] or {})
            return min(held[profile] // count for profile, count in demand.mig)
        return most_copies([cluster.scale.device // cluster.share(d, demand) for d in usable], demand.devices, most)


def most_copies(rooms: Sequence[int], devices: int, most: int | None = None) -> int:
    """How many tasks with a share of so many devices each fit, where `rooms` counts the shares that each device takes.

    No device takes more than one share of a task. Where so many tasks fit, fewer do: halving finds the most.
    """
    low, high = 0, min(x for x in (most, sum(rooms) // devices) if x is not None) + 1
    while low + 1 < high:
        copies = (low + high) // 2
        fits = sum([min(room, copies) for room in rooms]) >= copies * devices
        low, high = (copies, high) if fits else (low, copies)
    return low
