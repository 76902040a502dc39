"""Where one task goes: the best node that has room, and devices there, in the order of a policy.

A node's score is one integer, lower is better; nodes are in name order, so the first minimum breaks ties by name.
Scores are cached for each demand and brought up to date from the occupancy's log of changed nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from scheduler_core.planning.cluster import Mask, Place
from scheduler_core.planning.columns import Columns, Indices
from scheduler_core.planning.demand import Demand, Form
from scheduler_core.planning.occupancy import Occupancy
from scheduler_core.planning.policy import FEW_NODES, DeviceKey, Policy, Scores

NO_FIT = 1 << 62
_RELEASING = 1 << 58
_CACHED_DEMANDS = 512


class _Cached:
    """The scores of one demand over all nodes, as of a position in the log of changes and an epoch of the policy."""

    def __init__(self, values: Scores, seen: int, epoch: int) -> None:
        self.values = values
        self.seen = seen
        self.epoch = epoch


class Placer:
    """Finds the best place for a demand; `policy` makes the order of nodes and devices from the columns it is given."""

    def __init__(self, occupancy: Occupancy, policy: Callable[[Columns], Policy]) -> None:
        self.occupancy = occupancy
        self.cluster = occupancy.cluster
        self.columns = Columns(occupancy)
        self.policy = policy(self.columns)
        self._cache: dict[tuple[int, bool], _Cached] = {}

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
        chosen = sorted(fitting, key=self._device_key(i, demand, later, thrifty))[: demand.devices]
        units = tuple(self.cluster.share(d, demand) for d in chosen)
        return Place(node=i, devices=tuple(chosen), units=units)

    def fits(self, i: int, demand: Demand, later: bool) -> bool:
        """Whether node i, whose rules let the demand in, has room for it."""
        if not self.cluster.nodes[i].ready or not self.occupancy.host_fits(i, demand, later):
            return False
        if demand.form == Form.NONE:
            return True
        if demand.form == Form.MIG:
            return self._slices_on(i, demand, later) is not None
        if demand.form == Form.WHOLE:
            idle = self.occupancy.idle_devices(i, later)
            if idle < demand.devices or demand.models is None:
                return idle >= demand.devices
        return len(self._fitting(i, demand, later)) >= demand.devices

    def scores(self, demand: Demand, later: bool = False) -> Scores:
        """The score of every node for a start now, or `later`; `NO_FIT` where it does not fit."""
        return self._scores(demand, later)

    def _candidates(
        self, demand: Demand, scores: Scores, mask: Mask, all_of_them: bool, thrifty: bool
    ) -> Iterator[int]:
        values = np.where(mask, scores, NO_FIT)
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

    def _scores(self, demand: Demand, later: bool) -> Scores:
        key = (demand.index, later)
        cached = self._cache.get(key)
        log, epoch = self.occupancy.changes, self.policy.epoch()
        if cached is None or cached.epoch != epoch:
            if cached is None and len(self._cache) >= _CACHED_DEMANDS:
                self._cache.clear()
            values = self._at(demand, later, self.columns.all_nodes)
            cached = self._cache[key] = _Cached(values, len(log), epoch)
        elif cached.seen < len(log):
            nodes = np.array(sorted(set(log[cached.seen :])), dtype=np.intp)
            cached.values[nodes] = self._at(demand, later, nodes)
            cached.seen = len(log)
        return cached.values

    def _at(self, demand: Demand, later: bool, nodes: Indices) -> Scores:
        """Lower is better: what fits now before what fits later, then by the policy; or `NO_FIT`."""
        values = self._preferred(demand, False, nodes)
        if later:
            after = self._preferred(demand, True, nodes)
            values = np.where((values == NO_FIT) & (after < NO_FIT), after + _RELEASING, values)
        return values

    def _preferred(self, demand: Demand, later: bool, nodes: Indices) -> Scores:
        values = np.full(len(nodes), NO_FIT, dtype=np.int64)
        fits = self._fits(demand, later, nodes)
        if fits.any():
            values[fits] = self.policy.scores(demand, later, nodes[fits])
        return values

    def _fits(self, demand: Demand, later: bool, nodes: Indices) -> Mask:
        columns, cluster = self.columns, self.cluster
        admitted = cluster.admits(demand)
        if len(nodes) <= FEW_NODES:
            return np.array([admitted[i] and self.fits(i, demand, later) for i in nodes.tolist()], dtype=np.bool_)
        columns.sync()
        fits = columns.host_fits(demand, later, nodes)
        fits &= admitted[nodes] & cluster.ready()[nodes]
        if demand.form == Form.MIG:
            for row in np.flatnonzero(fits).tolist():
                fits[row] = self._slices_on(int(nodes[row]), demand, later) is not None
        elif demand.form != Form.NONE:
            fits &= columns.fitting_on(demand, later, nodes).sum(axis=1) >= demand.devices
        return fits

    def _fitting(self, i: int, demand: Demand, later: bool) -> list[int]:
        cluster, occupancy = self.cluster, self.occupancy
        return [
            d
            for d in cluster.spans[i]
            if cluster.usable(d, demand) and occupancy.free(d, later) >= cluster.share(d, demand)
        ]

    def _device_key(self, i: int, demand: Demand, later: bool, thrifty: bool) -> DeviceKey:
        """The policy's, after what it cannot outweigh.

        That is the charge, if `thrifty`, that a device is not free yet, and that a whole request would take one that
        can be shared where others cannot.
        """
        preference, gpus = self.policy.device_key(i, demand, later), self.cluster.gpus
        spoils = demand.form == Form.WHOLE and not all(gpus[d].shareable for d in self.cluster.spans[i])
        if not later and not thrifty and not spoils:
            return preference

        def key(d: int) -> tuple[int, bool, bool, Any]:
            share = self.cluster.share(d, demand)
            waits = later and self.occupancy.free(d, later=False) < share
            return share if thrifty else 0, waits, spoils and gpus[d].shareable, preference(d)

        return key

    def _slices_on(self, i: int, demand: Demand, later: bool) -> Place | None:
        spread = self.policy.spread
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
                chosen = max(open_, key=free.__getitem__) if spread else min(open_, key=free.__getitem__)
                taken = 1 if spread else min(missing, free[chosen])
                free[chosen] -= taken
                missing -= taken
                devices += [chosen] * taken
                profiles += [profile] * taken
        return Place(node=i, devices=tuple(devices), profiles=tuple(profiles))
