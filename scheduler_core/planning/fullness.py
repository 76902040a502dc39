"""Binpack and spread: nodes and devices by how full they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scheduler_core.model import MILLI
from scheduler_core.planning.columns import Columns, Indices
from scheduler_core.planning.demand import Demand, Form
from scheduler_core.planning.policy import DeviceKey, Scores

_ELSEWHERE = 1 << 54
"""Of a node on which nothing is shared yet, or of one with devices for work that needs none."""

_MOST = 1 << 50


class Fullness:
    """`spread` takes the emptiest node and device first, else the fullest.

    Whole devices go by idle devices. A share goes beside other sharers, then by idle devices (spread: by all that is
    free); work without devices by free CPU, away from nodes with devices.
    """

    def __init__(self, columns: Columns, spread: bool) -> None:
        self.columns = columns
        self.spread = spread

    def epoch(self) -> int:
        self.columns.sync()
        return 0

    def scores(self, demand: Demand, later: bool, nodes: Indices) -> Scores:
        columns, t = self.columns, int(later)
        if demand.form == Form.NONE:
            has_devices = columns.last[nodes] > columns.first[nodes]
            values = np.where(has_devices, _ELSEWHERE, 0) + self._by_free(np.maximum(columns.cpu[t][nodes], 0))
        elif demand.form == Form.WHOLE:
            values = self._by_free(columns.idle[t][nodes])
        elif demand.form == Form.MIG or self.spread:
            device = columns.occupancy.cluster.scale.device
            values = self._by_free(columns.free_units(later, nodes) * MILLI // device)
        else:
            opened = columns.free[t][columns.devices_of[nodes]] < columns.occupancy.cluster.scale.device
            beside = (columns.fitting_on(demand, later, nodes) & opened).any(axis=1)
            values = self._by_free(columns.idle[t][nodes]) + np.where(beside, 0, _ELSEWHERE)
        return np.asarray(values, dtype=np.int64)

    def device_key(self, i: int, demand: Demand, later: bool) -> DeviceKey:
        free = self.columns.occupancy.free
        return (lambda d: -free(d, later)) if self.spread else (lambda d: free(d, later))

    def _by_free(self, free: NDArray[Any]) -> NDArray[Any]:
        return _MOST - free if self.spread else free
