"""Binpack and spread: nodes and devices by how full they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scheduler_core.model import MILLI
from scheduler_core.planning.columns import Columns, Indices
from scheduler_core.planning.demand import Demand, Form
from scheduler_core.planning.occupancy import LATER
from scheduler_core.planning.policy import DeviceKey, Scores

_ELSEWHERE = 1 << 54
"""Of a node on which nothing is shared yet, or of one with devices for work that needs none."""

_MOST = 1 << 50


class Fullness:
    """`spread` takes the emptiest node and device first, else the fullest. What is releasing counts as free.

    Packed, whole devices go by idle devices, and a share beside other sharers, then by idle devices; spread, both go by
    the free part of the node. Work without devices goes by free CPU, away from nodes with devices.
    """

    def __init__(self, columns: Columns, spread: bool) -> None:
        self.columns = columns
        self.spread = spread
        cluster = columns.occupancy.cluster
        sizes = [max(1, cluster.devices_in([i])) * cluster.scale.device for i in range(len(cluster.nodes))]
        self._whole = np.array(sizes, dtype=columns.units_type)

    def epoch(self) -> int:
        self.columns.sync()
        return 0

    def scores(self, demand: Demand, later: bool, nodes: Indices) -> Scores:
        columns, t = self.columns, int(later)
        if demand.form == Form.NONE:
            has_devices = columns.last[nodes] > columns.first[nodes]
            values = np.where(has_devices, _ELSEWHERE, 0) + self._by_free(np.maximum(columns.cpu[t][nodes], 0))
        elif self.spread or demand.form == Form.MIG:
            values = self._by_free(self._free_part(nodes))
        elif demand.form == Form.WHOLE:
            values = columns.idle[LATER][nodes]
        else:
            opened = columns.free[LATER][columns.devices_of[nodes]] < columns.occupancy.cluster.scale.device
            beside = (columns.fitting_on(demand, later, nodes) & opened).any(axis=1)
            values = columns.idle[LATER][nodes] + np.where(beside, 0, _ELSEWHERE)
        return np.asarray(values, dtype=np.int64)

    def _free_part(self, nodes: Indices) -> NDArray[Any]:
        """Thousandths of a node's devices that are free or will be: half of a small one is half of a large."""
        return np.asarray(self.columns.free_units(True, nodes) * MILLI // self._whole[nodes])

    def device_key(self, i: int, demand: Demand, later: bool) -> DeviceKey:
        free = self.columns.occupancy.free
        return (lambda d: -free(d, later)) if self.spread else (lambda d: free(d, later))

    def _by_free(self, free: NDArray[Any]) -> NDArray[Any]:
        return _MOST - free if self.spread else free
