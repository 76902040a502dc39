"""What never changes during a plan: nodes in name order, their devices in list order, and who may go where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from scheduler_core.model import MigSlice, Node, Snapshot, Taint, Toleration
from scheduler_core.planning.demand import Demand, Form, Scale, mig_devices

Mask = NDArray[np.bool_]

_BLOCKING = ("NoSchedule", "NoExecute")
_NOT_READY = "not ready"


class Place(Struct, frozen=True, gc=False):
    """A node, and there devices (indices): first those of which `units` are taken, then one for each slice."""

    node: int
    devices: tuple[int, ...] = ()
    units: tuple[int, ...] = ()
    profiles: tuple[str, ...] = ()

    def same_as(self, other: Place) -> bool:
        """Whether it is the same node with the same devices or slices, in whatever order."""
        if self.node != other.node or len(self.devices) != len(other.devices):
            return False
        mine, theirs = (zip(p.devices, (*map(str, p.units), *p.profiles), strict=True) for p in (self, other))
        return sorted(mine) == sorted(theirs)

    def slices(self) -> Iterator[tuple[int, str]]:
        """Device and profile of each slice taken."""
        return zip(self.devices[len(self.units) :], self.profiles, strict=True)


class Cluster:
    """Flat tables over nodes (index i, in name order) and devices (index d, in list order within a node)."""

    def __init__(self, snapshot: Snapshot, scale: Scale) -> None:
        self.scale = scale
        self.nodes: Sequence[Node] = sorted(snapshot.nodes, key=lambda node: node.name)
        self.index = {node.name: i for i, node in enumerate(self.nodes)}
        self.gpus = [gpu for node in self.nodes for gpu in node.gpus]
        self.gpu_index = {gpu.id: d for d, gpu in enumerate(self.gpus)}
        self.gpu_node = [i for i, node in enumerate(self.nodes) for _ in node.gpus]
        self.spans: list[range] = []
        start = 0
        for node in self.nodes:
            self.spans.append(range(start, start + len(node.gpus)))
            start += len(node.gpus)
        self.gpu_memory = [gpu.memory_mib for gpu in self.gpus]
        self.sliced = [None if gpu.mig is None else {p.profile: p.count for p in gpu.mig} for gpu in self.gpus]
        self.taints = [[taint for taint in node.taints if taint.effect in _BLOCKING] for node in self.nodes]
        self.pool_masks = {
            pool: np.array([node.pool == pool for node in self.nodes], dtype=np.bool_)
            for pool in {node.pool for node in self.nodes}
        }
        self._nowhere: Mask = np.zeros(len(self.nodes), dtype=np.bool_)
        self._masks: dict[object, Mask] = {}

    def names(self, place: Place) -> tuple[str, tuple[str, ...], tuple[MigSlice, ...]]:
        """The node, whole or shared devices, and slices of a place, as plans name them."""
        ids = tuple([self.gpus[d].id for d in place.devices[: len(place.units)]])
        slices = tuple([MigSlice(gpu=self.gpus[d].id, profile=profile) for d, profile in place.slices()])
        return self.nodes[place.node].name, ids, slices

    def in_pool(self, pool: str) -> Mask:
        return self.pool_masks.get(pool, self._nowhere)

    def refusal(self, i: int, demand: Demand) -> str | None:
        """Why node i takes no such task however empty it is by its rules (not its size); None when it may."""
        node = self.nodes[i]
        if demand.node_names is not None and node.name not in demand.node_names:
            return "not among the nodes asked for"
        for key, value in demand.node_selector:
            if node.labels.get(key) != value:
                return f"without the label {key}={value}"
        for taint in self.taints[i]:
            if not any(_tolerates(toleration, taint) for toleration in demand.tolerations):
                return f"tainted {taint.key}"
        if demand.models is not None and demand.form != Form.NONE and not self.has_model(i, demand):
            return "of another GPU model"
        return None

    def has_model(self, i: int, demand: Demand) -> bool:
        return demand.models is None or any(self.gpus[d].model in demand.models for d in self.spans[i])

    def admits(self, demand: Demand) -> Mask:
        """Nodes whose rules let the demand in, of every pool, ready or not."""
        key = (demand.node_names, demand.node_selector, demand.tolerations, demand.models, demand.form == Form.NONE)
        mask = self._masks.get(key)
        if mask is None:
            refused = (self.refusal(i, demand) is not None for i in range(len(self.nodes)))
            mask = self._masks[key] = ~np.fromiter(refused, dtype=np.bool_, count=len(self.nodes))
        return mask

    def ready(self) -> Mask:
        mask = self._masks.get(_NOT_READY)
        if mask is None:
            mask = self._masks[_NOT_READY] = np.array([node.ready for node in self.nodes], dtype=np.bool_)
        return mask

    def usable(self, d: int, demand: Demand) -> bool:
        """Whether device d is of the kind the demand asks for, however full."""
        gpu = self.gpus[d]
        if demand.models is not None and gpu.model not in demand.models:
            return False
        if demand.form == Form.MIG:
            return gpu.mig is not None
        return gpu.mig is None and (demand.form == Form.WHOLE or (gpu.shareable and self.share(d, demand) > 0))

    def share(self, d: int, demand: Demand) -> int:
        """Units that one device of the demand takes of device d; 0: a request by memory on a device without any."""
        if demand.form == Form.MEMORY:
            return self.scale.of_memory(demand.gpu_memory_mib, self.gpu_memory[d])
        return self.scale.device if demand.form == Form.WHOLE else demand.share

    def devices_in(self, nodes: Iterable[int]) -> int:
        """Devices of these nodes; a slice `Ng.*` counts as N."""
        count = 0
        for i in nodes:
            for d in self.spans[i]:
                slices = self.sliced[d]
                count += 1 if slices is None else sum(mig_devices(p) * n for p, n in slices.items())
        return count

    def totals(self, pool: str) -> tuple[Fraction, Fraction, Fraction]:
        """Devices, thousandths of a core and MiB of the pool's ready nodes."""
        nodes = [i for i, node in enumerate(self.nodes) if node.ready and node.pool == pool]
        return (
            Fraction(self.devices_in(nodes)),
            Fraction(sum(self.nodes[i].cpu_milli for i in nodes)),
            Fraction(sum(self.nodes[i].memory_mib for i in nodes)),
        )


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.operator == "Exists":
        return toleration.key in ("", taint.key)
    return toleration.key == taint.key and toleration.value == taint.value
