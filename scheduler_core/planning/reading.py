"""Reading the workloads of a snapshot: who waits, who holds what, and what the queues are charged for it.

This is most of the time of a plan on a busy cluster, so the plain case, one task on one device, takes a short way.
"""

from __future__ import annotations

from collections.abc import Mapping

from scheduler_core.model import PlannedWorkload, Snapshot, Task
from scheduler_core.planning.cluster import Cluster, Place
from scheduler_core.planning.demand import Demand, Demands, Form, Vector, total
from scheduler_core.planning.gangs import Gang, Home
from scheduler_core.planning.occupancy import BOTH, ONLY_NOW, Occupancy
from scheduler_core.planning.queues import PoolBooks

_HOLDING = frozenset({"running", "releasing", "stuck"})
_PLAIN = frozenset({Form.WHOLE, Form.PORTION})


class Reader:
    """Fills the occupancy and the books, and makes the gangs, in the order of their ids."""

    def __init__(
        self, cluster: Cluster, demands: Demands, occupancy: Occupancy, books: Mapping[str, PoolBooks]
    ) -> None:
        self.cluster = cluster
        self.demands = demands
        self.occupancy = occupancy
        self.books = books
        self.gangs: list[Gang] = []
        self.waiting: list[Gang] = []
        self._charges: dict[tuple[str, str, bool], list[Vector]] = {}

    def read(self, snapshot: Snapshot) -> None:
        """Read all workloads."""
        demand_of, add_gang, read_plain = self.demands.of, self.gangs.append, self._read_plain
        for workload in sorted(snapshot.workloads, key=_id):
            tasks = workload.tasks
            if len(tasks) == 1 and tasks[0].state == "running":
                task = tasks[0]
                demand = demand_of(task)
                gang = Gang(workload, (demand,))
                add_gang(gang)
                if not read_plain(gang, task, demand):
                    self._read_holder(gang, 0, task)
            else:
                gang = Gang(workload, [demand_of(task) for task in tasks])
                add_gang(gang)
                self._read_tasks(gang, workload)
        self.occupancy.count_idle()
        for (pool, queue, preemptible), charges in self._charges.items():
            self.books[pool].read_running(queue, total(charges), preemptible)

    def _read_plain(self, gang: Gang, task: Task, demand: Demand) -> bool:
        """Let one running task hold one device, whole or in part; False where it is not as plain as that."""
        gpu_ids, cluster = task.gpu_ids, self.cluster
        if len(gpu_ids) != 1 or demand.form not in _PLAIN:
            return False
        d = cluster.gpu_index.get(gpu_ids[0], -1)
        if d < 0 or cluster.sliced[d] is not None:
            return False
        i = cluster.gpu_node[d]
        node = cluster.nodes[i]
        if node.name != task.node:
            return False
        units = demand.share or cluster.scale.device
        self.occupancy.load_one(i, d, units, demand)
        gang.homes[0] = Home(Place(i, (d,), (units,)), node.pool, demand.most)
        key = node.pool, gang.queue, gang.preemptible
        charges = self._charges.get(key)
        if charges is None:
            charges = self._charges[key] = []
        charges.append(demand.most)
        return True

    def _read_tasks(self, gang: Gang, workload: PlannedWorkload) -> None:
        asked = []
        for k, task in enumerate(workload.tasks):
            if task.state in _HOLDING:
                self._read_holder(gang, k, task)
            elif task.state == "pending":
                asked.append(gang.demands[k].most)
        if asked:
            self.waiting.append(gang)
            self.books[workload.pools[0]].request(workload.queue, total(asked))

    def _read_holder(self, gang: Gang, k: int, task: Task) -> None:
        demand, cluster = gang.demands[k], self.cluster
        i = cluster.index.get(task.node or "")
        place = None if i is None else _held_place(cluster, demand, i, task)
        if place is not None:
            self.occupancy.load(place, demand, ONLY_NOW if task.state == "releasing" else BOTH)
        if task.state != "running":
            return
        pool = gang.workload.pools[0] if i is None else cluster.nodes[i].pool
        charge = demand.most
        if place is not None:
            if demand.form == Form.MEMORY:
                charge = self._charge_by_memory(demand, place, task), demand.cpu_milli, demand.memory_mib
            gang.homes[k] = Home(place, pool, charge)
        key = pool, gang.queue, gang.preemptible
        self._charges.setdefault(key, []).append(charge)

    def _charge_by_memory(self, demand: Demand, place: Place, task: Task) -> int:
        """Units that a running request by memory is charged: of the devices held, else of the smallest."""
        cluster, scale = self.cluster, self.cluster.scale
        ids = {cluster.gpus[d].id: d for d in cluster.spans[place.node]}
        if not task.gpu_ids or not ids.keys() >= set(task.gpu_ids):
            return demand.most[0]
        memories = (cluster.gpu_memory[ids[gpu]] or scale.smallest for gpu in task.gpu_ids)
        return sum(scale.of_memory(demand.gpu_memory_mib, mib) or scale.device for mib in memories)


def _held_place(cluster: Cluster, demand: Demand, i: int, task: Task) -> Place | None:
    """Where a task that holds resources of node i sits; None where a device of it is not in the snapshot.

    A device may have been partitioned, or put together, under its tasks: then they hold all of it. So does one that
    holds memory of a device of unknown memory.
    """
    index, span, sliced = cluster.gpu_index, cluster.spans[i], cluster.sliced
    slices = [(index.get(piece.gpu, -1), piece.profile) for piece in task.mig_slices if demand.form == Form.MIG]
    devices = [index.get(gpu, -1) for gpu in (task.gpu_ids if demand.form not in (Form.NONE, Form.MIG) else ())]
    if not all(d in span for d in (*devices, *(d for d, _ in slices))):
        return None
    whole = [d for d in devices if sliced[d] is None] + sorted({d for d, _ in slices if sliced[d] is None})
    units = [cluster.share(d, demand) or cluster.scale.device for d in whole]
    taken = [(d, profile) for d, profile in slices if profile in (sliced[d] or {})]
    taken += [(d, profile) for d in devices for profile, count in (sliced[d] or {}).items() for _ in range(count)]
    profiles = tuple([profile for _, profile in taken])
    return Place(i, (*whole, *(d for d, _ in taken)), tuple(units), profiles)


def _id(workload: PlannedWorkload) -> str:
    return workload.id
