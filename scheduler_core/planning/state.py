"""The working state of one planning run: what the actions read and change."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from scheduler_core.model import Snapshot, Task
from scheduler_core.planning.cluster import Cluster
from scheduler_core.planning.demand import Demand, Demands, Form, Vector, scale_of, total
from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.occupancy import BOTH, ONLY_LATER, ONLY_NOW, Occupancy, Place, held_place
from scheduler_core.planning.placement import Placer
from scheduler_core.planning.queues import Blocked, PoolBooks, QueueTree, exact


class Placement(Struct, frozen=True):
    """A task of a gang at a place: a bind, or a nomination where it waits for releasing resources."""

    gang: Gang
    task: int
    place: Place
    later: bool
    pool: str
    charge: Vector


class State:
    """Everything that changes while a plan is made. `place` and `rollback` are the only ways to change it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.scale = scale_of(snapshot)
        self.cluster = Cluster(snapshot, self.scale)
        self.occupancy = Occupancy(self.cluster)
        self.placer = Placer(self.occupancy, spread=snapshot.config.placement == "spread")
        self.tree = QueueTree(snapshot.queues)
        self.books = {
            pool: PoolBooks(pool, self.tree, self.scale, self.cluster.totals(pool)) for pool in _pools(snapshot)
        }
        self.gangs: list[Gang] = []
        self.homes: dict[str, list[tuple[int, int]]] = {}
        self.home_pools: dict[str, set[str]] = {}
        self.placements: list[Placement] = []
        self.taken: dict[str, list[Gang]] = {}
        self.seen: set[str] = set()
        self.blocked: dict[str, Blocked] = {}
        self._read_workloads(snapshot)
        k = exact(snapshot.config.usage_weight_k)
        for books in self.books.values():
            books.divide(k)

    def pools_of(self, gang: Gang) -> tuple[str, ...]:
        """Pools the gang may use, in order; where it runs already, only that one, as far as it is among its pools."""
        runs_in = self.home_pools.get(gang.id)
        if runs_in is None:
            return gang.workload.pools
        return tuple(pool for pool in gang.workload.pools if runs_in == {pool})

    def pool_of(self, gang: Gang) -> str:
        """The first pool that the gang may use, or would wait in."""
        return next(iter(self.pools_of(gang)), gang.workload.pools[0])

    def charge_of(self, demand: Demand, place: Place) -> Vector:
        """What a queue is charged for the demand at this place."""
        if demand.form != Form.MEMORY:
            return demand.most
        return sum(place.units), demand.cpu_milli, demand.memory_mib

    def place(self, gang: Gang, task: int, place: Place, later: bool, pool: str) -> None:
        """Bind a task (or nominate it, `later`): resources and charge are taken."""
        demand = gang.demands[task]
        charge = self.charge_of(demand, place)
        self.occupancy.hold(place, demand, ONLY_LATER if later else BOTH)
        self.books[pool].charge(gang.workload.queue, charge, gang.preemptible)
        self.placements.append(Placement(gang, task, place, later, pool, charge))

    def rollback(self, mark: int) -> None:
        """Undo placements until only `mark` of them are left. Gangs are told of placements only by `commit`."""
        while len(self.placements) > mark:
            undone = self.placements.pop()
            self.books[undone.pool].charge(undone.gang.workload.queue, undone.charge, undone.gang.preemptible, -1)
            self.occupancy.rollback(self.occupancy.mark() - 1)

    def commit(self, mark: int) -> None:
        """Let the gangs count what was placed since the mark."""
        for placement in self.placements[mark:]:
            placement.gang.start(placement.task)
            self._settle(placement.gang, placement.task, placement.place)

    def _settle(self, gang: Gang, task: int, place: Place) -> None:
        self.homes.setdefault(gang.id, []).append((task, place.node))
        self.home_pools.setdefault(gang.id, set()).add(self.cluster.nodes[place.node].pool)

    def _read_workloads(self, snapshot: Snapshot) -> None:
        demands = Demands(self.scale)
        for workload in sorted(snapshot.workloads, key=lambda w: w.id):
            gang = Gang(workload, [demands.of(task) for task in workload.tasks])
            self.gangs.append(gang)
            first = self.books[workload.pools[0]]
            first.request(workload.queue, total(gang.demands[k].most for k in gang.waiting()))
            for k, task in enumerate(workload.tasks):
                if task.state in ("running", "releasing", "stuck"):
                    self._read_holder(gang, k, task)

    def _read_holder(self, gang: Gang, k: int, task: Task) -> None:
        demand = gang.demands[k]
        slices = [(piece.gpu, piece.profile) for piece in task.mig_slices]
        place = held_place(self.cluster, demand, task.node or "", task.gpu_ids, slices)
        if place is not None:
            self.occupancy.hold(place, demand, ONLY_NOW if task.state == "releasing" else BOTH)
        if task.state != "running":
            return
        pool = gang.workload.pools[0]
        charge = demand.most
        if place is not None:
            pool = self.cluster.nodes[place.node].pool
            self._settle(gang, k, place)
            if demand.form == Form.MEMORY:
                charge = self._charge_by_memory(demand, place, task), demand.cpu_milli, demand.memory_mib
        books = self.books[pool]
        books.request(gang.workload.queue, charge)
        books.charge(gang.workload.queue, charge, gang.preemptible)

    def _charge_by_memory(self, demand: Demand, place: Place, task: Task) -> int:
        """Units that a running request by memory is charged: of the devices held, else of the smallest."""
        ids = {self.cluster.gpus[d].id: d for d in self.cluster.spans[place.node]}
        if not task.gpu_ids or not ids.keys() >= set(task.gpu_ids):
            return demand.most[0]
        memories = (self.cluster.gpu_memory[ids[gpu]] or self.scale.smallest for gpu in task.gpu_ids)
        return sum(self.scale.of_memory(demand.gpu_memory_mib, mib) or self.scale.device for mib in memories)


def _pools(snapshot: Snapshot) -> list[str]:
    pools = {node.pool for node in snapshot.nodes}
    pools.update(pool for queue in snapshot.queues for pool in queue.pools)
    pools.update(pool for workload in snapshot.workloads for pool in workload.pools)
    return sorted(pools or {"default"})


def steps_request(gang: Gang, tasks: Iterable[int], least: bool) -> Vector:
    """What a queue is charged for these tasks on the largest (`least`) or the smallest device of the snapshot."""
    demands = gang.demands
    return total((demands[k].least if least else demands[k].most) for k in tasks)
