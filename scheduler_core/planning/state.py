"""The working state of one planning run: what the actions read and change."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from scheduler_core.model import Action, Snapshot
from scheduler_core.planning.cluster import Cluster, Place
from scheduler_core.planning.demand import NOTHING, Demand, Demands, Form, Vector, add, scale_of
from scheduler_core.planning.gangs import Gang, Home
from scheduler_core.planning.occupancy import BOTH, ONLY_LATER, ONLY_NOW, Occupancy, Times
from scheduler_core.planning.order import SiblingOrder
from scheduler_core.planning.placement import Placer
from scheduler_core.planning.policies import policy_of
from scheduler_core.planning.queues import Blocked, PoolBooks, QueueTree, exact
from scheduler_core.planning.reading import Reader


class Placement(Struct, frozen=True):
    """A task of a gang at a place: a bind, or a nomination where it waits for releasing resources."""

    gang: Gang
    task: int
    place: Place
    later: bool
    pool: str
    charge: Vector


class Start(Struct, frozen=True):
    """The gang counts the task as active."""

    gang: Gang
    task: int


class Cause(Struct, frozen=True):
    """Which action evicts, for whom (stale_gang: for nobody), and why in a sentence."""

    action: Literal["consolidate", "reclaim", "preempt", "stale_gang"]
    beneficiary: str | None
    reason: str


class Refusal(Struct, frozen=True):
    """Why an action made no room for a workload.

    `missing` counts devices; `protected`: there is work to take from, and all of it is protected; `gave_up`: the search
    ended before every set of victims was ruled out; `in_vain`: a set was found whose room would go to others.
    """

    action: Action
    pool: str
    gave_up: bool = False
    in_vain: bool = False
    protected: bool = False
    missing: float | None = None
    within_reach: float | None = None


class Removal(Struct, frozen=True):
    """A running task is told to go from its home."""

    gang: Gang
    task: int
    home: Home
    cause: Cause


class Withdrawal(Struct, frozen=True):
    """A bind or nomination is taken back, to see where the next plan would put the task."""

    gang: Gang
    task: int
    home: Home
    times: Times


class Vacancy(Struct, frozen=True):
    """An evicted task has left its home."""

    gang: Gang
    task: int
    home: Home


Entry: TypeAlias = Placement | Start | Removal | Withdrawal | Vacancy
"""One change to the state, as it is undone."""


class State:
    """Everything that changes while a plan is made; `place`, `commit`, `evict` and `rollback` are the only ways.

    `barred` workloads may not have others evicted.
    """

    def __init__(self, snapshot: Snapshot, barred: Collection[str] = ()) -> None:
        self.snapshot = snapshot
        self.scale = scale_of(snapshot)
        self.cluster = Cluster(snapshot, self.scale)
        self.occupancy = Occupancy(self.cluster)
        self.tree = QueueTree(snapshot.queues)
        self.books = {
            pool: PoolBooks(pool, self.tree, self.scale, self.cluster.totals(pool)) for pool in _pools(snapshot)
        }
        self.demands = Demands(self.scale)
        reader = Reader(self.cluster, self.demands, self.occupancy, self.books)
        reader.read(snapshot)
        self.placer = Placer(self.occupancy, lambda columns: policy_of(snapshot, columns))
        self.gangs = reader.gangs
        self.waiting = reader.waiting
        self.evicted: dict[str, dict[int, Home]] = {}
        self.taken: dict[str, list[Gang]] = {}
        self.seen: set[str] = set()
        self.blocked: dict[str, Blocked] = {}
        self.refusals: dict[object, dict[Action, Refusal]] = {}
        self.barred = barred
        self._journal: list[Entry] = []
        k = exact(snapshot.config.usage_weight_k)
        for books in self.books.values():
            books.divide(k)
        self._siblings: dict[str, SiblingOrder] = {}

    def siblings(self, pool: str) -> SiblingOrder:
        """How the queues of a pool stand to each other."""
        found = self._siblings.get(pool)
        if found is None:
            found = self._siblings[pool] = SiblingOrder(self.books[pool])
        return found

    def pools_of(self, gang: Gang) -> tuple[str, ...]:
        """Pools the gang may use, in order; where it runs already, only that one, as far as it is among its pools."""
        if not gang.homes:
            return gang.workload.pools
        runs_in = self.home_pools(gang)
        return tuple(pool for pool in gang.workload.pools if runs_in == {pool})

    def home_pools(self, gang: Gang) -> set[str]:
        """The pools of the nodes on which the gang is active."""
        return {home.pool for home in gang.homes.values()}

    def pool_of(self, gang: Gang) -> str:
        """The first pool that the gang may use, or would wait in."""
        return next(iter(self.pools_of(gang)), gang.workload.pools[0])

    def charge_of(self, demand: Demand, place: Place) -> Vector:
        """What a queue is charged for the demand at this place."""
        if demand.form != Form.MEMORY:
            return demand.most
        return sum(place.units), demand.cpu_milli, demand.memory_mib

    def mark(self) -> int:
        """A point to go back to with `rollback`."""
        return len(self._journal)

    def place(self, gang: Gang, task: int, place: Place, later: bool, pool: str) -> None:
        """Bind a task (or nominate it, `later`): resources and charge are taken."""
        demand = gang.demands[task]
        charge = self.charge_of(demand, place)
        self.occupancy.hold(place, demand, ONLY_LATER if later else BOTH)
        self.books[pool].charge(gang.queue, charge, gang.preemptible)
        self._journal.append(Placement(gang, task, place, later, pool, charge))

    def commit(self, mark: int) -> None:
        """Let the gangs count what was placed since the mark."""
        for entry in self._journal[mark:]:
            if type(entry) is Placement and entry.task not in entry.gang.homes:
                entry.gang.start(entry.task, Home(entry.place, entry.pool, entry.charge, True, entry.later))
                self._journal.append(Start(entry.gang, entry.task))

    def evict(self, gang: Gang, task: int, cause: Cause) -> None:
        """Tell a running task to go: its resources are free later, its charge is off, it waits again."""
        home = gang.homes[task]
        self.occupancy.evict(home.place, gang.demands[task])
        self.books[home.pool].charge(gang.queue, home.charge, gang.preemptible, -1)
        gang.stop(task)
        self.evicted.setdefault(gang.id, {})[task] = home
        self._journal.append(Removal(gang, task, home, cause))

    def withdraw(self, placement: Placement) -> None:
        """Take back a bind or a nomination."""
        gang, task = placement.gang, placement.task
        home, times = gang.homes[task], ONLY_LATER if placement.later else BOTH
        self.occupancy.release(home.place, gang.demands[task], times)
        self.books[home.pool].charge(gang.queue, home.charge, gang.preemptible, -1)
        gang.stop(task)
        self._journal.append(Withdrawal(gang, task, home, times))

    def vacate(self, gang: Gang, task: int) -> None:
        """Let an evicted task leave its home at last."""
        home = self.evicted[gang.id][task]
        self.occupancy.release(home.place, gang.demands[task], ONLY_NOW)
        self._journal.append(Vacancy(gang, task, home))

    def at_home(self, gang: Gang, task: int, place: Place) -> Place:
        """The place, or for whole devices and slices those that an evicted task had on that node, where they are free.

        A share goes where its device is best, or shares would never be moved together.
        """
        home = self.evicted.get(gang.id, {}).get(task)
        if home is None or gang.demands[task].form in (Form.PORTION, Form.MEMORY):
            return place
        if home.place.node != place.node or not self.occupancy.has_room(home.place):
            return place
        if not all(self.cluster.gpus[d].shareable for d in place.devices):
            return place
        return home.place

    def may_return(self, gang: Gang, task: int) -> bool:
        """Whether the place that an evicted task had is free after what is releasing has gone."""
        place = self.evicted[gang.id][task].place
        return self.occupancy.host_fits(place.node, gang.demands[task], later=True) and self.occupancy.has_room(place)

    def rollback(self, mark: int) -> None:
        """Undo everything since the mark."""
        journal = self._journal
        while len(journal) > mark:
            entry = journal.pop()
            gang = entry.gang
            if type(entry) is Placement:
                self.books[entry.pool].charge(gang.queue, entry.charge, gang.preemptible, -1)
                times = ONLY_LATER if entry.later else BOTH
                self.occupancy.release(entry.place, gang.demands[entry.task], times)
            elif type(entry) is Start:
                gang.stop(entry.task)
            elif type(entry) is Removal:
                self._undo_removal(entry)
            elif type(entry) is Vacancy:
                self.occupancy.hold(entry.home.place, gang.demands[entry.task], ONLY_NOW)
            elif type(entry) is Withdrawal:
                gang.start(entry.task, entry.home)
                self.books[entry.home.pool].charge(gang.queue, entry.home.charge, gang.preemptible)
                self.occupancy.hold(entry.home.place, gang.demands[entry.task], entry.times)

    def _undo_removal(self, entry: Removal) -> None:
        gang = entry.gang
        gang.start(entry.task, entry.home)
        self.books[entry.home.pool].charge(gang.queue, entry.home.charge, gang.preemptible)
        self.occupancy.restore(entry.home.place, gang.demands[entry.task])
        left = self.evicted[gang.id]
        del left[entry.task]
        if not left:
            del self.evicted[gang.id]

    def placements(self, mark: int = 0) -> Iterator[Placement]:
        """What has been placed since the mark, in order; an evicted task that is back where it was is among it."""
        return (entry for entry in self._journal[mark:] if type(entry) is Placement)

    def settled(self) -> Iterator[Placement]:
        """The placements that stand: neither withdrawn nor still being tried."""
        for entry in self.placements():
            home = entry.gang.homes.get(entry.task)
            if home is not None and home.place is entry.place:
                yield entry

    def removals(self, mark: int = 0) -> Iterator[Removal]:
        """What has been evicted since the mark, in order; a task that is back where it was is among it."""
        return (entry for entry in self._journal[mark:] if type(entry) is Removal)

    def leaving(self, pool: str) -> dict[str, Vector]:
        """By queue, parents too, what victims were charged beyond what they are charged where they are placed again."""
        sums: dict[str, Vector] = {}
        for entry in self.removals():
            if entry.home.pool == pool:
                home, (gpu, cpu, memory) = entry.gang.homes.get(entry.task), entry.home.charge
                now = NOTHING if home is None or home.pool != pool else home.charge
                more = max(0, gpu - now[0]), max(0, cpu - now[1]), max(0, memory - now[2])
                for name in self.books[pool].path(entry.gang.queue):
                    sums[name] = add(sums.get(name, NOTHING), more)
        return sums

    def is_back(self, gang: Gang, task: int) -> bool:
        """Whether the task was evicted and has been placed again where it was."""
        home = gang.homes.get(task)
        lost = self.evicted.get(gang.id, {}).get(task)
        return home is not None and lost is not None and lost.place.same_as(home.place)


def _pools(snapshot: Snapshot) -> list[str]:
    pools = {node.pool for node in snapshot.nodes}
    pools.update(pool for queue in snapshot.queues for pool in queue.pools)
    pools.update(pool for workload in snapshot.workloads for pool in workload.pools)
    return sorted(pools or {"default"})
