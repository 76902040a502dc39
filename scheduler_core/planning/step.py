"""One step of a workload: its missing minimum, or one elastic task; all of it is placed, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from scheduler_core.planning.cluster import Mask
from scheduler_core.planning.demand import NOTHING, Form, Vector
from scheduler_core.planning.gangs import Gang, GroupNode, steps_request
from scheduler_core.planning.queues import Blocked
from scheduler_core.planning.state import State
from scheduler_core.planning.topology import options

First: TypeAlias = Literal["listed", "largest", "narrowest"]

_ORDERS: tuple[First, ...] = ("listed", "largest", "narrowest")


class Step:
    """Tries to place tasks of one gang in one pool.

    `later`: on resources that are still releasing, too. `first`: which tasks of a minimum go first. `thrifty`: requests
    by memory on the devices where they are charged least.
    """

    def __init__(
        self, state: State, gang: Gang, pool: str, later: bool, first: First = "listed", thrifty: bool = False
    ) -> None:
        self.state = state
        self.gang = gang
        self.pool = pool
        self.later = later
        self.first = first
        self.thrifty = thrifty
        self.books = state.books[pool]
        # The test before the step took the most favourable charge; these steps can come to more on their way.
        self._gate_each = gang.has_choice or gang.charged_by_device

    def minimum(self) -> bool:
        """Place what every group that must be at its minimum is missing."""

        def fill(nodes: Sequence[Mask]) -> bool:
            return all(root.satisfied() or self._satisfy(root, nodes) for root in self.gang.roots)

        return self._in_some_domain(None, fill)

    def growth(self, group: GroupNode, tasks: Sequence[int]) -> bool:
        """Place one elastic task, or the whole minimum of one more subgroup."""
        line = [group]
        while line[-1].parent is not None:
            line.append(line[-1].parent)
        if not group.satisfied():
            line = line[1:]

        def fill(nodes: Sequence[Mask], above: Sequence[GroupNode]) -> bool:
            if above:
                return self._in_some_domain(above[-1], lambda inner: fill(inner, above[:-1]), nodes)
            if not group.satisfied():
                return self._satisfy(group, nodes)
            return all(self.task(k, nodes) for k in tasks)

        return self._in_some_domain(None, lambda nodes: fill(nodes, line))

    def _satisfy(self, group: GroupNode, nodes: Sequence[Mask]) -> bool:
        return self._in_some_domain(group, lambda inner: self._fill(group, inner), nodes)

    def _fill(self, group: GroupNode, nodes: Sequence[Mask]) -> bool:
        if len(group.waiting) < group.missing:
            return False
        if not all(self.task(k, nodes) for k in self._placing_order(group.waiting[: group.missing])):
            return False
        short = group.subgroups_needed - sum(child.satisfied() for child in group.children)
        for child in group.ordered_children():
            if short <= 0:
                break
            if child.satisfied() or not child.reachable():
                continue
            mark = self.state.mark()
            if self._satisfy(child, nodes):
                short -= 1
            else:
                self.state.rollback(mark)
        return short <= 0

    def _placing_order(self, tasks: list[int]) -> list[int]:
        demands, admits = self.gang.demands, self.state.cluster.admits
        if self.first == "largest":
            return sorted(tasks, key=lambda k: (demands[k].most, demands[k].index), reverse=True)
        if self.first == "narrowest":
            return sorted(tasks, key=lambda k: (int(admits(demands[k]).sum()), demands[k].index))
        return tasks

    def _in_some_domain(
        self, group: GroupNode | None, fill: Callable[[Sequence[Mask]], bool], nodes: Sequence[Mask] | None = None
    ) -> bool:
        topology = self.gang.workload.topology if group is None else group.topology
        within = [self.state.cluster.in_pool(self.pool)] if nodes is None else nodes
        if topology is None:
            return fill(within)
        for masks in options(self.state.occupancy, topology, within, self._held(group), self.later):
            mark = self.state.mark()
            if fill(masks):
                return True
            self.state.rollback(mark)
        return False

    def _held(self, group: GroupNode | None) -> set[int]:
        """Nodes on which the gang, or one group of it with its subgroups, runs already.

        One that was spread over several domains before goes on in one of them: where this plan has placed tasks of it.
        """
        homes = self.gang.homes
        if group is not None:
            names = {member.name for member in group.walk()}
            homes = {k: home for k, home in homes.items() if self.gang.tasks[k].group in names}
        placed = {home.place.node for home in homes.values() if home.fresh}
        return placed or {home.place.node for home in homes.values()}

    def task(self, k: int, nodes: Sequence[Mask] | None = None) -> bool:
        """Place one task in the best part of these nodes, or of the pool."""
        nodes = [self.state.cluster.in_pool(self.pool)] if nodes is None else nodes
        gang, demand = self.gang, self.gang.demands[k]
        queue = gang.queue
        if self._gate_each and self.books.gate(queue, demand.least, gang.preemptible) is not None:
            return False
        by_memory = demand.form == Form.MEMORY
        headroom = self.books.headroom(queue, gang.preemptible) if by_memory else None
        place = self.state.placer.best(demand, nodes, self.later, headroom, self.thrifty and by_memory)
        if place is None:
            return False
        self.state.place(gang, k, self.state.at_home(gang, k, place), self.later, self.pool)
        return True


def attempt(state: State, gang: Gang, pool: str, later: bool) -> bool:
    """Place the gang's next step in the pool; nothing is left behind on failure.

    A gang of unequal tasks, or one that is charged by the device it gets, is tried in more than one way.
    """
    unequal = not gang.satisfied() and len({gang.demands[k].index for k in gang.next_tasks()}) > 1
    by_memory = gang.charged_by_device
    for thrifty in (False, True) if by_memory else (False,):
        for first in _ORDERS if unequal else _ORDERS[:1]:
            if _try(Step(state, gang, pool, later, first, thrifty)):
                return True
    return False


def is_exact(gang: Gang) -> bool:
    """Whether `attempt` finds a place for the gang's next step whenever there is one: its order cannot matter."""
    demands = {gang.demands[k].index: gang.demands[k] for k in gang.next_tasks()}
    by_itself = all(demand.form == Form.WHOLE or demand.devices < 2 for demand in demands.values())
    topologies = [gang.workload.topology, *(group.topology for group in gang.groups.values())]
    one_domain = sum(topology is not None for topology in topologies) < 2
    return len(demands) == 1 and by_itself and one_domain and not gang.has_choice


def gate(state: State, gang: Gang, pool: str, beside: Mapping[str, Vector] | None = None) -> Blocked | None:
    """The limit or quota that stops the gang's next step in this pool, before any placement.

    Where the step may go one way or another, each way is tested when it is tried. `beside`: what queues are charged on
    top of their books.
    """
    one_way = len(gang.kinds) == 1 if gang.satisfied() else not gang.has_choice
    vector = gang.step_request(least=True) if one_way else NOTHING
    return state.books[pool].gate(gang.queue, vector, gang.preemptible, beside or {})


def horizons(state: State) -> tuple[bool, ...]:
    """When a step may be placed: now, or else `later`, which differs only while something is releasing."""
    return (False, True) if state.occupancy.releasing else (False,)


def shape(gang: Gang) -> object:
    """Equal for gangs of one queue that an action can serve alike, one as well as the other."""
    known = gang.signature()
    if known is not None:
        return known
    if gang.homes:
        return gang.id
    asked = tuple((gang.tasks[k].group, gang.demands[k].index, gang.tasks[k].priority) for k in gang.waiting())
    return gang.workload.groups, gang.workload.topology, asked


def _try(step: Step) -> bool:
    state, gang = step.state, step.gang
    mark = state.mark()
    if not gang.satisfied():
        if step.minimum():
            return True
        state.rollback(mark)
        return False
    failed: set[int] = set()
    for group, tasks in gang.growth_steps():
        alone = gang.demands[tasks[0]].index if len(tasks) == 1 and group.satisfied() else None
        if alone in failed and group.topology is None:
            continue
        if step.books.gate(gang.queue, steps_request(gang, tasks, least=True), gang.preemptible) is None:
            if step.growth(group, tasks):
                return True
            state.rollback(mark)
        if alone is not None and group.topology is None:
            failed.add(alone)
    return False
