"""Victims that have been popped and not yet used, by node, and which of them would make room there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scheduler_core.planning.demand import Demand, Form
from scheduler_core.planning.state import State
from scheduler_core.planning.victims import Batch


class Pile:
    """Grows by one batch at a time; nothing of the state is changed for longer than a question takes."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._of_gang: dict[str, list[Batch]] = {}
        self._on_node: dict[int, dict[str, None]] = {}
        self._freed: dict[int, int] = {}
        self._devices: dict[int, set[int]] = {}

    def add(self, batch: Batch) -> None:
        self._of_gang.setdefault(batch.gang.id, []).append(batch)
        self._count(batch, 1)
        for node in batch.nodes():
            self._on_node.setdefault(node, {})[batch.gang.id] = None

    def drop(self, batches: Sequence[Batch]) -> None:
        used = {id(batch) for batch in batches}
        for gang in {batch.gang.id for batch in batches}:
            self._of_gang[gang] = [batch for batch in self._of_gang[gang] if id(batch) not in used]
        for batch in batches:
            self._count(batch, -1)

    def _count(self, batch: Batch, sign: int) -> None:
        for k in batch.tasks:
            place = batch.gang.homes[k].place
            for d, units in zip(place.devices, place.units, strict=False):
                self._freed[d] = self._freed.get(d, 0) + sign * units
            self._devices.setdefault(place.node, set()).update(place.devices)

    def nodes(self) -> list[int]:
        return sorted(self._on_node)

    def sets_for(self, node: int, demand: Demand) -> list[list[Batch]]:
        """Sets of victims that make room for the demand on the node: as few as will do, the first or the last of them,
        and all there are."""
        if not self._may_fit(node, demand) or not self.state.cluster.admits(demand)[node]:
            return []
        gangs = self._on_node.get(node, {})
        batches = [batch for gang in gangs for batch in self._of_gang[gang]]
        if not batches:
            return []
        for batch in batches:
            self._leave(batch)
        fits = self._fits(node, demand)
        for batch in batches:
            self._return(batch)
        if not fits:
            return []
        if len(batches) == 1:
            return [batches]
        sets = [self._without(batches, batches[::-1], node, demand), self._without(batches, batches, node, demand)]
        return [found for k, found in enumerate([*sets, batches]) if found not in [*sets, batches][:k]]

    def _without(self, batches: Sequence[Batch], order: Iterable[Batch], node: int, demand: Demand) -> list[Batch]:
        """The batches less those that need not go, tried in this order."""
        left = list(batches)
        for batch in left:
            self._leave(batch)
        for batch in order:
            if may_stay(batch, left):
                self._return(batch)
                if self._fits(node, demand):
                    left.remove(batch)
                else:
                    self._leave(batch)
        for batch in left:
            self._return(batch)
        return left

    def _may_fit(self, node: int, demand: Demand) -> bool:
        """Whether enough devices would have the demand's share free, were all piled up on the node to go."""
        if demand.form in (Form.NONE, Form.MIG):
            return True
        cluster, occupancy, freed = self.state.cluster, self.state.occupancy, self._freed
        if demand.form == Form.WHOLE:
            piled = len(self._devices.get(node, ()))
            if occupancy.idle_devices(node, later=True) + piled < demand.devices:
                return False
        enough = 0
        for d in cluster.spans[node]:
            if occupancy.free(d, later=True) + freed.get(d, 0) >= cluster.share(d, demand):
                enough += 1
        return enough >= demand.devices

    def _fits(self, node: int, demand: Demand) -> bool:
        return self.state.placer.fits(node, demand, later=True)

    def _leave(self, batch: Batch) -> None:
        for k in batch.tasks:
            self.state.occupancy.evict(batch.gang.homes[k].place, batch.gang.demands[k])

    def _return(self, batch: Batch) -> None:
        for k in batch.tasks:
            self.state.occupancy.restore(batch.gang.homes[k].place, batch.gang.demands[k])


def may_stay(batch: Batch, taken: Sequence[Batch]) -> bool:
    """Whether it can be left where it is: what a gang gives later includes that it gave this before."""
    return [other for other in taken if other.gang is batch.gang][-1] is batch
