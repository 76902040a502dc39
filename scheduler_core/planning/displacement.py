"""The fragmentation policy: a task goes where typical work is to be kept from least.

The typical work is packed, in thought, into what is free (`packing`). A task then goes where work like it is planned;
else where it displaces least of what is planned, on models that are asked for least. Equal places fill the fullest node
first. The packing is made anew whenever a quarter of what was free has been taken, from what is free then: no choice
binds a later one, and the next plan comes to the same from the nodes as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scheduler_core.planning.columns import Columns, Indices
from scheduler_core.planning.demand import Demand, Form
from scheduler_core.planning.fullness import Fullness
from scheduler_core.planning.outlook import Outlook
from scheduler_core.planning.policy import DeviceKey, Scores
from scheduler_core.planning.scarcity import MOST_SCARCE
from scheduler_core.planning.typical import Classes, Kind, look

_TAKEN_BEFORE_REPACKING = 4
"""One part in so many of what was free."""

_BITS = 24
_LARGEST = (1 << _BITS) - 1
_SCARCITY = 1 << _BITS
_DISPLACED = _SCARCITY * (MOST_SCARCE + 1)
_UNPLANNED = _DISPLACED << _BITS
_HAS_DEVICES = _UNPLANNED << 1
"""A score holds, lowest bits first: thousandths free, scarcity in tenths, thousandths displaced, and two yes or no."""


class Displacement:
    """Scores by what a task displaces of a packing of typical work. Requests for slices go by binpack."""

    spread = False

    def __init__(self, columns: Columns, classes: Classes, kinds: Sequence[Kind]) -> None:
        self.columns = columns
        self.cluster = columns.occupancy.cluster
        self._classes = classes
        self._kinds = {look(kind.demand): k for k, kind in enumerate(kinds)}
        self._outlook = Outlook(columns, classes, kinds)
        self._fullness = Fullness(columns, spread=False)
        self._scarcity = np.zeros(len(self.cluster.nodes), dtype=np.int64)
        self._epoch = 0
        self._is_new = True
        self._seen = 0
        self._repack_below = 0

    def epoch(self) -> int:
        log = self.columns.occupancy.changes
        if self._epoch and self._seen < len(log):
            for i in set(log[self._seen :]):
                self._outlook.read(i)
        if self._is_new or (self._seen < len(log) and self._outlook.free.sum() < self._repack_below):
            self._repack()
        self._seen = len(log)
        return self._epoch

    def restart(self) -> None:
        self._is_new = True

    def scores(self, demand: Demand, later: bool, nodes: Indices) -> Scores:
        if demand.form == Form.MIG:
            return self._fullness.scores(demand, later, nodes)
        outlook, k = self._outlook, self._kind(demand)
        values = np.minimum(outlook.free[nodes], _LARGEST)
        if demand.form == Form.NONE:
            values += np.where(self.columns.last[nodes] > self.columns.first[nodes], _HAS_DEVICES, 0)
        elif demand.models is None:
            values += self._scarcity[nodes] * _SCARCITY
        elsewhere = np.arange(len(nodes)) if k is None else np.flatnonzero(~outlook.planned[k, nodes])
        if len(elsewhere):
            displaced = outlook.displaced(demand, later, nodes[elsewhere])
            values[elsewhere] += _UNPLANNED + np.minimum(displaced, _LARGEST) * _DISPLACED
        return values

    def device_key(self, i: int, demand: Demand, later: bool) -> DeviceKey:
        outlook, k = self._outlook, self._kind(demand)
        alike = [slot.devices for slot in outlook.kept[i] if slot.kind == k]
        planned = {d for devices in (alike[:1] if demand.devices > 1 else alike) for d in devices}
        displaced = {} if planned else outlook.displaced_on(i, demand)
        free = self.columns.occupancy.free
        return lambda d: (d not in planned, displaced.get(d, 0), free(d, later=True))

    def _kind(self, demand: Demand) -> int | None:
        return self._kinds.get(look(self._classes.plain(demand)))

    def _repack(self) -> None:
        self._scarcity = np.array(self._outlook.plan().scarcity, dtype=np.int64)
        free = int(self._outlook.free.sum())
        self._repack_below = free - free // _TAKEN_BEFORE_REPACKING
        self._is_new = False
        self._epoch += 1
