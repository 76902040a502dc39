"""A packing, in thought, of the typical work into what is free: which work each device would best be kept for.

The typical mix is scaled up until it asks for as much as is free, then packed largest first, as one packs offline:

1. work on several devices of one node;
2. shares, by falling size, those that ask for models before the others: onto the fullest device in use that has room,
   or joined into bundles that fill a device, whichever is fuller;
3. bundles and single whole devices, those for the scarcest models first, then by falling CPU, each on the node with
   most CPU left for each idle device, so that no node runs out of one long before the other;
4. work without devices, on the node with the most CPU left, nodes without devices first.

Integers throughout; ties go by kind, node and device, so that the packing depends on nothing but what it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heapreplace

import numpy as np
from msgspec import Struct

from scheduler_core.planning.bundles import Bundle, Bundles
from scheduler_core.planning.cluster import Cluster
from scheduler_core.planning.demand import Form
from scheduler_core.planning.room import IdleDevices, Room
from scheduler_core.planning.scarcity import capacities, counts, scarcity
from scheduler_core.planning.typical import Classes, Kind


class Slot(Struct, frozen=True):
    """One task of a kind, by its number, with its devices."""

    kind: int
    devices: tuple[int, ...] = ()


class Packing:
    """Packs when made, using up the room.

    `slots` are the tasks planned on each node, largest first; `scarcity` says of each node, before the packing, how far
    its models are asked for.
    """

    def __init__(self, cluster: Cluster, classes: Classes, kinds: Sequence[Kind], room: Room) -> None:
        self.cluster = cluster
        self.classes = classes
        self.room = room
        self.slots: list[list[Slot]] = [[] for _ in cluster.nodes]
        self._units = [kind.units for kind in kinds]
        self._demands = [kind.demand for kind in kinds]
        self._shares = [classes.shares(demand) for demand in self._demands]
        self._capacities = capacities(cluster, room.units, kinds)
        self._counts = counts(kinds, sum(room.units), len(cluster.nodes) + len(cluster.gpus))
        self.scarcity = scarcity(cluster, room.units, kinds, self._counts)
        self._pack_several()
        bundles = self._pack_shares()
        self._pack_singles(bundles)
        self._pack_without_devices()
        for planned in self.slots:
            planned.sort(key=self._size)

    def _size(self, slot: Slot) -> tuple[int, int, int]:
        demand = self._demands[slot.kind]
        return -self._units[slot.kind], -demand.cpu_milli, slot.kind

    def _kinds(self, *forms: Form, several: bool = False) -> list[int]:
        """Numbers of the kinds to be packed, of these forms, on one device at most or on several."""
        of_form = (k for k, demand in enumerate(self._demands) if demand.form in forms and self._counts[k])
        return [k for k in of_form if (self._demands[k].devices > 1) == several]

    def _fits(self, i: int, cpu_milli: int, memory_mib: int) -> bool:
        return self.room.cpu[i] >= cpu_milli and self.room.memory[i] >= memory_mib

    def _take(self, i: int, k: int, devices: Iterable[int] = ()) -> None:
        demand, room, slot = self._demands[k], self.room, Slot(k, tuple(devices))
        room.cpu[i] -= demand.cpu_milli
        room.memory[i] -= demand.memory_mib
        for d in slot.devices:
            room.units[d] -= self._shares[k][self.classes.of[d]]
        self.slots[i].append(slot)

    def _able(self, i: int, k: int) -> list[int]:
        """Devices of node i with the share of kind k free, the fullest first."""
        of, shares, units = self.classes.of, self._shares[k], self.room.units
        able = [d for d in self.cluster.spans[i] if 0 < shares[of[d]] <= units[d]]
        return sorted(able, key=units.__getitem__)

    def _pack_several(self) -> None:
        """On the nodes that work with models asks for least, then where fewest devices are left over."""
        demands, room = self._demands, self.room
        kinds = self._kinds(Form.WHOLE, Form.PORTION, Form.MEMORY, several=True)
        kinds.sort(key=lambda k: (-demands[k].devices, self._capacities[demands[k].models], -demands[k].cpu_milli, k))
        for k in kinds:
            demand, left = demands[k], self._counts[k]
            able = {i: self._able(i, k) for i in range(len(self.slots))}
            nodes = [i for i, devices in able.items() if len(devices) >= demand.devices]
            nodes.sort(key=lambda i: (self.scarcity[i], len(able[i]), -room.cpu[i]))
            for i in nodes:
                devices = able[i]
                while left and len(devices) >= demand.devices and self._fits(i, demand.cpu_milli, demand.memory_mib):
                    self._take(i, k, sorted(devices[: demand.devices]))
                    devices = self._able(i, k)
                    left -= 1

    def _pack_shares(self) -> list[Bundle]:
        """What is left for devices that are idle, in bundles."""
        demands = self._demands
        kinds = self._kinds(Form.PORTION, Form.MEMORY)
        kinds.sort(
            key=lambda k: (
                demands[k].models is None,
                -self._units[k],
                self._capacities[demands[k].models],
                -demands[k].cpu_milli,
                k,
            )
        )
        in_use: dict[int, list[int]] = {}
        for d, units in enumerate(self.room.units):
            if 0 < units < self.cluster.scale.device:
                in_use.setdefault(units, []).append(d)
        bundles = Bundles(self.cluster.scale.device)
        for k in kinds:
            share, left = self._units[k], self._counts[k]
            least = min((each for each in self._shares[k] if each), default=share)
            for free in sorted(level for level in {*in_use, *bundles.levels()} if level >= least):
                left -= self._pack_in_use(k, free, in_use, left)
                if left and free >= share:
                    left -= bundles.join(k, demands[k], share, free, left)
                if not left:
                    break
            bundles.open(k, demands[k], share, left)
        return list(bundles)

    def _pack_in_use(self, k: int, free: int, in_use: dict[int, list[int]], count: int) -> int:
        """Onto the devices in use with so many units free, at most so many tasks; how many found room."""
        demand, shares, left = self._demands[k], self._shares[k], count
        for d in in_use.pop(free, ()):
            i, share, units = self.cluster.gpu_node[d], shares[self.classes.of[d]], free
            while left and 0 < share <= units and self._fits(i, demand.cpu_milli, demand.memory_mib):
                self._take(i, k, (d,))
                units -= share
                left -= 1
            in_use.setdefault(units, []).append(d)
        return count - left

    def _pack_singles(self, bundles: Sequence[Bundle]) -> None:
        demands = self._demands
        singles = list(bundles)
        for k in self._kinds(Form.WHOLE):
            cpu, memory = demands[k].cpu_milli, demands[k].memory_mib
            singles.append(Bundle((k,), demands[k].models, cpu, memory, self._counts[k]))
        # A bundle of work for different models goes where its narrowest member goes.
        rooms = [min(self._capacities[demands[k].models] for k in each.kinds) for each in singles]
        order = sorted(
            range(len(singles)),
            key=lambda n: (singles[n].models is None, rooms[n], -singles[n].cpu_milli, singles[n].kinds),
        )
        idle = IdleDevices(self.cluster, self.classes, self.room)
        for each in (singles[n] for n in order):
            shares = zip(*(self._shares[k] for k in each.kinds), strict=True)
            able = np.array([min(share) > 0 for share in shares], dtype=np.bool_)
            for i, d in idle.take(each, able):
                for k in each.kinds:
                    self._take(i, k, (d,))

    def _pack_without_devices(self) -> None:
        spans, room = self.cluster.spans, self.room
        for k in sorted(self._kinds(Form.NONE), key=lambda k: (-self._demands[k].cpu_milli, k)):
            cpu, memory = self._demands[k].cpu_milli, self._demands[k].memory_mib
            nodes = [(bool(spans[i]), -room.cpu[i], i) for i in range(len(self.slots)) if self._fits(i, cpu, memory)]
            heapify(nodes)
            for _ in range(self._counts[k]):
                if not nodes:
                    break
                i = nodes[0][-1]
                self._take(i, k)
                if self._fits(i, cpu, memory):
                    heapreplace(nodes, (bool(spans[i]), -room.cpu[i], i))
                else:
                    heappop(nodes)
