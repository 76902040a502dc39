"""What the types cannot say about a snapshot: unique names, trees without rings, references that exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scheduler_core.model import PlannedWorkload, Snapshot
from scheduler_core.planning.demand import mig_devices
from scheduler_core.planning.errors import BadSnapshot


def validate(snapshot: Snapshot) -> None:
    """Refuse a snapshot that contradicts itself.

    Raises:
        BadSnapshot: with the path of the field.
    """
    _unique(((node.name, f"$.nodes[{n}].name") for n, node in enumerate(snapshot.nodes)), "node")
    _unique(((queue.name, f"$.queues[{n}].name") for n, queue in enumerate(snapshot.queues)), "queue")
    _unique(((work.id, f"$.workloads[{n}].id") for n, work in enumerate(snapshot.workloads)), "workload")
    _unique(
        (
            (gpu.id, f"$.nodes[{n}].gpus[{g}].id")
            for n, node in enumerate(snapshot.nodes)
            for g, gpu in enumerate(node.gpus)
        ),
        "device",
    )
    _unique(
        (
            (task.id, f"$.workloads[{n}].tasks[{t}].id")
            for n, work in enumerate(snapshot.workloads)
            for t, task in enumerate(work.tasks)
        ),
        "task",
    )
    parents = {queue.name: queue.parent for queue in snapshot.queues}
    for n, queue in enumerate(snapshot.queues):
        if _in_ring(queue.name, parents):
            raise BadSnapshot(f"queue {queue.name} is its own ancestor", f"$.queues[{n}].parent")
    _profiles(snapshot)
    for n, workload in enumerate(snapshot.workloads):
        _groups(workload, f"$.workloads[{n}]")


def _unique(names: Iterable[tuple[str, str]], noun: str) -> None:
    seen: set[str] = set()
    for name, path in names:
        if name in seen:
            raise BadSnapshot(f"there are two {noun}s {name!r}", path)
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
            names = [piece.profile for piece in gpu.mig or ()]
            path = f"$.nodes[{n}].gpus[{g}].mig"
            _unique(((name, f"{path}[{m}].profile") for m, name in enumerate(names)), "profile")
            for m, name in enumerate(names):
                _profile(name, f"{path}[{m}].profile")
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
        _unique(((group.name, f"{path}.groups[{n}].name") for n, group in enumerate(workload.groups)), "group")
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
