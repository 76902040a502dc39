"""Binpack and spread: nodes and devices by how full they are."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from scheduler_core.model import MILLI
from scheduler_core.planning.columns import Columns, Indices
from scheduler_core.planning.demand import Demand, Form
from scheduler_core.planning.occupancy import LATER
from scheduler_core.planning.policy import FEW_NODES, DeviceKey, Scores

_ELSEWHERE = 1 << 54
"""Of a node on which nothing is shared yet, or of one with devices for work that needs none."""

_MOST = 1 << 50

Free = TypeVar("Free", int, NDArray[Any])


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
        return 0

    def restart(self) -> None:
        """Each score depends on its node alone."""

    def scores(self, demand: Demand, later: bool, nodes: Indices) -> Scores:
        if len(nodes) <= FEW_NODES:
            return np.array([self._score(i, demand, later) for i in nodes.tolist()], dtype=np.int64)
        columns, t = self.columns, int(later)
        columns.sync()
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

    def _score(self, i: int, demand: Demand, later: bool) -> int:
        occupancy, t = self.columns.occupancy, int(later)
        cluster = occupancy.cluster
        if demand.form == Form.NONE:
            free = max(0, min(occupancy.cpu[t][i], occupancy.cpu[LATER][i]))
            return (_ELSEWHERE if cluster.spans[i] else 0) + self._by_free(free)
        if self.spread or demand.form == Form.MIG:
            return self._by_free(occupancy.free_units(i, later=True) * MILLI // int(self._whole[i]))
        idle = occupancy.idle_devices(i, later=True)
        if demand.form == Form.WHOLE:
            return idle
        for d in cluster.spans[i]:
            share = cluster.share(d, demand)
            # Others stay on it: a device that is releasing all it holds is as good as idle.
            stays = occupancy.free(d, later=True) < cluster.scale.device
            if stays and cluster.usable(d, demand) and share <= occupancy.free(d, later):
                return idle
        return idle + _ELSEWHERE

    def _free_part(self, nodes: Indices) -> NDArray[Any]:
        """Thousandths of a node's devices that are free or will be: half of a small one is half of a large."""
        return np.asarray(self.columns.free_units(True, nodes) * MILLI // self._whole[nodes])

    def device_key(self, i: int, demand: Demand, later: bool) -> DeviceKey:
        free = self.columns.occupancy.free
        return (lambda d: -free(d, later)) if self.spread else (lambda d: free(d, later))

    def _by_free(self, free: Free) -> Free:
        return _MOST - free if self.spread else free
