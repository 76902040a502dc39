"""Whether evictions would help: the next plan, without the victims, has to place those they are for."""

from __future__ import annotations

from collections.abc import Iterable, Set

from msgspec.structs import replace

from scheduler_core.model import PlannedWorkload, Task
from scheduler_core.planning.allocate import allocate, fill
from scheduler_core.planning.gangs import Gang
from scheduler_core.planning.state import Placement, State


class Promises:
    """What the evictions planned so far promise: by beneficiary, the gangs that have to find a place."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.victims: dict[str, tuple[Gang, set[int]]] = {}
        self.owed: dict[str, set[str]] = {}
        self.has_binds = any(not placement.later for placement in state.settled())
        for entry in state.removals():
            beneficiary = entry.cause.beneficiary
            if not state.is_back(entry.gang, entry.task):
                self.victims.setdefault(entry.gang.id, (entry.gang, set()))[1].add(entry.task)
                if beneficiary is not None:
                    owed = self.owed.setdefault(beneficiary, {beneficiary})
                    if entry.cause.action == "consolidate":
                        owed.add(entry.gang.id)

    def kept(self) -> set[str] | None:
        """The gangs that allocate would place without the victims, if it would keep all promises; else None.

        In the next plan, in which the binds run, and if it planned again now, binds too (contract rule 6).
        """
        placed = {placement.gang.id for placement in self._placed_when(binds_run=True)}
        if self.has_binds and not self._broken(placed):
            placed &= {placement.gang.id for placement in self._placed_when(binds_run=False)}
        return None if self._broken(placed) else placed

    def nominations(self) -> list[Placement]:
        """The nominations of the plan, each at the place where the next plan will bind it."""
        promised = [placement for placement in self.state.settled() if placement.later]
        promised = [p for p in promised if not self.state.is_back(p.gang, p.task)]
        if not self.owed:
            return promised
        following = {(p.gang.id, p.task): p for p in self._placed_when(binds_run=True)}
        found = [following.get((p.gang.id, p.task)) for p in promised]
        kept = [replace(p, later=True) for p in found if p is not None and not self._is_home(p)]
        if len(kept) < len(promised) or any(self._changes_pool(p, q) for p, q in zip(promised, kept, strict=True)):
            return promised
        return kept

    def _changes_pool(self, promised: Placement, kept: Placement) -> bool:
        """Whether work that nobody is evicted for would go to another pool: there victims still count for limits."""
        return promised.pool != kept.pool and promised.gang.id not in self.owed

    def _is_home(self, placement: Placement) -> bool:
        home = self.state.evicted.get(placement.gang.id, {}).get(placement.task)
        return home is not None and home.place.same_as(placement.place)

    def _placed_when(self, binds_run: bool) -> list[Placement]:
        state = self.state
        mark = state.mark()
        for placement in list(state.settled()):
            if (placement.later or not binds_run) and not state.is_back(placement.gang, placement.task):
                state.withdraw(placement)
        for gang, tasks in self.victims.values():
            for k in tasks:
                state.vacate(gang, k)
        start = state.mark()
        state.placer.policy.restart()
        fill(state, self._waiting())
        placed = list(state.placements(start))
        state.rollback(mark)
        state.placer.policy.restart()
        return placed

    def broken_at_once(self) -> set[str]:
        """Beneficiaries that allocate would not place, planned again now without the victims (contract rule 6)."""
        if not self.owed:
            return set()
        again = State(replace(self.state.snapshot, workloads=tuple(map(self._without_victims, self.state.gangs))))
        allocate(again)
        return self._broken({placement.gang.id for placement in again.placements()})

    def _waiting(self) -> Iterable[Gang]:
        known = {gang.id for gang in self.state.waiting}
        return [*self.state.waiting, *(gang for name, (gang, _) in self.victims.items() if name not in known)]

    def _broken(self, placed: Set[str]) -> set[str]:
        return {beneficiary for beneficiary, owed in self.owed.items() if not owed <= placed}

    def _without_victims(self, gang: Gang) -> PlannedWorkload:
        if gang.id not in self.victims:
            return gang.workload
        gone = self.victims[gang.id][1]

        def after(k: int, task: Task) -> Task:
            return replace(task, state="pending", node=None, gpu_ids=(), mig_slices=()) if k in gone else task

        return replace(gang.workload, tasks=tuple(after(k, task) for k, task in enumerate(gang.tasks)))
