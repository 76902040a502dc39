"""Workloads as a whole: group minimums, one pool, required topology."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from scheduler_core.model import Group, PlannedWorkload, Task, Topology
from scheduler_core.planning.check_state import Spot, State, Violation


class Gang:
    """The groups of a workload as a tree, and which of them reach their minimum with given tasks."""

    def __init__(self, workload: PlannedWorkload, tasks: Iterable[Task]) -> None:
        groups = workload.groups
        if groups is None:
            groups = (Group(name="default", min_members=len(workload.tasks)),)
        self.groups = {group.name: group for group in groups}
        self.counts = Counter(task.group for task in tasks)
        self.children: dict[str | None, list[Group]] = defaultdict(list)
        for group in groups:
            self.children[group.parent].append(group)

    def line(self, name: str) -> list[Group]:
        """The group and those above it, innermost first."""
        line: list[Group] = []
        group = self.groups.get(name)
        while group is not None and group not in line:
            line.append(group)
            group = self.groups.get(group.parent) if group.parent is not None else None
        return line

    def missing(self, group: Group) -> str | None:
        """What keeps the group below its minimum, as numbers; None where it is reached."""
        count = self.counts[group.name]
        if count < group.min_members:
            return f"group {group.name} has {count} of at least {group.min_members} tasks"
        children = self.children[group.name]
        reached = sum(self.missing(child) is None for child in children)
        needed = len(children) if group.min_subgroups is None else group.min_subgroups
        if reached < needed:
            return f"group {group.name} has {reached} of at least {needed} subgroups at their minimum"
        return None

    def missing_at_top(self) -> str | None:
        """The first thing that keeps a group without a parent below its minimum."""
        return next((what for group in self.children[None] if (what := self.missing(group))), None)


def check_gangs(state: State) -> Iterator[Violation]:
    """What holds for a workload that receives tasks, over all its tasks."""
    spots: dict[str, list[Spot]] = defaultdict(list)
    for spot in (*state.binds, *state.nominations):
        spots[spot.workload.id].append(spot)
    for workload_id, placed in state.placed_by_workload().items():
        workload = state.workloads[workload_id]
        yield from _minimums(state, workload, placed)
        staying = [home for task in state.staying(workload) if (home := state.homes.get(task.id))]
        yield from _one_pool(workload, spots[workload_id], staying)
        yield from _topologies(workload, spots[workload_id], staying)


def _minimums(state: State, workload: PlannedWorkload, placed: list[Task]) -> Iterator[Violation]:
    """Each group that receives tasks, those above it, and with them the workload end at their minimum."""
    gang = Gang(workload, (*state.staying(workload), *placed))
    receiving = [group for name in dict.fromkeys(task.group for task in placed) for group in gang.line(name)]
    what = next((what for group in receiving if (what := gang.missing(group))), None) or gang.missing_at_top()
    if what is not None:
        yield Violation("gang", workload.id, f"Workload {workload.id} receives {len(placed)} tasks, but {what}.")


def _one_pool(workload: PlannedWorkload, placed: list[Spot], staying: list[Spot]) -> Iterator[Violation]:
    used, kept = {spot.node.pool for spot in placed}, {spot.node.pool for spot in staying}
    if len(used) > 1 or (kept and not used <= kept):
        message = f"Workload {workload.id} would span the pools {', '.join(sorted(used | kept))}."
        yield Violation("pool_span", workload.id, message)


def _topologies(workload: PlannedWorkload, placed: list[Spot], staying: list[Spot]) -> Iterator[Violation]:
    yield from _one_domain(workload.id, workload.topology, placed, staying)
    if workload.groups is None:
        return
    gang = Gang(workload, ())
    for group in workload.groups:
        if group.topology is not None:
            mine, kept = ([s for s in spots if group in gang.line(s.task.group)] for spots in (placed, staying))
            yield from _one_domain(f"{workload.id}/{group.name}", group.topology, mine, kept)


def _one_domain(
    subject: str, topology: Topology | None, placed: list[Spot], staying: list[Spot]
) -> Iterator[Violation]:
    """A start state that is spread already is not the plan's doing: the plan may only not add a domain to it."""
    if topology is None or topology.required is None:
        return
    label = topology.required
    used = {spot.node.labels.get(label) for spot in placed}
    kept = {spot.node.labels.get(label) for spot in staying}
    if None in used or len(used) > 1 or (kept and not used <= kept):
        names = ", ".join(sorted(value or "no label" for value in used | kept))
        yield Violation("topology", subject, f"{subject} must stay in one {label} and would use: {names}.")
