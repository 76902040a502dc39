"""Placements one by one: the task, the node that may take it, and the form of its devices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from scheduler_core.model import Bind, Gpu, Node, Taint, Task, Toleration
from scheduler_core.planning.check_state import Spot, State, Violation, devices_asked, whole_and_milli

_HARD_TAINTS = ("NoSchedule", "NoExecute")


def check_placements(state: State) -> Iterator[Violation]:
    """Each bind and nomination by itself: real, of one task, on a node and devices that may take it."""
    yield from _references(state)
    for bind in (*state.bound.values(), *state.nominated.values()):
        yield from _queue(state, bind)
        spot = state.spot(bind)
        if spot is None:
            yield Violation("unknown_node", bind.task, f"Node {bind.node} is not in the snapshot.")
            continue
        yield from _node(spot)
        yield from _devices(state, bind, spot)


def _references(state: State) -> Iterator[Violation]:
    """The task of each entry exists, waits (or is evicted) and is placed once."""
    plan = state.plan
    for bind in plan.binds:
        yield from _task_state(state, bind, may_be_victim=False)
    for nomination in plan.nominations:
        yield from _task_state(state, nomination, may_be_victim=True)
    counts = Counter(bind.task for bind in (*plan.binds, *plan.nominations))
    for task_id, count in counts.items():
        if count > 1:
            yield Violation("task_twice", task_id, f"Task {task_id} is placed {count} times.")


def _task_state(state: State, bind: Bind, *, may_be_victim: bool) -> Iterator[Violation]:
    known = state.tasks.get(bind.task)
    if known is None:
        yield Violation("unknown_task", bind.task, f"Task {bind.task} is not in the snapshot.")
        return
    task_state = known[0].state
    if task_state != "pending" and not (may_be_victim and bind.task in state.evictions):
        kind = "nominated" if may_be_victim else "bound"
        yield Violation("task_state", bind.task, f"Task {bind.task} is {kind} although it is {task_state}.")


def _queue(state: State, bind: Bind) -> Iterator[Violation]:
    name = state.tasks[bind.task][1].queue
    if state.path(name) is None:
        yield Violation("queue", bind.task, f"Queue {name} of task {bind.task}, or one above it, does not exist.")
    elif name in state.parents:
        yield Violation("queue", bind.task, f"Queue {name} of task {bind.task} has children; only leaves run work.")


def _node(spot: Spot) -> Iterator[Violation]:
    task, node = spot.task, spot.node
    if not node.ready:
        yield Violation("not_ready", task.id, f"Node {node.name} is not ready and takes nothing new.")
    if task.node_names is not None and node.name not in task.node_names:
        yield Violation("node_names", task.id, f"Node {node.name} is not one of the {len(task.node_names)} named.")
    for key, value in task.node_selector.items():
        if node.labels.get(key) != value:
            message = f"Node {node.name} has {key}={node.labels.get(key)}, the selector asks for {value}."
            yield Violation("selector", task.id, message)
    for taint in node.taints:
        if taint.effect in _HARD_TAINTS and not any(_tolerates(t, taint) for t in task.tolerations):
            message = f"Taint {taint.key}={taint.value}:{taint.effect} of node {node.name} is not tolerated."
            yield Violation("taint", task.id, message)
    if node.pool not in spot.workload.pools:
        message = f"Node {node.name} is in pool {node.pool}, the workload may use {', '.join(spot.workload.pools)}."
        yield Violation("pool", task.id, message)


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect not in ("", taint.effect):
        return False
    if toleration.operator == "Exists":
        return toleration.key in ("", taint.key)
    return (toleration.key, toleration.value) == (taint.key, taint.value)


def _devices(state: State, bind: Bind, spot: Spot) -> Iterator[Violation]:
    """As many different devices, or slices, of that node as the request asks for, each of a form that serves it."""
    request, node = spot.task.request, spot.node
    for name in sorted({*bind.gpu_ids, *(piece.gpu for piece in bind.mig_slices)}):
        if state.device_on(node, name) is None:
            yield Violation("unknown_device", bind.task, f"Device {name} is not on node {node.name}.")
    asked = devices_asked(request)
    if len(set(bind.gpu_ids)) != len(bind.gpu_ids) or len(bind.gpu_ids) != asked:
        distinct = len(set(bind.gpu_ids))
        message = f"Task {bind.task} asks for {asked} different devices and gets {distinct} in {len(bind.gpu_ids)} ids."
        yield Violation("devices", bind.task, message)
    given = Counter(piece.profile for piece in bind.mig_slices)
    if given != Counter(request.mig):
        message = f"Task {bind.task} asks for slices {dict(request.mig)} and gets {dict(given)}."
        yield Violation("slices", bind.task, message)
    for gpu in spot.gpus:
        yield from _device_form(spot.task, node, gpu)
    yield from _models(state, spot)


def _device_form(task: Task, node: Node, gpu: Gpu) -> Iterator[Violation]:
    request = task.request
    shared = bool(whole_and_milli(request)[1] or request.gpu_memory_mib)
    if gpu.mig is not None:
        message = f"Device {gpu.id} of node {node.name} is partitioned and serves slices only."
        yield Violation("device_form", task.id, message)
    if shared and not gpu.shareable:
        yield Violation("device_form", task.id, f"Device {gpu.id} of node {node.name} is not shareable.")
    if request.gpu_memory_mib and not gpu.memory_mib:
        message = f"Device {gpu.id} has unknown memory, the request is {request.gpu_memory_mib} MiB."
        yield Violation("device_form", task.id, message)


def _models(state: State, spot: Spot) -> Iterator[Violation]:
    models = spot.task.request.models
    if models is None:
        return
    sliced = {piece.gpu: state.devices[piece.gpu][1] for piece in spot.slices}
    for gpu in (*spot.gpus, *sliced.values()):
        if gpu.model not in models:
            message = f"Device {gpu.id} is a {gpu.model or 'nameless model'}, the request asks for {', '.join(models)}."
            yield Violation("model", spot.task.id, message)
