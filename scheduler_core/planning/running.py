"""Running work that could be evicted, and what is free beside it, by pool: worked out once, shared by the actions."""

from __future__ import annotations

import numpy as np

from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.protection import Protection
from scheduler_core.planning.state import State
from scheduler_core.planning.victims import Candidates


class Running:
    """Candidates are found when first asked for; work that has gone since is passed over by the order of victims."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.protection = Protection(state.tree, state.snapshot.time)
        self._lowest: dict[tuple[str, str], int | None] = {}
        self._candidates: dict[str, Candidates] = {}
        self._free: dict[str, tuple[int, int, int]] = {}

    def candidates(self, pool: str) -> Candidates:
        """Preemptible work that runs in this pool and nowhere else."""
        found = self._candidates.get(pool)
        if found is None:
            runs_in = self._runs_in
            gangs = [g for g in self.state.gangs if g.homes and g.preemptible and runs_in(g, pool)]
            found = self._candidates[pool] = Candidates(gangs)
        return found

    def lowest_priority(self, pool: str, leaf: str) -> int | None:
        """The lowest priority among the candidates of a leaf; None where there are none."""
        key = pool, leaf
        if key not in self._lowest:
            self._lowest[key] = self.candidates(pool).lowest_priority(leaf)
        return self._lowest[key]

    def free_units(self, pool: str) -> int:
        """GPU units free on ready nodes of the pool after what is releasing has gone, in however many places."""
        return self._free_in(pool)[0]

    def free_cpu(self, pool: str) -> int:
        """Thousandths of a core, likewise."""
        return self._free_in(pool)[1]

    def _runs_in(self, gang: Gang, pool: str) -> bool:
        for home in gang.homes.values():
            if home.fresh or home.pool != pool:
                return False
        return self.state.tree.is_leaf(gang.queue)

    def _free_in(self, pool: str) -> tuple[int, int, int]:
        seen = len(self.state.occupancy.changes)
        known = self._free.get(pool)
        if known is None or known[2] != seen:
            columns, cluster = self.state.placer.columns, self.state.cluster
            columns.sync()
            nodes = cluster.in_pool(pool) & cluster.ready()
            units = int(columns.free_units(later=True)[nodes].sum())
            cpu = int(np.maximum(columns.cpu[1], 0)[nodes].sum())
            known = self._free[pool] = units, cpu, seen
        return known
