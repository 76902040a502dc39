"""Why one demand finds no place in a pool: nodes ruled out by cause, and what is free, in numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np
from msgspec import Struct

from scheduler_core.model import VerdictCode
from scheduler_core.planning.cluster import Mask
from scheduler_core.planning.columns import Column, Columns
from scheduler_core.planning.demand import Demand, Form
from scheduler_core.planning.placement import NO_FIT, Placer


class Fit(Struct, frozen=True):
    """What a pool offers a demand: devices of its kind on ready nodes whose rules let it in.

    `free_units` counts every free share of them, `free_whole` whole ones. `best` is the most there is in one place:
    whole devices of a node, units of a device, slices of a node, thousandths of a core; it is at `best_node`, and
    `free` is the sum over all places. `devices_fit`: some node would do but for CPU, memory or task slots.
    """

    causes: dict[str, int]
    open_nodes: int
    devices: int
    free_units: int
    free_whole: int
    free: int
    best: int
    best_node: str
    devices_fit: bool
    fits: bool


def fit(placer: Placer, demand: Demand, pool: str) -> Fit:
    """Look at every node of the pool as things stand."""
    columns, cluster = placer.columns, placer.cluster
    columns.sync()
    in_pool = cluster.in_pool(pool)
    inside = in_pool & cluster.ready() & cluster.admits(demand)
    fitting = inside & (placer.scores(demand) < NO_FIT)
    usable = columns.large_enough(demand) & inside[columns.node_of]
    amounts = np.where(inside, _by_node(columns, demand, usable), 0)
    per_device = demand.form in (Form.PORTION, Form.MEMORY)
    places = np.where(usable, np.maximum(columns.free[0], 0), 0) if per_device else amounts
    at = int(places.argmax()) if len(places) else 0
    best = int(places[at]) if len(places) else 0
    node = columns.node_of[at] if per_device and len(places) else at
    if demand.form == Form.MIG:
        devices_fit = bool(fitting.any())
    else:
        devices_fit = bool((columns.count(columns.fitting(demand, later=False) & usable) >= demand.devices).any())
    return Fit(
        causes=_causes(placer, demand, in_pool, inside, fitting),
        open_nodes=int(inside.sum()),
        devices=int(usable.sum()),
        free_units=int(np.where(usable, np.maximum(columns.free[0], 0), 0).sum()),
        free_whole=int(np.where(inside, columns.idle[0], 0).sum()),
        free=int(places.sum()),
        best=best,
        best_node=cluster.nodes[int(node)].name if inside.any() and len(places) else "",
        devices_fit=devices_fit,
        fits=bool(fitting.any()),
    )


def shortage_code(found: Fit, demand: Demand) -> VerdictCode:
    """`fragmented` where what is free would be enough were it in one place."""
    if demand.form == Form.MIG:
        enough = found.free >= sum(count for _, count in demand.mig)
    elif demand.form == Form.NONE:
        enough = found.free >= demand.cpu_milli > found.best
    else:
        enough = found.free_units >= demand.least[0] and not found.devices_fit
    return "fragmented" if enough and "no task slot left" not in found.causes else "no_node_fits"


def _by_node(columns: Columns, demand: Demand, usable: Mask) -> Column:
    """What each node has free of what is asked for."""
    if demand.form == Form.NONE:
        return np.asarray(np.maximum(columns.cpu[0], 0))
    if demand.form == Form.MIG:
        slices = np.zeros(len(columns.first), dtype=np.int64)
        for d in np.flatnonzero(usable).tolist():
            free = (columns.occupancy.free_slices(d, profile, later=False) for profile, _ in demand.mig)
            slices[columns.node_of[d]] += sum(max(0, count) for count in free)
        return slices
    idle = np.asarray(columns.free[0] == columns.occupancy.cluster.scale.device, dtype=np.bool_)
    return columns.count(usable & idle)


def _causes(placer: Placer, demand: Demand, in_pool: Mask, inside: Mask, fitting: Mask) -> dict[str, int]:
    """How many nodes of the pool are out, each by its first cause."""
    columns, cluster = placer.columns, placer.cluster
    causes = Counter[str]()
    for i in np.flatnonzero(in_pool & ~inside).tolist():
        causes["not ready" if not cluster.nodes[i].ready else cluster.refusal(i, demand) or ""] += 1
    left = inside & ~fitting
    without = columns.last == columns.first
    shortages = [*columns.host_shortages(demand, later=False), ("no devices", without)]
    for cause, short in [*shortages, ("not enough free on its devices", ~without)]:
        causes[cause] += int((left & short).sum())
        left = left & ~short
    return {cause: count for cause, count in sorted(causes.items()) if count}
