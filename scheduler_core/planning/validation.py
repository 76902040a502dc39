"""What the types cannot say about a snapshot: unique names, trees without rings, references that exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scheduler_core.model import PlannedWorkload, Snapshot, Task
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
    tasks = [task for work in works for task in work.tasks]
    if _repeats([gpu.id for node in nodes for gpu in node.gpus]):
        _refuse_twins([[gpu.id for gpu in node.gpus] for node in nodes], "device", "$.nodes[{}].gpus[{}].id")
    if _repeats([task.id for task in tasks]):
        _refuse_twins([[task.id for task in work.tasks] for work in works], "task", "$.workloads[{}].tasks[{}].id")
    parents = {queue.name: queue.parent for queue in snapshot.queues}
    for n, queue in enumerate(snapshot.queues):
        if _in_ring(queue.name, parents):
            raise BadSnapshot(f"queue {queue.name} is its own ancestor", f"$.queues[{n}].parent")
    _profiles(snapshot, tasks)
    if {task.group for task in tasks} - {"default"} or any(work.groups is not None for work in works):
        for n, workload in enumerate(works):
            _groups(workload, f"$.workloads[{n}]")


def _repeats(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)


def _unique(names: Sequence[str], noun: str, path: str) -> None:
    if not _repeats(names):
        return
    seen: set[str] = set()
    for n, name in enumerate(names):
        if name in seen:
            raise BadSnapshot(f"there are two {noun}s {name!r}", path.format(n))
        seen.add(name)


def _refuse_twins(names: Sequence[Sequence[str]], noun: str, path: str) -> None:
    """Refuse the first name that stands twice in one of the lists, or in two of them."""
    seen: set[str] = set()
    for n, inner in enumerate(names):
        for k, name in enumerate(inner):
            if name in seen:
                raise BadSnapshot(f"there are two {noun}s {name!r}", path.format(n, k))
            seen.add(name)


def _in_ring(name: str, parents: Mapping[str, str | None]) -> bool:
    at = parents.get(name)
    # A walk that is longer than the tree has met some ring, whether or not `name` is part of it.
    for _ in parents:
        if at is None or at == name:
            break
        at = parents.get(at)
    return at == name


def _profiles(snapshot: Snapshot, tasks: Sequence[Task]) -> None:
    for n, node in enumerate(snapshot.nodes):
        for g, gpu in enumerate(node.gpus):
            if gpu.mig:
                names = [piece.profile for piece in gpu.mig]
                path = f"$.nodes[{n}].gpus[{g}].mig[{{}}].profile"
                _unique(names, "profile", path)
                for m, name in enumerate(names):
                    _profile(name, path.format(m))
    if any(task.request.mig for task in tasks):
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
