"""Fragmentation Gradient Descent: place a task where the expected fragmentation grows least.

Source: Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent",
USENIX ATC 2023. Of what is free on a node, a typical task that does not fit there can use nothing, and one that fits
cannot use devices with less than its share; the fragmentation of the node is the mean of what is of no use, over the
typical work. The drop of it, in thousandths of a device, becomes an integer score from 0 to 100; the integers matter,
because near-ties are to fill nodes in one order.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from scheduler_core.model import MILLI
from scheduler_core.planning.columns import Columns, Indices
from scheduler_core.planning.demand import Demand, Form
from scheduler_core.planning.fullness import Fullness
from scheduler_core.planning.occupancy import LATER
from scheduler_core.planning.policy import DeviceKey, Scores
from scheduler_core.planning.typical import Classes, Kind

Device: TypeAlias = tuple[int, int]
"""Its class, and the units free on it."""

Devices: TypeAlias = tuple[Device, ...]
"""Those of a node, in sorted order."""

_BEST = 100
_STEEPEST = 700.0
"""e to this power is still a double."""

(_LACKS_BOTH, _LACKS_DEVICES, _LACKS_CPU, _WITHOUT, _WITHOUT_LACKS, _REFUSED) = range(6)
"""The order in which the published code adds up its terms; the last digit of a score can hang on it."""

_ROUNDING = 1e-9

Use: TypeAlias = tuple[int, int, float]
"""A kind of work on a node's devices: its term with enough CPU, its term without, and thousandths of no use to it."""


class Fragmentation:
    """How much of what is free on a node is of no use to typical work, in expectation."""

    def __init__(self, kinds: Sequence[Kind], classes: Classes, device_units: int) -> None:
        self._thousandths = MILLI / device_units
        total = math.fsum(kind.weight for kind in kinds)
        if math.isclose(total, 1, rel_tol=_ROUNDING):
            total = 1.0  # Shares as they are: dividing once more would change their last digits.
        self._cpus = sorted({kind.demand.cpu_milli for kind in kinds})
        groups: dict[tuple[int, ...], int] = {}
        self._kinds: list[tuple[float, int, int]] = []
        for kind in kinds:
            group = groups.setdefault((kind.demand.devices, *classes.shares(kind.demand)), len(groups))
            self._kinds.append((kind.weight / total, bisect_right(self._cpus, kind.demand.cpu_milli), group))
        self._groups = list(groups)
        self._uses: dict[Devices, list[Use]] = {}
        self._known: dict[tuple[int, Devices], float] = {}

    def of(self, cpu_milli: int, devices: Devices) -> float:
        """Thousandths of a device that typical work cannot use, of a node with these devices and so much CPU left."""
        key = bisect_right(self._cpus, cpu_milli), devices
        value = self._known.get(key)
        if value is None:
            value = self._known[key] = self._expected(*key)
        return value

    def _expected(self, affordable: int, devices: Devices) -> float:
        """`affordable`: how many of the different CPU requests, from the smallest, the node can meet."""
        everything = sum(units for _, units in devices) * self._thousandths
        uses = self._uses.get(devices)
        if uses is None:
            uses = self._uses[devices] = [self._use(devices, *group) for group in self._groups]
        sums = [0.0] * 6
        for weight, cpu, group in self._kinds:
            with_cpu, without, lost = uses[group]
            if cpu <= affordable:
                sums[with_cpu] += weight * lost
            else:
                sums[without] += weight * everything
        return sum(sums)

    def _use(self, devices: Devices, needed: int, *shares: int) -> Use:
        free = sum(units for _, units in devices)
        if not needed:
            return _WITHOUT, _WITHOUT_LACKS, free * self._thousandths
        if not any(shares[number] for number, _ in devices):
            return _REFUSED, _REFUSED, free * self._thousandths
        able = [units for number, units in devices if 0 < shares[number] <= units]
        if len(able) < needed:
            return _LACKS_DEVICES, _LACKS_BOTH, free * self._thousandths
        return _LACKS_DEVICES, _LACKS_CPU, (free - sum(able)) * self._thousandths


class _State(NamedTuple):
    """All of a node that its score depends on."""

    cpu_milli: int
    devices: Devices


class Fragments:
    """FGD over the state that follows what is being released. Requests for slices go by binpack."""

    spread = False

    def __init__(self, columns: Columns, classes: Classes, kinds: Sequence[Kind]) -> None:
        self.columns = columns
        self.cluster = columns.occupancy.cluster
        self.classes = classes
        self._fullness = Fullness(columns, spread=False)
        self._fragmentation = Fragmentation(kinds, self.classes, self.cluster.scale.device)
        self._scores: dict[int, dict[int, int]] = {}
        self._states: list[_State] = []
        self._numbers: dict[_State, int] = {}
        self._at = [self._read(i) for i in range(len(self.cluster.nodes))]
        self._seen = len(columns.occupancy.changes)

    def epoch(self) -> int:
        log = self.columns.occupancy.changes
        if self._seen < len(log):
            for i in set(log[self._seen :]):
                self._at[i] = self._read(i)
            self._seen = len(log)
        return 0

    def restart(self) -> None:
        """Each score depends on its node alone."""

    def scores(self, demand: Demand, later: bool, nodes: Indices) -> Scores:
        if demand.form == Form.MIG:
            return self._fullness.scores(demand, later, nodes)
        known = self._scores.setdefault(demand.index, {})
        states = [self._at[i] for i in nodes.tolist()]
        new = set(states) - known.keys()
        if new:
            shares = self.classes.shares(demand)
            known.update((state, self._score(self._states[state], demand, shares)) for state in new)
        return np.array([_BEST - known[state] for state in states], dtype=np.int64)

    def device_key(self, i: int, demand: Demand, later: bool) -> DeviceKey:
        alone = self._alone(self._states[self._at[i]], demand, self.classes.shares(demand))
        free = self.columns.occupancy.free
        return lambda d: -alone.get((self.classes.of[d], free(d, later=True)), 0)

    def _read(self, i: int) -> int:
        """The number of the state that node i is in; nodes in one state score alike."""
        occupancy = self.columns.occupancy
        whole = (d for d in self.cluster.spans[i] if self.cluster.sliced[d] is None)
        devices = sorted((self.classes.of[d], max(0, occupancy.free(d, later=True))) for d in whole)
        state = _State(occupancy.cpu[LATER][i], tuple(devices))
        number = self._numbers.setdefault(state, len(self._numbers))
        if number == len(self._states):
            self._states.append(state)
        return number

    def _score(self, state: _State, demand: Demand, shares: Sequence[int]) -> int:
        """Of the demand on a node in this state, where it takes the devices that score best, each by itself."""
        if demand.form == Form.NONE:
            return self._gain(state, demand, state.devices)
        alone = self._alone(state, demand, shares)
        if demand.devices == 1:
            return max(alone.values(), default=0)
        able = [device for device in state.devices if device in alone]
        able.sort(key=lambda device: -alone[device])
        return self._gain(state, demand, _without(state.devices, able[: demand.devices], shares))

    def _alone(self, state: _State, demand: Demand, shares: Sequence[int]) -> dict[Device, int]:
        """The score of taking one device's share, for each kind of device that has it."""
        able = dict.fromkeys(device for device in state.devices if 0 < shares[device[0]] <= device[1])
        return {device: self._gain(state, demand, _without(state.devices, [device], shares)) for device in able}

    def _gain(self, state: _State, demand: Demand, after: Devices) -> int:
        """0 to 100: 50 where fragmentation stays as it is; less where it grows."""
        fragmentation = self._fragmentation
        drop = fragmentation.of(*state) - fragmentation.of(state.cpu_milli - demand.cpu_milli, after)
        return int(_BEST / (1 + math.exp(min(-drop / MILLI, _STEEPEST))))


def _without(devices: Devices, taken: Sequence[Device], shares: Sequence[int]) -> Devices:
    left = list(devices)
    for number, units in taken:
        left.remove((number, units))
        left.append((number, units - shares[number]))
    return tuple(sorted(left))
