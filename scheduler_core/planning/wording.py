"""The sentences of verdicts: one each, with the numbers, that a person can act on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

from scheduler_core.model import MILLI, RESOURCES
from scheduler_core.planning.cluster import Cluster
from scheduler_core.planning.demand import Demand, Form, Scale
from scheduler_core.planning.fit import Fit
from scheduler_core.planning.gangs import GroupNode
from scheduler_core.planning.queues import Blocked, PoolBooks
from scheduler_core.planning.state import Refusal

_UNITS = {"gpu": ("devices", 1), "cpu_milli": ("CPU cores", MILLI), "memory_mib": ("MiB of memory", 1)}
"""How a resource is said, and how many of its amounts make one."""


def number(value: Fraction | float) -> str:
    """At most six digits, no trailing zeros."""
    return f"{float(value):.6g}"


def plural(count: int, noun: str) -> str:
    """ "1 task", "2 tasks"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _share_asked(demand: Demand, scale: Scale) -> str:
    if demand.form == Form.WHOLE:
        return plural(demand.devices, "device")
    if demand.form == Form.PORTION:
        return f"{number(scale.devices(demand.share))} of a device"
    if demand.form == Form.MEMORY:
        return f"{demand.gpu_memory_mib} MiB of device memory"
    if demand.form == Form.MIG:
        return " and ".join(f"{count} x {profile}" for profile, count in demand.mig)
    return host(demand)


def asks(demand: Demand, scale: Scale) -> str:
    """The request as a person would say it: "3 devices", "0.5 of a device on each of 2 devices", "2 x 1g.10gb"."""
    several = f" on each of {demand.devices} devices" if demand.form != Form.WHOLE and demand.devices > 1 else ""
    return _share_asked(demand, scale) + several


def host(demand: Demand) -> str:
    """The part of the request that is not about devices."""
    return f"{cores(demand.cpu_milli)} and {demand.memory_mib} MiB of memory"


def cores(cpu_milli: int) -> str:
    """ "1.5 CPU cores"."""
    return f"{number(Fraction(cpu_milli, MILLI))} CPU cores"


def counted(causes: Mapping[str, int]) -> str:
    """ "3 not ready, 2 tainted dedicated", most frequent first."""
    ranked = sorted(causes.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {cause}" for cause, count in ranked[:4])


def no_place(demand: Demand, found: Fit, scale: Scale) -> str:
    """Why no node takes the demand as things stand."""
    if not found.open_nodes:
        why = counted(found.causes)
        return f"no node may take it: {why}" if why else "its pool has no nodes"
    at = f" ({found.best_node})" if found.best_node else ""
    share = number(scale.devices(found.best))
    if demand.form == Form.WHOLE and found.best < demand.devices:
        return _no_whole(demand, found, at)
    if demand.form == Form.PORTION and found.best < demand.share:
        asked = number(scale.devices(demand.share))
        return f"no device has {asked} free: the largest free share is {share}{at}"
    if demand.form == Form.MEMORY:
        return f"no place for {asks(demand, scale)}: the largest free share is {share}{at}"
    if demand.form == Form.MIG:
        return f"no node has {asks(demand, scale)} free: {found.free} such slices are free in all"
    together = f" with {host(demand)}" if demand.form != Form.NONE and (demand.cpu_milli or demand.memory_mib) else ""
    return f"no node has {asks(demand, scale)}{together} free: {counted(found.causes)}"


def _no_whole(demand: Demand, found: Fit, at: str) -> str:
    if demand.devices == 1:
        return f"no device is free as a whole: something runs on each of the {found.devices}"
    free = f"{found.free} {'is' if found.free == 1 else 'are'} free in all, at most {found.best} on one node{at}"
    return f"asks for {demand.devices} devices on one node: {free}"


def never(demand: Demand, cluster: Cluster, pools: tuple[str, ...]) -> str:
    """Why even the empty cluster would not do, for a demand that no node of the pools could hold."""
    nodes = [i for i, node in enumerate(cluster.nodes) if node.pool in pools]
    if not nodes:
        return f"the pool {' or '.join(pools)} has no nodes: it can never start here"
    refusals = {i: cluster.refusal(i, demand) for i in nodes}
    admitted = [i for i, refusal in refusals.items() if refusal is None]
    if not admitted:
        causes = Counter(refusal for refusal in refusals.values() if refusal is not None)
        return f"no node may take it ({counted(causes)}): it can never start here"
    return f"asks for {_too_much(demand, cluster, admitted)}: it can never start here"


def _too_much(demand: Demand, cluster: Cluster, nodes: list[int]) -> str:
    asked, whole = asks(demand, cluster.scale), cluster.scale.device
    usable = [[d for d in cluster.spans[i] if cluster.usable(d, demand)] for i in nodes]
    if demand.form != Form.NONE and not any(cluster.spans[i] for i in nodes):
        return f"{asked} and there is no device"
    most = max(sum(cluster.share(d, demand) <= whole for d in devices) for devices in usable)
    if demand.form == Form.MIG:
        if not any(usable):
            return f"{asked} and no device is partitioned"
        slices = (
            sum((cluster.sliced[d] or {}).get(p, 0) for d in devices for p, _ in demand.mig) for devices in usable
        )
        return f"{asked} and the largest node has {max(slices)} such slices"
    if demand.form == Form.MEMORY and not most:
        memory = max((cluster.gpu_memory[d] for i in nodes for d in cluster.spans[i]), default=0)
        return f"{asked} and the largest device has {memory}"
    if demand.form != Form.NONE and most < demand.devices:
        kind = "" if demand.form == Form.WHOLE else f" {'device' if most == 1 else 'devices'} that can be shared so"
        there = f"there {'is' if most == 1 else 'are'}" if len(cluster.nodes) == 1 else "the largest node has"
        return f"{asked} and {there} {most}{kind}"
    cpu, memory = (max(getattr(cluster.nodes[i], field) for i in nodes) for field in ("cpu_milli", "memory_mib"))
    with_devices = f"{asked} with " if demand.form != Form.NONE else ""
    return f"{with_devices}{host(demand)}, more than any node has: the most is {cores(cpu)} and {memory} MiB"


def blocked(cause: Blocked) -> str:
    """A limit or quota in the way."""
    unit, size = _UNITS[cause.resource]
    more, held, bound = (number(amount / size) for amount in (cause.requested, cause.allocated, cause.bound))
    kind = " for non-preemptible work" if cause.rule == "quota" else ""
    return f"asks for {more} {unit} more, and queue {cause.queue} holds {held}{kind} of its {cause.rule} of {bound}"


def beyond_share(books: PoolBooks, queue: str, resource: int, wanted: int) -> str:
    """What the queue holds of its fair share, which the request would exceed."""
    unit, size = _UNITS[RESOURCES[resource]]
    held, share = books.plain(resource, books.allocated[queue][resource]), books.fair[queue][resource]
    asked = "" if resource == 0 else f" and asks for {number(books.plain(resource, wanted) / size)} more"
    of = "" if resource == 0 else f" {unit}"
    return f"queue {queue} holds {number(held / size)} of its fair share of {number(share / size)}{of}{asked}"


def refused(refusal: Refusal) -> str:
    """Why an action made no room; empty where there is nothing to add."""
    if refusal.protected:
        return f"all work that {refusal.action} could take is protected by its minimum runtime"
    if refusal.missing is not None and refusal.within_reach is not None:
        reach, missing = number(refusal.within_reach), number(refusal.missing)
        return f"{refusal.action} can bring together {reach} devices, {missing} short"
    if refusal.gave_up and refusal.action == "consolidate":
        return "moving running work was tried and does not make room"
    return f"{refusal.action} found no set of victims that its rules allow" if refusal.gave_up else ""


def incomplete(group: GroupNode, gated: bool) -> str:
    """What a group lacks: tasks that are not there, or that are gated."""
    present = group.active + len(group.waiting)
    if gated and group.gated:
        return f"group {group.name} has {present} of {group.min_members} tasks, {group.gated} more are gated"
    if present < group.min_members:
        return f"group {group.name} has {present} of the {group.min_members} tasks it needs to start"
    able = sum(child.reachable() for child in group.children)
    return f"group {group.name} has {able} of the {group.subgroups_needed} complete subgroups it needs to start"


def where(cluster: Cluster, nodes: list[int]) -> str:
    """Node names, shortened after three."""
    names = sorted({cluster.nodes[i].name for i in nodes})
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
