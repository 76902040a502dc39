"""Who holds what of nodes and devices.

Everything is held at two times. NOW is the present: running, stuck and releasing tasks, and binds. LATER is after what
is releasing has gone: running and stuck tasks, binds and nominations. A bind needs room at both times, a nomination
only LATER; a victim goes from LATER and stays in NOW.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from scheduler_core.planning.cluster import Cluster, Place
from scheduler_core.planning.demand import Demand, mig_devices

Times: TypeAlias = tuple[int, ...]
NOW, LATER = 0, 1
BOTH: Times = (NOW, LATER)
ONLY_NOW: Times = (NOW,)
ONLY_LATER: Times = (LATER,)


class Occupancy:
    """The mutable state of nodes and devices; `changes` logs every node touched, for those who cache scores."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        nodes, devices = cluster.nodes, len(cluster.gpus)
        self.cpu = [[node.cpu_milli for node in nodes] for _ in BOTH]
        self.memory = [[node.memory_mib for node in nodes] for _ in BOTH]
        self.slots = [[node.max_tasks for node in nodes] for _ in BOTH]
        self.used = [[0] * devices for _ in BOTH]
        self.idle = [[sum(cluster.sliced[d] is None for d in span) for span in cluster.spans] for _ in BOTH]
        self.idle_throughout = list(self.idle[NOW])
        self.slices: list[list[dict[str, int]]] = [[dict(s) if s else {} for s in cluster.sliced] for _ in BOTH]
        self.changes: list[int] = []
        self.releasing = 0

    def load(self, place: Place, demand: Demand, times: Times) -> None:
        """Take a place without logging it: for what is held at the start; `count_idle` ends it."""
        i = place.node
        for t in times:
            self.slots[t][i] -= 1
            self.cpu[t][i] -= demand.cpu_milli
            self.memory[t][i] -= demand.memory_mib
            for d, units in zip(place.devices, place.units, strict=False):
                self.used[t][d] += units
            for d, profile in place.slices():
                self.slices[t][d][profile] -= 1
        self.releasing += times is ONLY_NOW

    def load_one(self, i: int, d: int, units: int, demand: Demand) -> None:
        """The same for one device at both times: most of what runs."""
        used_now, used_later = self.used
        used_now[d] += units
        used_later[d] += units
        slots_now, slots_later = self.slots
        slots_now[i] -= 1
        slots_later[i] -= 1
        if demand.cpu_milli:
            for cpu in self.cpu:
                cpu[i] -= demand.cpu_milli
        if demand.memory_mib:
            for memory in self.memory:
                memory[i] -= demand.memory_mib

    def count_idle(self) -> None:
        """Count idle devices afresh."""
        now, later = self.used
        for i, span in enumerate(self.cluster.spans):
            whole = [d for d in span if self.cluster.sliced[d] is None]
            self.idle[NOW][i] = sum([not now[d] for d in whole])
            self.idle[LATER][i] = sum([not later[d] for d in whole])
            self.idle_throughout[i] = sum([not (now[d] or later[d]) for d in whole])

    def hold(self, place: Place, demand: Demand, times: Times) -> None:
        """Take the place."""
        self._move(place, demand, times, 1)

    def release(self, place: Place, demand: Demand, times: Times) -> None:
        """Give the place back: the opposite of `hold`."""
        self._move(place, demand, times, -1)

    def evict(self, place: Place, demand: Demand) -> None:
        """Turn what is held at both times into something that is releasing."""
        self._move(place, demand, ONLY_LATER, -1)
        self.releasing += 1

    def restore(self, place: Place, demand: Demand) -> None:
        """The opposite of `evict`."""
        self._move(place, demand, ONLY_LATER, 1)
        self.releasing -= 1

    def free(self, d: int, later: bool) -> int:
        """Units free on a device (never a partitioned one): throughout, or only after releasing tasks have gone."""
        used = self.used[LATER][d] if later else max(self.used[NOW][d], self.used[LATER][d])
        return self.cluster.scale.device - used

    def idle_devices(self, i: int, later: bool) -> int:
        """Whole devices of node i that nobody holds."""
        return self.idle[LATER][i] if later else self.idle_throughout[i]

    def free_slices(self, d: int, profile: str, later: bool) -> int:
        after = self.slices[LATER][d].get(profile, 0)
        return after if later else min(after, self.slices[NOW][d].get(profile, 0))

    def free_units(self, i: int, later: bool) -> int:
        """Units free on all devices of node i; a free slice counts for the devices it is charged."""
        free = 0
        for d in self.cluster.spans[i]:
            slices = self.cluster.sliced[d]
            if slices is None:
                free += max(0, self.free(d, later))
            else:
                counts = ((p, max(0, self.free_slices(d, p, later))) for p in slices)
                free += sum(mig_devices(p) * count for p, count in counts) * self.cluster.scale.device
        return free

    def has_room(self, place: Place) -> bool:
        """Whether the devices or slices of the place are free after what is releasing has gone."""
        wanted = Counter(place.slices())
        if not all(self.free_slices(d, profile, later=True) >= count for (d, profile), count in wanted.items()):
            return False
        return all(self.free(d, later=True) >= units for d, units in zip(place.devices, place.units, strict=False))

    def host_fits(self, i: int, demand: Demand, later: bool) -> bool:
        """Whether CPU, memory and the number of tasks leave room on node i; what is not asked for does not count."""
        times = ONLY_LATER if later else BOTH
        for t in times:
            if self.slots[t][i] < 1:
                return False
            if demand.cpu_milli and self.cpu[t][i] < demand.cpu_milli:
                return False
            if demand.memory_mib and self.memory[t][i] < demand.memory_mib:
                return False
        return True

    def _move(self, place: Place, demand: Demand, times: Times, sign: int) -> None:
        i = place.node
        for t in times:
            self.cpu[t][i] -= sign * demand.cpu_milli
            self.memory[t][i] -= sign * demand.memory_mib
            self.slots[t][i] -= sign
        if place.profiles:
            for d, profile in place.slices():
                for t in times:
                    self.slices[t][d][profile] -= sign
        self._move_units(place.devices, place.units, times, sign)
        if times is ONLY_NOW:
            self.releasing += sign
        self.changes.append(i)

    def _move_units(self, devices: Sequence[int], units: Sequence[int], times: Times, sign: int) -> None:
        used_now, used_later = self.used
        for d, taken in zip(devices, units, strict=False):
            i = self.cluster.gpu_node[d]
            was = used_now[d], used_later[d]
            for t in times:
                self.used[t][d] += sign * taken
                self.idle[t][i] += (self.used[t][d] == 0) - (was[t] == 0)
            self.idle_throughout[i] += (used_now[d] == 0 and used_later[d] == 0) - (was == (0, 0))
