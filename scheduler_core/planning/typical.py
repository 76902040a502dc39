"""The typical work of a cluster: the mix of requests that fragmentation is measured against.

Given in `config.typical`, or else taken from the snapshot's running and pending tasks as the authors of FGD do
(Weng et al., USENIX ATC 2023): requests that are alike in all but memory form a kind; the most frequent kinds that make
up 95 % of the tasks are kept. Requests for slices are left out, for they compete for no other work's devices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.model import Snapshot, Task, TaskRequest
from scheduler_core.planning.cluster import Cluster
from scheduler_core.planning.demand import Demand, Demands, Form

_KEPT_PERCENT = 95
_COUNTED = ("running", "pending")


class Kind(Struct, frozen=True):
    """One kind of typical work; `weight` is its share of all tasks, in any unit.

    `units` is what a task takes of devices, where it takes most; 0 for none, or where no device is of use to it. Of the
    demand, `index`, `most` and `least` mean nothing here.
    """

    demand: Demand
    weight: float
    units: int


class Classes:
    """Devices that no request tells apart, by number: of one model and memory, shared or not, partitioned or not."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.models = frozenset(gpu.model for gpu in cluster.gpus)
        numbers: dict[object, int] = {}
        self.of: list[int] = []
        self.examples: list[int] = []
        for d, gpu in enumerate(cluster.gpus):
            number = numbers.setdefault((gpu.model, gpu.memory_mib, gpu.shareable, gpu.mig is None), len(numbers))
            self.of.append(number)
            if number == len(self.examples):
                self.examples.append(d)

    def shares(self, demand: Demand) -> list[int]:
        """Units that the demand takes of a device of each class; 0 where the class is of no use to it."""
        shares = [self.cluster.share(d, demand) if self.cluster.usable(d, demand) else 0 for d in self.examples]
        return [share if share <= self.cluster.scale.device else 0 for share in shares]

    def plain(self, demand: Demand) -> Demand:
        """The same demand without its models where these are all that there are."""
        return replace(demand, models=None) if demand.models is not None and demand.models >= self.models else demand


def look(demand: Demand) -> tuple[object, ...]:
    """What makes two demands the same kind of work: everything but host memory and rules of nodes."""
    return demand.cpu_milli, demand.form, demand.share, demand.devices, demand.gpu_memory_mib, demand.models


def typical_kinds(snapshot: Snapshot, classes: Classes) -> list[Kind]:
    """The kinds, most frequent first; each look occurs once."""
    demands = Demands(classes.cluster.scale)
    given = snapshot.config.typical
    if given is None:
        return _kept(classes, _counted(snapshot, demands))
    weights: dict[tuple[object, ...], float] = {}
    looks: dict[tuple[object, ...], Demand] = {}
    for each in given:
        demand = classes.plain(demands.of(Task(id="typical", request=_of_models(each.request, each.models))))
        weights[look(demand)] = weights.get(look(demand), 0.0) + each.weight
        looks.setdefault(look(demand), demand)
    kinds = (_kind(classes, looks[key], weight) for key, weight in weights.items() if weight)
    return sorted((kind for kind in kinds if kind.demand.form != Form.MIG), key=_frequency, reverse=True)


def _of_models(request: TaskRequest, models: tuple[str, ...] | None) -> TaskRequest:
    return request if models is None else replace(request, models=models)


def _counted(snapshot: Snapshot, demands: Demands) -> dict[tuple[object, ...], list[Demand]]:
    """The demands of all tasks that run or wait, those of one look together."""
    alike: dict[tuple[object, ...], list[Demand]] = {}
    for workload in snapshot.workloads:
        for task in workload.tasks:
            if task.state in _COUNTED:
                demand = demands.of(task)
                alike.setdefault(look(demand), []).append(demand)
    return alike


def _kept(classes: Classes, alike: Mapping[tuple[object, ...], Sequence[Demand]]) -> list[Kind]:
    """The most frequent kinds, whose memory is the mean of their tasks'."""
    tasks = sum(map(len, alike.values()))
    kinds = []
    for demands in alike.values():
        memory = -(-sum(demand.memory_mib for demand in demands) // len(demands))
        kinds.append(_kind(classes, replace(demands[0], memory_mib=memory), len(demands)))
    kinds.sort(key=_frequency, reverse=True)
    before = accumulate((int(kind.weight) for kind in kinds), initial=0)
    kept = [kind for kind, covered in zip(kinds, before, strict=False) if 100 * covered < _KEPT_PERCENT * tasks]
    part = sum(int(kind.weight) for kind in kept) / tasks if tasks else 1.0
    # The published code rounds twice, and a score can hang on the last digit.
    shares = [replace(kind, weight=(kind.weight / tasks) / part) for kind in kept]
    return [kind for kind in shares if kind.demand.form != Form.MIG]


def _kind(classes: Classes, demand: Demand, weight: float) -> Kind:
    units = demand.devices * max(classes.shares(demand), default=0)
    return Kind(demand, weight, units)


def _frequency(kind: Kind) -> tuple[object, ...]:
    """Frequent first; ties, as published, by CPU, share, devices and models."""
    demand = kind.demand
    models = "|".join(sorted(demand.models or ()))
    per_device = kind.units // max(1, demand.devices)
    return kind.weight, demand.cpu_milli, per_device, demand.devices, models, demand.form, demand.gpu_memory_mib
