"""Tasks that surely find no place together in what is free: arithmetic, so that such a "no" is certain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scheduler_core.planning.capacity import most_copies
from scheduler_core.planning.cluster import Mask
from scheduler_core.planning.columns import Column
from scheduler_core.planning.demand import Demand, Form
from scheduler_core.planning.placement import Placer


class Together:
    """Looks at the occupancy as it is when made; `later` is after what is releasing has gone."""

    def __init__(self, placer: Placer, later: bool) -> None:
        self.cluster = placer.cluster
        self.columns = placer.columns
        self.columns.sync()
        self.later = later
        self._copies: dict[int, NDArray[np.int64]] = {}

    def surely_not(self, demands: Sequence[Demand], nodes: Mask) -> bool:
        """Whether the nodes have too little room: for the tasks of one kind, or, in some resource, for all."""
        counts = Counter(demand.index for demand in demands)
        kinds = {demand.index: demand for demand in demands}
        if any(int(self.copies(kind)[nodes].sum()) < counts[index] for index, kind in kinds.items()):
            return True
        t, open_ = int(self.later), nodes & self.cluster.ready()
        units = self.columns.free_units(self.later, np.flatnonzero(open_)).sum()
        host = (np.maximum(column[t], 0)[open_].sum() for column in (self.columns.cpu, self.columns.memory))
        wanted = (sum(each) for each in zip(*((d.least[0], d.cpu_milli, d.memory_mib) for d in demands), strict=True))
        return any(asked > free for asked, free in zip(wanted, (units, *host), strict=True))

    def copies(self, demand: Demand) -> NDArray[np.int64]:
        """How many such tasks find room on each node beside what is there."""
        found = self._copies.get(demand.index)
        if found is None:
            columns, t = self.columns, int(self.later)
            most = columns.slots[t]
            for asked, free in ((demand.cpu_milli, columns.cpu[t]), (demand.memory_mib, columns.memory[t])):
                if asked:
                    most = np.minimum(most, free // asked)
            if demand.form != Form.NONE:
                most = np.minimum(most, self._on_devices(demand))
            admitted = self.cluster.admits(demand) & self.cluster.ready()
            found = self._copies[demand.index] = np.where(admitted, np.maximum(most, 0), 0)
        return found

    def _on_devices(self, demand: Demand) -> Column:
        columns, cluster, t = self.columns, self.cluster, int(self.later)
        if demand.form == Form.MIG:
            return np.array([self._on_slices(i, demand) for i in range(len(cluster.nodes))], dtype=np.int64)
        usable = columns.usable(demand)
        if demand.form == Form.WHOLE:
            return columns.count(usable & (columns.free[t] == cluster.scale.device)) // demand.devices
        rooms = [columns.free[t][d] // cluster.share(d, demand) if usable[d] else 0 for d in range(len(cluster.gpus))]
        held = (most_copies([max(0, int(rooms[d])) for d in span], demand.devices) for span in cluster.spans)
        return np.fromiter(held, dtype=np.int64, count=len(cluster.spans))

    def _on_slices(self, i: int, demand: Demand) -> int:
        free = self.columns.occupancy.free_slices
        usable = [d for d in self.cluster.spans[i] if self.cluster.usable(d, demand)]
        return min(sum(max(0, free(d, profile, self.later)) for d in usable) // count for profile, count in demand.mig)
