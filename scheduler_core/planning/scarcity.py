"""How far the typical work that asks for models would use up each of them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from scheduler_core.planning.bundles import Models
from scheduler_core.planning.cluster import Cluster
from scheduler_core.planning.typical import Kind

MOST_SCARCE = 15
"""In tenths: the work that asks for the model would fill it one and a half times."""

_TENTHS = 10
_TASKS_PER_PLACE = 32


def counts(kinds: Sequence[Kind], units: int, places: int) -> list[int]:
    """How many tasks of each kind, rounded to the largest remainders, ask together for so many units of devices.

    No more than a few for each of the `places` (nodes and devices): packing very small work any finer gains nothing.
    """
    # What no device is of use to is not packed.
    weights = [Fraction(kind.weight if kind.units or not kind.demand.devices else 0) for kind in kinds]
    asked = sum((w * kind.units for w, kind in zip(weights, kinds, strict=True)), Fraction())
    if not asked:
        return [0] * len(kinds)
    scale = min(units / asked, _TASKS_PER_PLACE * places / sum(weights))
    exact = [w * scale for w in weights]
    whole = [int(n) for n in exact]
    by_remainder = sorted(range(len(kinds)), key=lambda k: (whole[k] - exact[k], k))
    for k in by_remainder[: int(sum(exact)) - sum(whole)]:
        whole[k] += 1
    return whole


def capacities(cluster: Cluster, units: Sequence[int], kinds: Sequence[Kind]) -> dict[Models, int]:
    """Units on devices of each set of models that the kinds ask for; None: on all."""
    by_model: dict[str, int] = {}
    for gpu, free in zip(cluster.gpus, units, strict=True):
        by_model[gpu.model] = by_model.get(gpu.model, 0) + free
    asked: set[Models] = {kind.demand.models for kind in kinds} | {None}
    return {models: sum(by_model[m] for m in by_model if models is None or m in models) for models in asked}


def scarcity(cluster: Cluster, units: Sequence[int], kinds: Sequence[Kind], tasks: Sequence[int]) -> list[int]:
    """Of each node's scarcest model, in tenths of its units, what these tasks would take; 0: asked for by none.

    Work that takes several models is spread over them by what narrower work leaves.
    """
    room = capacities(cluster, units, kinds)
    left: dict[str, int] = {}
    for gpu, free in zip(cluster.gpus, units, strict=True):
        left[gpu.model] = left.get(gpu.model, 0) + free
    whole = dict(left)
    wanted: dict[frozenset[str], int] = {}
    for kind, count in zip(kinds, tasks, strict=True):
        if kind.demand.models is not None:
            wanted[kind.demand.models] = wanted.get(kind.demand.models, 0) + count * kind.units
    for models in sorted(wanted, key=lambda models: (room[models], sorted(models))):
        open_ = {model: max(0, left[model]) for model in sorted(models) if model in left}
        for model, free in open_.items():
            left[model] -= wanted[models] * free // max(1, sum(open_.values()))
    tenths = {m: min(MOST_SCARCE, (units - left[m]) * _TENTHS // max(1, units)) for m, units in whole.items()}
    return [max((tenths[cluster.gpus[d].model] for d in span), default=0) for span in cluster.spans]
