"""Domains of nodes that share a label's value, and the order in which a gang tries them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from scheduler_core.model import Topology
from scheduler_core.planning.cluster import Cluster, Mask
from scheduler_core.planning.occupancy import Occupancy


def domains(cluster: Cluster, label: str, within: Mask) -> dict[str, Mask]:
    """The nodes of each value of the label; nodes without it are in none."""
    members: dict[str, list[int]] = {}
    for i in np.flatnonzero(within).tolist():
        value = cluster.nodes[i].labels.get(label)
        if value is not None:
            members.setdefault(value, []).append(i)
    result: dict[str, Mask] = {}
    for value in sorted(members):
        mask: Mask = np.zeros(len(cluster.nodes), dtype=np.bool_)
        mask[members[value]] = True
        result[value] = mask
    return result


def options(
    occupancy: Occupancy, topology: Topology | None, within: Sequence[Mask], held: Collection[int], later: bool
) -> Iterator[list[Mask]]:
    """Sets of nodes to try one after the other; each is a list of masks, best part first.

    The preferred level is tried first, then wider ones up to the required one, or to everything. Of one level the
    domain with the least free goes first; inside it the preferred sub-domains with the most free. `held` are nodes on
    which tasks of the gang run: new ones join their domain.
    """
    if topology is None or (topology.required is None and topology.preferred is None):
        yield list(within)
        return
    cluster = occupancy.cluster
    scope: Mask = np.logical_or.reduce(within)
    free = {i: occupancy.free_units(i, later) for i in np.flatnonzero(scope).tolist()}
    outer = [scope] if topology.required is None else _joined(cluster, topology.required, [scope], held)
    for label in _levels(topology):
        masks = outer if label == topology.required else _joined(cluster, label, outer, held)
        for mask in sorted(masks, key=lambda mask: _packing(cluster, topology, label, mask, scope, free)):
            yield _parts(cluster, topology, label, mask, free)
    if topology.required is None:
        yield _parts(cluster, topology, "", scope, free) if len(within) == 1 else list(within)


def _packing(
    cluster: Cluster, topology: Topology, label: str, mask: Mask, scope: Mask, free: dict[int, int]
) -> list[int]:
    """Least free first, the outermost level before inner ones: a small rack in a large zone waits for large work."""
    levels = list(topology.levels)
    outside = levels[: levels.index(label)] if label in levels else []
    home = int(np.flatnonzero(mask)[0])
    labels = cluster.nodes[home].labels
    return [
        *(_sum(domains(cluster, each, scope).get(labels.get(each, ""), mask), free) for each in outside),
        _sum(mask, free),
    ]


def _levels(topology: Topology) -> list[str]:
    """Labels to try, innermost first: from the preferred one out to the required one, both included."""
    inner = topology.preferred or topology.required
    outer = topology.required
    known = list(topology.levels)
    if inner in known and (outer is None or outer in known):
        first = 0 if outer is None else known.index(outer)
        between = known[first : known.index(inner) + 1]
        if between:
            return between[::-1]
    return [label for label in dict.fromkeys((inner, outer)) if label is not None]


def _joined(cluster: Cluster, label: str, within: Sequence[Mask], held: Collection[int]) -> list[Mask]:
    """Domains of the label inside each of the masks, by value; only those where tasks run, if any do."""
    homes = {cluster.nodes[i].labels.get(label) for i in held}
    found = (item for mask in within for item in domains(cluster, label, mask).items())
    return [mask for value, mask in found if not held or value in homes]


def _parts(cluster: Cluster, topology: Topology, label: str, mask: Mask, free: dict[int, int]) -> list[Mask]:
    if topology.preferred is None or topology.preferred == label:
        return [mask]
    inner = domains(cluster, topology.preferred, mask)
    ranked = sorted(inner, key=lambda value: (-_sum(inner[value], free), value))
    return [*(inner[value] for value in ranked), mask]


def _sum(mask: Mask, free: dict[int, int]) -> int:
    return sum(free[i] for i in np.flatnonzero(mask).tolist())
