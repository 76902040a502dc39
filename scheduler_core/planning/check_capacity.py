"""Nodes, devices and MIG slices: nothing is added to one that is, or would go, over."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction

from scheduler_core.model import MILLI, Gpu, Node, TaskRequest
from scheduler_core.planning.check_state import Spot, State, Violation, whole_and_milli


def check_capacity(state: State) -> Iterator[Violation]:
    """Binds fit beside everything that is held, nominations beside what stays."""
    homes = state.homes
    yield from _Ledger(state, list(homes.values()), state.binds).violations()
    staying = [spot for name, spot in homes.items() if spot.task.state != "releasing" and name not in state.evictions]
    yield from _Ledger(state, staying + state.binds, state.nominations).violations()


class _Ledger:
    """What is used once `added` stands beside `held`; only what receives something is judged."""

    def __init__(self, state: State, held: list[Spot], added: list[Spot]) -> None:
        self.state = state
        self.node_added: Counter[tuple[str, str]] = Counter()
        self.devices_added: dict[str, Gpu] = {}
        self.slices_added: Counter[tuple[str, str]] = Counter()
        for spot in added:
            self._add(spot)

        touched = {spot.node.name for spot in added}
        self.node_used: Counter[tuple[str, str]] = Counter()
        self.users: dict[str, list[Spot]] = defaultdict(list)
        for spot in (*held, *added):
            if spot.node.name in touched:
                self._use(spot)

    def violations(self) -> Iterator[Violation]:
        for (name, unit), new in self.node_added.items():
            used, capacity = self.node_used[name, unit], _node_capacity(self.state.nodes[name])[unit]
            if new > 0 and used > capacity:
                message = f"Node {name} would hold {used} {unit}, {new} of it new, and has {capacity}."
                yield Violation("node_full", name, message)
        for gpu in self.devices_added.values():
            yield from self._device_violations(gpu)
        for (gpu_id, profile), new in self.slices_added.items():
            yield from self._slice_violations(self.state.devices[gpu_id][1], profile, new)

    def _add(self, spot: Spot) -> None:
        """Record what a placement adds; a re-placed victim adds nothing where it already was."""
        home = self.state.homes.get(spot.task.id)
        if home is None or home.node is not spot.node:
            for unit, value in _node_use(spot).items():
                self.node_added[spot.node.name, unit] += value
        before = () if home is None else home.gpus
        self.devices_added.update({gpu.id: gpu for gpu in spot.gpus if gpu not in before})
        self.slices_added += _slice_use(spot) - (Counter() if home is None else _slice_use(home))

    def _use(self, spot: Spot) -> None:
        for unit, value in _node_use(spot).items():
            self.node_used[spot.node.name, unit] += value
        for name in {gpu.id for gpu in spot.gpus} | {piece.gpu for piece in spot.slices}:
            self.users[name].append(spot)

    def _device_violations(self, gpu: Gpu) -> Iterator[Violation]:
        users = self.users[gpu.id]
        if any(spot.slices for spot in users):
            message = f"Device {gpu.id} would hold whole or shared work beside MIG slices."
            yield Violation("device_full", gpu.id, message)
        load = sum((_device_load(spot.task.request, gpu) for spot in users if not spot.slices), Fraction(0))
        if load > 1:
            message = f"Device {gpu.id} would carry {float(load):.6g} devices' worth of work from {len(users)} tasks."
            yield Violation("device_full", gpu.id, message)

    def _slice_violations(self, gpu: Gpu, profile: str, new: int) -> Iterator[Violation]:
        users = self.users[gpu.id]
        if any(not spot.slices for spot in users):
            message = f"Device {gpu.id} would hold MIG slices beside whole or shared work."
            yield Violation("device_full", gpu.id, message)
        used = sum(_slice_use(spot)[gpu.id, profile] for spot in users)
        capacity = sum(piece.count for piece in gpu.mig or () if piece.profile == profile)
        if used > capacity:
            message = f"Device {gpu.id} would hold {used} slices {profile}, {new} of them new, and has {capacity}."
            yield Violation("slice_full", gpu.id, message)


def _node_use(spot: Spot) -> dict[str, int]:
    request = spot.task.request
    return {"cpu_milli": request.cpu_milli, "memory_mib": request.memory_mib, "tasks": 1}


def _node_capacity(node: Node) -> dict[str, int]:
    return {"cpu_milli": node.cpu_milli, "memory_mib": node.memory_mib, "tasks": node.max_tasks}


def _slice_use(spot: Spot) -> Counter[tuple[str, str]]:
    return Counter((piece.gpu, piece.profile) for piece in spot.slices)


def _device_load(request: TaskRequest, gpu: Gpu) -> Fraction:
    """The part of a device one task takes; all of it where its memory request cannot be measured."""
    _, milli = whole_and_milli(request)
    if milli:
        return Fraction(milli, MILLI)
    if request.gpu_memory_mib and gpu.memory_mib:
        return Fraction(request.gpu_memory_mib, gpu.memory_mib)
    return Fraction(1)
