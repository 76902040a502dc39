"""What of a running gang can be taken, and what that leaves it: the opposite of its steps.

The order is the reverse of the order in which groups and tasks are started.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from scheduler_core.planning.gangs import ABOVE, AT, BELOW, Gang, GroupNode


class Remainder:
    """A gang without the tasks `gone`, which are still counted as active, and with `more` of each group.

    Tasks without a home stay for ever.
    """

    def __init__(self, gang: Gang, gone: Collection[int] = (), more: Mapping[str, int] | None = None) -> None:
        self.gang = gang
        self.tasks: dict[str, list[int]] = {name: [] for name in gang.groups}
        self.count = {name: group.active + (more or {}).get(name, 0) for name, group in gang.groups.items()}
        for k in gang.homes:
            if k in gone:
                self.count[gang.tasks[k].group] -= 1
            else:
                self.tasks[gang.tasks[k].group].append(k)
        for tasks in self.tasks.values():
            tasks.sort(key=gang.turn, reverse=True)

    def is_below(self) -> bool:
        """Whether some group that must be at its minimum is not."""
        return not all(map(self._stands, self.gang.roots))

    def elastic_state(self) -> int:
        """Below, exactly at, or above the minimum."""
        if self.is_below():
            return BELOW
        return ABOVE if sum(self.count.values()) > sum(root.fewest() for root in self.gang.roots) else AT

    def next_batch(self) -> tuple[list[int], bool]:
        """The tasks that go next, and whether they are surplus: one task, one subgroup that is not needed, or all."""
        roots = self.gang.roots
        surplus = self._surplus(roots, len(roots))
        if surplus:
            return surplus, True
        ranked = sorted(self.gang.groups.values(), key=self._rank, reverse=True)
        return [k for group in ranked for k in self.tasks[group.name]], False

    def _rank(self, group: GroupNode) -> tuple[bool, bool, float, str]:
        """The order of groups as they would be started, for what is left of them."""
        count, needed = sum(self.count[member.name] for member in group.walk()), group.fewest()
        return self._stands(group), needed == 0, count / needed if needed else float(count), group.name

    def _stands(self, group: GroupNode) -> bool:
        if self.count[group.name] < group.min_members:
            return False
        return not group.children or sum(map(self._stands, group.children)) >= group.subgroups_needed

    def _surplus(self, members: Sequence[GroupNode], needed: int) -> list[int]:
        """What can go while `needed` of the members stay at their minimum: one task, or one whole member."""
        ranked = sorted(members, key=self._rank, reverse=True)
        for group in ranked:
            if self.count[group.name] > group.min_members and self.tasks[group.name]:
                return self.tasks[group.name][:1]
            found = self._surplus(group.children, group.subgroups_needed) if group.children else []
            if found:
                return found
        if sum(map(self._stands, members)) > needed:
            for group in ranked:
                tasks = [k for member in group.walk() for k in self.tasks[member.name]]
                if tasks:
                    return tasks
        return []


def next_batch(gang: Gang, gone: Collection[int]) -> tuple[list[int], bool]:
    """The tasks that are taken next, the last started first, and whether the gang keeps its minimum without them."""
    if gang.workload.groups is None:
        return sorted((k for k in gang.homes if k not in gone), key=gang.turn, reverse=True), False
    return Remainder(gang, gone).next_batch()


def elastic_state(gang: Gang, gone: Collection[int] = ()) -> int:
    """Below, exactly at, or above the minimum, when the tasks `gone` have been taken."""
    return Remainder(gang, gone).elastic_state() if gone else gang.elastic_state()
