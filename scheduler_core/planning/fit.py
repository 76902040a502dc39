"""Why one demand finds no place in a pool: nodes ruled out by cause, and what is free, in numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np
from msgspec import Struct

from scheduler_core.model import VerdictCode
from scheduler_core.planning.demand import Demand, Form
from scheduler_core.planning.occupancy import Occupancy
from scheduler_core.planning.placement import NO_FIT, Placer


class Fit(Struct, frozen=True):
    """What a pool offers a demand. Amounts are of devices of its kind on ready nodes that may take it.

    `free_units` counts every free share; `best` is the most that one node has of what is asked for (whole devices,
    units of one device, slices, thousandths of a core), at `best_node`; `free` is the sum of the same over nodes.
    """

    causes: dict[str, int]
    open_nodes: int
    devices: int
    free_units: int
    free_whole: int
    free: int
    best: int
    best_node: str
    fits: bool


def fit(placer: Placer, demand: Demand, pool: str) -> Fit:
    """Look at every node of the pool as things stand."""
    occupancy = placer.occupancy
    cluster = occupancy.cluster
    causes: Counter[str] = Counter()
    open_nodes = devices = free_units = free_whole = free = 0
    best, best_node, fits = -1, "", False
    for i in np.flatnonzero(cluster.in_pool(pool)).tolist():
        refusal = "not ready" if not cluster.nodes[i].ready else cluster.refusal(i, demand)
        if refusal is not None:
            causes[refusal] += 1
            continue
        open_nodes += 1
        usable = [d for d in cluster.spans[i] if cluster.usable(d, demand)]
        devices += len(usable)
        free_whole += occupancy.idle_devices(i, later=False)
        free_units += occupancy.free_units(i, later=False)
        amount = _amount(occupancy, i, usable, demand)
        free += amount
        if amount > best:
            best, best_node = amount, cluster.nodes[i].name
        if placer.score(i, demand, later=False) < NO_FIT:
            fits = True
        else:
            causes[_shortage(occupancy, i, demand)] += 1
    return Fit(
        causes=dict(sorted(causes.items())),
        open_nodes=open_nodes,
        devices=devices,
        free_units=free_units,
        free_whole=free_whole,
        free=free,
        best=max(best, 0),
        best_node=best_node,
        fits=fits,
    )


def shortage_code(found: Fit, demand: Demand) -> VerdictCode:
    """`fragmented` where what is free would be enough were it in one place."""
    if demand.form == Form.MIG:
        enough = found.free >= sum(count for _, count in demand.mig)
    elif demand.form == Form.NONE:
        enough = found.free >= demand.cpu_milli > found.best
    else:
        enough = found.free_units >= demand.least[0]
    return "fragmented" if enough and "no task slot left" not in found.causes else "no_node_fits"


def _amount(occupancy: Occupancy, i: int, usable: list[int], demand: Demand) -> int:
    if demand.form == Form.NONE:
        return max(0, min(cpu[i] for cpu in occupancy.cpu))
    if demand.form == Form.MIG:
        return sum(max(0, occupancy.free_slices(d, p, later=False)) for d in usable for p, _ in demand.mig)
    free = [occupancy.free(d, later=False) for d in usable]
    if demand.form == Form.WHOLE:
        return sum(units == occupancy.cluster.scale.device for units in free)
    return max(0, max(free, default=0))


def _shortage(occupancy: Occupancy, i: int, demand: Demand) -> str:
    if min(slots[i] for slots in occupancy.slots) < 1:
        return "no task slot left"
    if demand.cpu_milli and min(cpu[i] for cpu in occupancy.cpu) < demand.cpu_milli:
        return "not enough CPU free"
    if demand.memory_mib and min(memory[i] for memory in occupancy.memory) < demand.memory_mib:
        return "not enough memory free"
    return "not enough free on its devices" if occupancy.cluster.spans[i] else "no devices"
