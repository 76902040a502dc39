"""What the types cannot say about a snapshot: unique names, trees without rings, references that exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scheduler_core.model import PlannedWorkload, Snapshot
from scheduler_core.planning.demand import mig_devices
from scheduler_core.planning.errors import BadSnapshot


def validate(snapshot: Snapshot) -> None:
    """Refuse a snapshot that contradicts itself.

    Raises:
        BadSnapshot: with the path of the field.
    """
    nodes, works = snapshot.nodes, snapshot.workloads
    _unique([node.name for node in nodes], "node", "$.nodes[{}].name")
    _unique([queue.name for queue in snapshot.queues], "queue", "$.queues[{}].name")
    _unique([work.id for work in works], "workload", "$.workloads[{}].id")
    _unique_inside([[gpu.id for gpu in node.gpus] for node in nodes], "device", "$.nodes[{}].gpus[{}].id")
    _unique_inside([[task.id for task in work.tasks] for work in works], "task", "$.workloads[{}].tasks[{}].id")
    parents = {queue.name: queue.parent for queue in snapshot.queues}
    for n, queue in enumerate(snapshot.queues):
        if _in_ring(queue.name, parents):
            raise BadSnapshot(f"queue {queue.name} is its own ancestor", f"$.queues[{n}].parent")
    _profiles(snapshot)
    grouped = any(workload.groups is not None for workload in works)
    if grouped or any(task.group != "default" for workload in works for task in workload.tasks):
        for n, workload in enumerate(works):
            _groups(workload, f"$.workloads[{n}]")


def _unique(names: Sequence[str], noun: str, path: str) -> None:
    if len(set(names)) == len(names):
        return
    seen: set[str] = set()
    for n, name in enumerate(names):
        if name in seen:
            raise BadSnapshot(f"there are two {noun}s {name!r}", path.format(n))
        seen.add(name)


def _unique_inside(names: Sequence[Sequence[str]], noun: str, path: str) -> None:
    """No name stands twice in any of the lists, nor in two of them."""
    flat = [name for inner in names for name in inner]
    if len(set(flat)) == len(flat):
        return
    places = [(n, k) for n, inner in enumerate(names) for k in range(len(inner))]
    seen: set[str] = set()
    for name, place in zip(flat, places, strict=True):
        if name in seen:
            raise BadSnapshot(f"there are two {noun}s {name!r}", path.format(*place))
        seen.add(name)


def _in_ring(name: str, parents: Mapping[str, str | None]) -> bool:
    at = parents.get(name)
    # A walk that is longer than the tree has met some ring, whether or not `name` is part of it.
    for _ in parents:
        if at is None or at == name:
            break
        at = parents.get(at)
    return at == name


def _profiles(snapshot: Snapshot) -> None:
    for n, node in enumerate(snapshot.nodes):
        for g, gpu in enumerate(node.gpus):
            if gpu.mig:
                names = [piece.profile for piece in gpu.mig]
                path = f"$.nodes[{n}].gpus[{g}].mig[{{}}].profile"
                _unique(names, "profile", path)
                for m, name in enumerate(names):
                    _profile(name, path.format(m))
    if any(task.request.mig for workload in snapshot.workloads for task in workload.tasks):
        for n, workload in enumerate(snapshot.workloads):
            for t, task in enumerate(workload.tasks):
                for name in task.request.mig:
                    _profile(name, f"$.workloads[{n}].tasks[{t}].request.mig")


def _profile(name: str, path: str) -> None:
    try:
        mig_devices(name)
    except ValueError as error:
        raise BadSnapshot(str(error), path) from None


def _groups(workload: PlannedWorkload, path: str) -> None:
    if workload.groups is None:
        names = {"default"}
    else:
        _unique([group.name for group in workload.groups], "group", f"{path}.groups[{{}}].name")
        parents = {group.name: group.parent for group in workload.groups}
        names = set(parents)
        for n, group in enumerate(workload.groups):
            if group.parent is not None and group.parent not in names:
                raise BadSnapshot(f"there is no group {group.parent!r} in the workload", f"{path}.groups[{n}].parent")
            if _in_ring(group.name, parents):
                raise BadSnapshot(f"group {group.name} is its own ancestor", f"{path}.groups[{n}].parent")
    for t, task in enumerate(workload.tasks):
        if task.group not in names:
            raise BadSnapshot(f"there is no group {task.group!r} in the workload", f"{path}.tasks[{t}].group")
