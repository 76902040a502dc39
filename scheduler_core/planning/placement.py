"""Where one task goes: the order of nodes, and of devices inside the node.

A node's score is one integer, lower is better; nodes are in name order, so the first minimum breaks ties by name.
Scores are cached for each demand and brought up to date from the occupancy's log of changed nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scheduler_core.planning.cluster import Mask, Place
from scheduler_core.planning.columns import Columns
from scheduler_core.planning.demand import Demand, Form
from scheduler_core.planning.occupancy import Occupancy

NO_FIT = 1 << 62
_RELEASING = 1 << 58
_NOTHING_SHARED = 1 << 54
_HAS_DEVICES = 1 << 54
_MOST = 1 << 50
_CACHED_DEMANDS = 512
_MANY_CHANGES = 64


class _Scores:
    """The scores of one demand over all nodes, as of a position in the log of changes."""

    def __init__(self, values: NDArray[np.int64], seen: int) -> None:
        self.values = values
        self.seen = seen


class Placer:
    """Finds the best place for a demand; `spread` takes the emptiest node and device first, else the fullest."""

    def __init__(self, occupancy: Occupancy, spread: bool) -> None:
        self.occupancy = occupancy
        self.cluster = occupancy.cluster
        self.spread = spread
        self.columns = Columns(occupancy)
        self._cache: dict[tuple[int, bool], _Scores] = {}

    def best(
        self, demand: Demand, nodes: Sequence[Mask], later: bool, headroom: int | None, thrifty: bool = False
    ) -> Place | None:
        """The best place inside the first of `nodes` that has one.

        `headroom` is how many units the queue may still be charged; it decides where the charge depends on the device
        chosen. `thrifty` takes the devices with the smallest charge first.
        """
        scores = self._scores(demand, later)
        for mask in nodes:
            for i in self._candidates(demand, scores, mask, headroom is not None or thrifty, thrifty):
                place = self.on_node(i, demand, later, thrifty)
                if headroom is not None and place is not None and sum(place.units) > headroom:
                    place = self.on_node(i, demand, later, thrifty=True)
                    if place is not None and sum(place.units) > headroom:
                        continue
                if place is not None:
                    return place
        return None

    def on_node(self, i: int, demand: Demand, later: bool, thrifty: bool = False) -> Place | None:
        """Devices of node i for the demand, whose host resources are known to fit."""
        if demand.form == Form.NONE:
            return Place(node=i)
        if demand.form == Form.MIG:
            return self._slices_on(i, demand, later)
        fitting = self._fitting(i, demand, later)
        if len(fitting) < demand.devices:
            return None
        chosen = sorted(fitting, key=lambda d: self._device_order(d, demand, later, thrifty))[: demand.devices]
        units = tuple(self.cluster.share(d, demand) for d in chosen)
        return Place(node=i, devices=tuple(chosen), units=units)

    def _candidates(
        self, demand: Demand, scores: _Scores, mask: Mask, all_of_them: bool, thrifty: bool
    ) -> Iterator[int]:
        values = np.where(mask, scores.values, NO_FIT)
        if not len(values):
            return
        if not all_of_them:
            i = int(values.argmin())
            if values[i] < NO_FIT:
                yield i
            return
        order = [int(i) for i in np.argsort(values, kind="stable") if values[i] < NO_FIT]
        if thrifty:
            order.sort(key=lambda i: -max((self.cluster.gpu_memory[d] for d in self.cluster.spans[i]), default=0))
        yield from order

    def scores(self, demand: Demand, later: bool = False) -> NDArray[np.int64]:
        """The score of every node for a start now, or `later`; `NO_FIT` where it does not fit."""
        return self._scores(demand, later).values

    def _scores(self, demand: Demand, later: bool) -> _Scores:
        key = (demand.index, later)
        scores = self._cache.get(key)
        log = self.occupancy.changes
        if scores is None:
            if len(self._cache) >= _CACHED_DEMANDS:
                self._cache.clear()
            scores = self._cache[key] = self._fresh(demand, later)
        elif len(log) - scores.seen > _MANY_CHANGES:
            scores = self._cache[key] = self._fresh(demand, later)
        elif scores.seen < len(log):
            admitted = self.cluster.admits(demand)
            for i in set(log[scores.seen :]):
                if admitted[i]:
                    scores.values[i] = self.score(i, demand, later)
            scores.seen = len(log)
        return scores

    def _fresh(self, demand: Demand, later: bool) -> _Scores:
        self.columns.sync()
        values = self._all_at(demand, later=False)
        if later:
            after = self._all_at(demand, later=True)
            values = np.where((values == NO_FIT) & (after < NO_FIT), after + _RELEASING, values)
        allowed = self.cluster.admits(demand) & self.cluster.ready()
        return _Scores(np.where(allowed, values, NO_FIT), len(self.occupancy.changes))

    def _all_at(self, demand: Demand, later: bool) -> NDArray[np.int64]:
        """`_score_at` for all nodes at once."""
        columns, t = self.columns, int(later)
        short = np.logical_or.reduce([mask for _, mask in columns.host_shortages(demand, later)])
        if demand.form == Form.MIG:
            values = np.full(len(short), NO_FIT, dtype=np.int64)
            for i in np.unique(columns.node_of[columns.usable(demand)]).tolist():
                values[i] = self._score_at(i, demand, later)
        elif demand.form == Form.NONE:
            has_devices = np.where(columns.last > columns.first, _HAS_DEVICES, 0)
            values = has_devices + self._by_free_all(np.maximum(columns.cpu[t], 0))
        else:
            fitting = columns.fitting(demand, later)
            short |= columns.count(fitting) < demand.devices
            values = self._by_free_all(columns.idle[t])
            if demand.form != Form.WHOLE and self.spread:
                values = self._by_free_all(columns.free_units(later) * 1000 // self.cluster.scale.device)
            elif demand.form != Form.WHOLE:
                beside = columns.count(fitting & (columns.free[t] < self.cluster.scale.device)) > 0
                values = values + np.where(beside, 0, _NOTHING_SHARED)
        return np.where(short, NO_FIT, values).astype(np.int64)

    def _by_free_all(self, free: NDArray[Any]) -> NDArray[Any]:
        return _MOST - free if self.spread else free

    def score(self, i: int, demand: Demand, later: bool) -> int:
        """Lower is better: fits now before later, beside sharers before alone, then by what is free; or NO_FIT."""
        value = self._score_at(i, demand, later=False)
        if later and value == NO_FIT:
            value = self._score_at(i, demand, later=True)
            return value if value == NO_FIT else value + _RELEASING
        return value

    def _score_at(self, i: int, demand: Demand, later: bool) -> int:
        if not self.cluster.nodes[i].ready or not self.occupancy.host_fits(i, demand, later):
            return NO_FIT
        if demand.form == Form.WHOLE:
            return self._score_whole(i, demand, later)
        if demand.form == Form.NONE:
            free = max(0, min(cpu[i] for cpu in (self.occupancy.cpu[1:] if later else self.occupancy.cpu)))
            return (_HAS_DEVICES if self.cluster.spans[i] else 0) + self._by_free(free)
        if demand.form == Form.MIG:
            if self._slices_on(i, demand, later) is None:
                return NO_FIT
            return self._by_free(self._permille(self.occupancy.free_units(i, later)))
        return self._score_shared(i, demand, later)

    def _score_whole(self, i: int, demand: Demand, later: bool) -> int:
        idle = self.occupancy.idle_devices(i, later)
        if idle < demand.devices:
            return NO_FIT
        if demand.models is not None and len(self._fitting(i, demand, later)) < demand.devices:
            return NO_FIT
        return self._by_free(idle)

    def _score_shared(self, i: int, demand: Demand, later: bool) -> int:
        fitting = self._fitting(i, demand, later)
        if len(fitting) < demand.devices:
            return NO_FIT
        if self.spread:
            return self._by_free(self._permille(self.occupancy.free_units(i, later)))
        device = self.cluster.scale.device
        beside = any(self.occupancy.free(d, later) < device for d in fitting)
        return (0 if beside else _NOTHING_SHARED) + self._by_free(self.occupancy.idle_devices(i, later))

    def _by_free(self, free: int) -> int:
        return _MOST - free if self.spread else free

    def _permille(self, units: int) -> int:
        return units * 1000 // self.cluster.scale.device

    def _fitting(self, i: int, demand: Demand, later: bool) -> list[int]:
        cluster, occupancy = self.cluster, self.occupancy
        return [
            d
            for d in cluster.spans[i]
            if cluster.usable(d, demand) and occupancy.free(d, later) >= cluster.share(d, demand)
        ]

    def _device_order(self, d: int, demand: Demand, later: bool, thrifty: bool) -> tuple[int, int, int]:
        charge = self.cluster.share(d, demand) if thrifty else 0
        free = self.occupancy.free(d, later)
        waits = 1 if later and self.occupancy.free(d, later=False) < self.cluster.share(d, demand) else 0
        return charge, waits, -free if self.spread else free

    def _slices_on(self, i: int, demand: Demand, later: bool) -> Place | None:
        devices: list[int] = []
        profiles: list[str] = []
        usable = [d for d in self.cluster.spans[i] if self.cluster.usable(d, demand)]
        for profile, count in demand.mig:
            free = {d: self.occupancy.free_slices(d, profile, later) for d in usable}
            missing = count
            while missing > 0:
                open_ = [d for d in usable if free[d] > 0]
                if not open_:
                    return None
                chosen = max(open_, key=free.__getitem__) if self.spread else min(open_, key=free.__getitem__)
                taken = 1 if self.spread else min(missing, free[chosen])
                free[chosen] -= taken
                missing -= taken
                devices += [chosen] * taken
                profiles += [profile] * taken
        return Place(node=i, devices=tuple(devices), profiles=tuple(profiles))
