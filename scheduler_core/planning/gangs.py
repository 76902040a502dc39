"""The groups of a workload: which minimum is missing, and which tasks would supply it."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from scheduler_core.model import Group, PlannedWorkload, Task, Topology
from scheduler_core.planning.cluster import Place
from scheduler_core.planning.demand import Demand, Form, Vector, total
from scheduler_core.planning.lazily import lazily

_MOST_KINDS = 4

BELOW, AT, ABOVE = range(3)
"""Elastic state: below, exactly at, or above the minimum."""


class Home(Struct, frozen=True, gc=False):
    """Where a task of a gang is active, and what its queue is charged there.

    `fresh`: this plan has put it there; `promised`: when what is releasing has gone.
    """

    place: Place
    pool: str
    charge: Vector
    fresh: bool = False
    promised: bool = False


class GroupNode:
    """One group with its tasks. `active` counts running and placed tasks; `waiting` lists pending ones in order."""

    def __init__(self, group: Group) -> None:
        self.name = group.name
        self.min_members = group.min_members
        self.min_subgroups = group.min_subgroups
        self.topology: Topology | None = group.topology
        self.parent: GroupNode | None = None
        self.children: list[GroupNode] = []
        self.active = 0
        self.waiting: list[int] = []
        self.gated = 0

    @property
    def missing(self) -> int:
        """Own tasks that are short of the minimum."""
        return max(0, self.min_members - self.active)

    @property
    def subgroups_needed(self) -> int:
        return len(self.children) if self.min_subgroups is None else self.min_subgroups

    def satisfied(self) -> bool:
        if self.active < self.min_members:
            return False
        return not self.children or sum(child.satisfied() for child in self.children) >= self.subgroups_needed

    def reachable(self, with_gated: bool = False) -> bool:
        """Whether the tasks present could bring it to its minimum."""
        present = self.active + len(self.waiting) + (self.gated if with_gated else 0)
        if present < self.min_members:
            return False
        if not self.children:
            return True
        able = sum(child.reachable(with_gated) for child in self.children)
        return able >= self.subgroups_needed

    def has_choice(self) -> bool:
        """Whether there is more than one set of subgroups that would do."""
        if not self.children:
            return False
        needed = self.subgroups_needed
        return needed < len(self.children) or any(child.has_choice() for child in self.children)

    def ordered_children(self) -> list[GroupNode]:
        """Unsatisfied first, required before optional, the emptiest first, then by name."""

        def rank(child: GroupNode) -> tuple[bool, bool, float, str]:
            filled = child.active / child.min_members if child.min_members else 0.0
            return child.satisfied(), not child.min_members and not child.children, filled, child.name

        return sorted(self.children, key=rank)

    def first_choice(self) -> list[int]:
        """Tasks that bring it to its minimum, taking subgroups in order."""
        tasks = self.waiting[: self.missing]
        if not self.children:
            return tasks
        short = self.subgroups_needed - sum(child.satisfied() for child in self.children)
        for child in self.ordered_children():
            if short > 0 and not child.satisfied() and child.reachable():
                tasks = tasks + child.first_choice()
                short -= 1
        return tasks

    def fewest(self) -> int:
        """The least number of tasks with which it is at its minimum."""
        below = sorted(child.fewest() for child in self.children)
        return self.min_members + sum(below[: self.subgroups_needed])

    def walk(self) -> Iterator[GroupNode]:
        yield self
        for child in self.children:
            yield from child.walk()


class Gang:
    """A workload with its group tree and compiled demands.

    `homes` says where its active tasks are; a task that runs on a node that is not in the snapshot has none. The group
    tree is built when it is first asked for: most running work never needs it.
    """

    def __init__(self, workload: PlannedWorkload, demands: Sequence[Demand]) -> None:
        self.workload = workload
        self.id = workload.id
        self.queue = workload.queue
        self.tasks: tuple[Task, ...] = workload.tasks
        self.demands = demands
        self.preemptible = workload.is_preemptible
        self.homes: dict[int, Home] = {}

    @lazily
    def _known(self) -> dict[str, Any]:
        return {}

    @lazily
    def groups(self) -> dict[str, GroupNode]:
        given = self.workload.groups
        if given is None:
            given = (Group(name="default", min_members=len(self.tasks)),)
        groups = {group.name: GroupNode(group) for group in given}
        for group in given:
            if group.parent is not None:
                node, parent = groups[group.name], groups[group.parent]
                node.parent = parent
                parent.children.append(node)
        self._count_tasks(groups)
        return groups

    @lazily
    def roots(self) -> list[GroupNode]:
        return sorted((node for node in self.groups.values() if node.parent is None), key=lambda n: n.name)

    @lazily
    def kinds(self) -> Counter[int]:
        """The tasks that wait, counted by the index of their demand; empty when none does."""
        return Counter(self.demands[k].index for group in self.groups.values() for k in group.waiting)

    @lazily
    def charged_by_device(self) -> bool:
        """Whether some task asks for device memory."""
        return any(demand.form == Form.MEMORY for demand in self.demands)

    @lazily
    def has_choice(self) -> bool:
        return any(root.has_choice() for root in self.roots)

    @lazily
    def has_topology(self) -> bool:
        return self.workload.topology is not None or any(group.topology for group in self.groups.values())

    def _count_tasks(self, groups: dict[str, GroupNode]) -> None:
        for k, task in enumerate(self.tasks):
            group = groups[task.group]
            if task.state == "running":
                group.active += 1
            elif task.state == "pending":
                group.waiting.append(k)
            elif task.state == "gated":
                group.gated += 1
        for group in groups.values():
            if len(group.waiting) > 1:
                group.waiting.sort(key=self.turn)

    def turn(self, k: int) -> tuple[int, int]:
        """The order of tasks: by priority, then as listed."""
        return -self.tasks[k].priority, k

    def start(self, k: int, home: Home) -> None:
        """Count a waiting task as active."""
        self._known.clear()
        self.homes[k] = home
        group = self.groups[self.tasks[k].group]
        # Read before the group changes: built on first use, it counts what waits then.
        kinds = self.kinds
        group.waiting.remove(k)
        group.active += 1
        index = self.demands[k].index
        kinds[index] -= 1
        if not kinds[index]:
            del kinds[index]

    def stop(self, k: int) -> None:
        """Count an active task as waiting: the opposite of `start`."""
        self._known.clear()
        self.homes.pop(k, None)
        group = self.groups[self.tasks[k].group]
        kinds = self.kinds
        insort(group.waiting, k, key=self.turn)
        group.active -= 1
        kinds[self.demands[k].index] += 1

    def satisfied(self) -> bool:
        found = self._known.get("satisfied")
        if found is None:
            found = self._known["satisfied"] = all(root.satisfied() for root in self.roots)
        return bool(found)

    def reachable(self, with_gated: bool = False) -> bool:
        """Whether the tasks present could bring it to its minimum."""
        if with_gated:
            return all(root.reachable(with_gated) for root in self.roots)
        found = self._known.get("reachable")
        if found is None:
            found = self._known["reachable"] = all(root.reachable() for root in self.roots)
        return bool(found)

    def first_unreachable(self) -> GroupNode:
        """The innermost group that the tasks present cannot bring to its minimum; where there is none, the first."""
        groups = [group for root in self.roots for group in root.walk()]
        return next((group for group in reversed(groups) if not group.reachable()), groups[0])

    def active(self) -> int:
        return sum(group.active for group in self.groups.values())

    def waiting(self) -> list[int]:
        """Pending tasks not placed so far, in list order."""
        return sorted(k for group in self.groups.values() for k in group.waiting)

    def elastic_state(self) -> int:
        if "groups" not in self.__dict__ and self.workload.groups is None:
            # The group tree of most running work is never needed: without groups of its own it is not elastic.
            return AT if all(task.state == "running" for task in self.tasks) else BELOW
        if not self.satisfied():
            return BELOW
        return ABOVE if self.active() > sum(root.fewest() for root in self.roots) else AT

    def next_tasks(self) -> Sequence[int]:
        """Tasks the next step would start first: the missing minimum, or one more."""
        found: Sequence[int] | None = self._known.get("next")
        if found is None:
            found = self._known["next"] = tuple(self._first_step())
        return found

    def steps(self) -> list[Sequence[int]]:
        """What the next step may be: the missing minimum, or one more task of each kind that waits, a few at most."""
        if not self.satisfied():
            return [self.next_tasks()]
        kinds: dict[object, Sequence[int]] = {}
        for _, tasks in self.growth_steps():
            kinds.setdefault(tuple(self.demands[k].index for k in tasks), tasks)
            if len(kinds) == _MOST_KINDS:
                break
        return list(kinds.values())

    def step_request(self, least: bool) -> Vector:
        """What a queue is charged for the next step on the largest (`least`) or the smallest device of the snapshot."""
        key = "least" if least else "most"
        found: Vector | None = self._known.get(key)
        if found is None:
            found = self._known[key] = steps_request(self, self.next_tasks(), least)
        return found

    def signature(self) -> tuple[object, ...] | None:
        """Equal for gangs whose next steps stand or fall together; None where the queue or its running tasks matter."""
        if "signature" not in self._known:
            self._known["signature"] = self._sign()
        found: tuple[object, ...] | None = self._known["signature"]
        return found

    def _sign(self) -> tuple[object, ...] | None:
        if self.charged_by_device or self.has_choice or self.has_topology:
            return None
        if self.satisfied():
            return ("grow", frozenset(self.kinds))
        return ("start", *sorted(self.demands[k].index for k in self.next_tasks()))

    def _first_step(self) -> list[int]:
        if not self.satisfied():
            return [k for root in self.roots for k in root.first_choice()]
        step = next(self.growth_steps(), None)
        return [] if step is None else step[1]

    def growth_steps(self) -> Iterator[tuple[GroupNode, list[int]]]:
        """Ways to grow a satisfied gang by one task, or by one subgroup's whole minimum, best first."""
        open_groups = [group for group in self.groups.values() if group.waiting or group.children]
        open_groups.sort(key=_growth_rank)
        for group in open_groups:
            if not group.satisfied():
                if group.reachable() and (group.parent is None or group.parent.satisfied()):
                    yield group, group.first_choice()
            elif _line_satisfied(group):
                for k in group.waiting:
                    yield group, [k]


def _growth_rank(group: GroupNode) -> tuple[bool, bool, float, str]:
    filled = group.active / group.min_members if group.min_members else float(group.active)
    return group.satisfied(), group.min_members == 0, filled, group.name


def _line_satisfied(group: GroupNode) -> bool:
    parent = group.parent
    while parent is not None:
        if not parent.satisfied():
            return False
        parent = parent.parent
    return True


def steps_request(gang: Gang, tasks: Iterable[int], least: bool) -> Vector:
    """What a queue is charged for these tasks on the largest (`least`) or the smallest device of the snapshot."""
    demands = gang.demands
    return total((demands[k].least if least else demands[k].most) for k in tasks)
