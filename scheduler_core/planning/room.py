"""The room that typical work is packed into, and the order in which its idle devices are handed out."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heapreplace

import numpy as np
from msgspec import Struct

from scheduler_core.planning.bundles import Bundle
from scheduler_core.planning.cluster import Cluster, Mask
from scheduler_core.planning.typical import Classes

_RATIO_BITS = 16


class Room(Struct):
    """What is free: thousandths of a core and MiB of each node, units of each device; 0 where nothing may go."""

    cpu: list[int]
    memory: list[int]
    units: list[int]


class IdleDevices:
    """Idle devices, handed out on the node with the most CPU left for each of them, of several the one with most."""

    def __init__(self, cluster: Cluster, classes: Classes, room: Room) -> None:
        unit = cluster.scale.device
        self._class_of = classes.of
        self._idle = [[d for d in span if room.units[d] == unit] for span in cluster.spans]
        self._by_class = np.zeros((len(classes.examples), len(cluster.nodes)), dtype=np.int64)
        for i, devices in enumerate(self._idle):
            for d in devices:
                self._by_class[classes.of[d], i] += 1
        self._cpu = np.array(room.cpu, dtype=np.int64)
        self._memory = np.array(room.memory, dtype=np.int64)

    def take(self, bundle: Bundle, able: Mask) -> Iterator[tuple[int, int]]:
        """A node and a device, of the classes that are `able`, for each of the bundles that finds one."""
        cpu, memory = bundle.cpu_milli, bundle.memory_mib
        open_ = (self._by_class[able].sum(axis=0) > 0) & (self._cpu >= cpu) & (self._memory >= memory)
        nodes = np.flatnonzero(open_)
        idle = self._by_class[:, nodes].sum(axis=0)
        ratios = (self._cpu[nodes] << _RATIO_BITS) // idle
        # Only the first so many can have a turn; sorted, they are a heap.
        first = np.lexsort((-idle, -ratios))[: bundle.count]
        heap = list(zip((-ratios[first]).tolist(), (-idle[first]).tolist(), nodes[first].tolist(), strict=True))
        for _ in range(bundle.count):
            if not heap:
                return
            i = heap[0][-1]
            d = next(d for d in self._idle[i] if able[self._class_of[d]])
            self._idle[i].remove(d)
            self._by_class[self._class_of[d], i] -= 1
            self._cpu[i] -= cpu
            self._memory[i] -= memory
            yield i, d
            left = len(self._idle[i])
            again = any(able[self._class_of[d]] for d in self._idle[i])
            if again and self._cpu[i] >= cpu and self._memory[i] >= memory:
                heapreplace(heap, (-((int(self._cpu[i]) << _RATIO_BITS) // left), -left, i))
            else:
                heappop(heap)
