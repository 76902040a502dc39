"""Scenarios in data files: a small cluster in a few words, what it shows, and what the plan must do.

A file holds a list of scenarios on one subject. Each has a `name`, an `intent` (one sentence), `nodes`, `queues`,
`workloads` and what comes of them; fields of the contract may stand in any of them under their own names, and short
forms are:

nodes       NAME: 8 is a roomy node of 8 devices; NAME: {gpus: 8, gpu: {memory_mib: 16000}, ..} or {gpus: [{..}, ..]}
queues      NAME: 2 is a quota of 2 devices; NAME: {quota: 2, limit: 4, weight: 0, parent: top, cpu: {quota: 1000}, ..};
            left out, there is one queue q that may use everything
workloads   ID: {gpu: 0.5, tasks: 2, min: 1, at: n0/0, ..}. `tasks` is a number or a list of tasks; fields of a task or
            of a request given to the workload hold for all its tasks. `at` is "node" or "node/0+1" (devices by number),
            or a list of those, one for each running task; whole devices that are not named take the first that nobody
            holds. Workloads are created one second apart, in the order of the file; `time` is 10,000 and, unless
            `started` says otherwise, work has run since 1,000.
expect      ID: "STATE PLACE", or a list with one for each task, in any order, or {0: "STATE PLACE"} for the tasks of
            these numbers. States: running, bound, nominated, evicted, moved (evicted and nominated elsewhere), pending,
            releasing ..; PLACE is optional, as in `at`. What is left out, `expect` included, must stay as it is; null
            leaves a workload open.
codes       ID: the code of its verdict; null: there is no verdict
lines       ID: [position, queue_position, those ahead ..]; null: it has no position
shares      QUEUE: {fair_share: 2, requested: 3} of devices, "QUEUE POOL" in a pool other than default
settled     the same as `expect`, for the end of applying plan after plan
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import yaml
from msgspec.structs import replace

from scheduler_core import Plan, Snapshot, Task, snapshot_from_json
from scheduler_core.model import Bind, PlannedWorkload, TaskRequest

Json: TypeAlias = dict[str, Any]

FOLDER = Path(__file__).parent / "scenarios"
NOW = 10_000.0
_SINCE = 1_000.0
_REQUEST_FIELDS = set(TaskRequest.__struct_fields__)
_TASK_FIELDS = {*Task.__struct_fields__, "at", "name"} - {"request", "priority"}
_HOST = {"cpu": "cpu_milli", "memory": "memory_mib"}


def scenarios(file: Path) -> list[Json]:
    found: list[Json] = yaml.safe_load(file.read_text())
    return found


def snapshot_of(scenario: Json) -> Snapshot:
    """The snapshot that a scenario describes."""
    nodes = [_node(name, given) for name, given in scenario["nodes"].items()]
    queues = [_queue(name, given) for name, given in scenario.get("queues", {"q": {"quota": None}}).items()]
    free = _free_devices(nodes, scenario["workloads"])
    workloads = [
        _workload(name, given, index, free) for index, (name, given) in enumerate(scenario["workloads"].items())
    ]
    whole = {
        "time": scenario.get("time", NOW),
        "config": scenario.get("config", {}),
        "nodes": nodes,
        "queues": queues,
        "workloads": workloads,
    }
    return snapshot_from_json(msgspec.json.encode(whole))


def _node(name: str, given: Any) -> Json:
    fields = {"gpus": given} if isinstance(given, int) else dict(given)
    gpus, common = fields.pop("gpus", 0), fields.pop("gpu", {})
    listed = [{} for _ in range(gpus)] if isinstance(gpus, int) else gpus
    devices = [{"id": f"{name}/{d}", "memory_mib": 10_000, **common, **each} for d, each in enumerate(listed)]
    for device in devices:
        if isinstance(device.get("mig"), Mapping):
            device["mig"] = [{"profile": profile, "count": count} for profile, count in device["mig"].items()]
    return {"name": name, "cpu_milli": 100_000, "memory_mib": 1_000_000, "gpus": devices, **fields}


def _queue(name: str, given: Any) -> Json:
    fields = {"quota": given} if isinstance(given, int | float) else dict(given or {})
    gpu = {key: fields.pop(key) for key in ("quota", "limit", "weight") if key in fields}
    for short, long in _HOST.items():
        if short in fields:
            fields[long] = fields.pop(short)
    return {"name": name, "gpu": gpu, **fields}


def _free_devices(nodes: list[Json], workloads: Mapping[str, Json]) -> dict[str, list[str]]:
    """Devices that no running task names, by node."""
    named = {device for given in workloads.values() for spot in _spots(given) for device in spot[1]}
    return {node["name"]: [gpu["id"] for gpu in node["gpus"] if gpu["id"] not in named] for node in nodes}


def _spots(given: Json) -> Iterator[tuple[str, list[str]]]:
    tasks = given.get("tasks", 1)
    sources = [given, *(tasks if isinstance(tasks, list) else ())]
    for source in sources:
        spots = source.get("at", [])
        for spot in [spots] if isinstance(spots, str) else spots:
            if spot is not None:
                yield _place(spot)


def _place(spot: str) -> tuple[str, list[str]]:
    node, _, devices = spot.partition("/")
    return node, [f"{node}/{number}" for number in devices.split("+")] if devices else []


def _workload(name: str, given: Json, index: int, free: dict[str, list[str]]) -> Json:
    fields = dict(given)
    tasks = fields.pop("tasks", 1)
    minimum = fields.pop("min", None)
    shared = {key: fields.pop(key) for key in list(fields) if key in _REQUEST_FIELDS or key in _TASK_FIELDS}
    shared.update(fields.pop("task", {}))
    spots = shared.pop("at", [])
    spots = [spots] if isinstance(spots, str) else spots
    listed = [{} for _ in range(tasks)] if isinstance(tasks, int) else tasks
    made = []
    for number, each in enumerate(listed):
        task = {"at": spots[number] if number < len(spots) else None, **shared, **each}
        made.append(_task(f"{name}.{task.pop('name', number)}", task, free))
    if minimum is not None:
        fields["groups"] = [{"name": "default", "min_members": minimum}]
    if any(task["state"] == "running" for task in made):
        fields.setdefault("started", _SINCE)
    return {"id": name, "queue": "q", "created": float(index), "tasks": made, **fields}


def _task(name: str, fields: Json, free: dict[str, list[str]]) -> Json:
    spot = fields.pop("at", None)
    request = {key: fields.pop(key) for key in list(fields) if key in _REQUEST_FIELDS}
    task: Json = {"id": name, "state": "pending" if spot is None else "running", "request": request, **fields}
    if spot is None:
        return task
    task["node"], devices = _place(spot)
    if request.get("mig"):
        profiles = [profile for profile, count in request["mig"].items() for _ in range(count)]
        chosen = devices * len(profiles) if len(devices) == 1 else devices
        task["mig_slices"] = [{"gpu": d, "profile": p} for d, p in zip(chosen, profiles, strict=True)]
        return task
    amount = request.get("gpu", 0)
    if not devices and isinstance(amount, int) and amount:
        devices = [free[task["node"]].pop(0) for _ in range(amount)]
    task["gpu_ids"] = devices
    return task


def outcome(start: Snapshot, plan: Plan) -> dict[str, list[str]]:
    """What a plan does with each task, by workload, in the order of its tasks: "STATE node/devices"."""
    binds = {bind.task: bind for bind in plan.binds}
    promised = {each.task: each for each in plan.nominations}
    evicted = {each.task for each in plan.evictions}
    result: dict[str, list[str]] = {}
    for workload in start.workloads:
        result[workload.id] = []
        for task in workload.tasks:
            spot = binds.get(task.id) or promised.get(task.id)
            if task.id in evicted:
                state = "moved" if spot else "evicted"
            elif spot is not None:
                state = "bound" if task.id in binds else "nominated"
            else:
                state = task.state
            if spot is not None:
                result[workload.id].append(f"{state} {_where(spot)}")
            elif task.node is not None and state != "evicted":
                result[workload.id].append(f"{state} {_where(task)}")
            else:
                result[workload.id].append(state)
    return result


def _where(spot: Bind | Task) -> str:
    devices = spot.gpu_ids or dict.fromkeys(piece.gpu for piece in spot.mig_slices)
    numbers = "+".join(sorted(device.rpartition("/")[2] for device in devices))
    return f"{spot.node}/{numbers}" if numbers else str(spot.node)


def mismatches(start: Snapshot, expected: Mapping[str, Any], found: Mapping[str, list[str]]) -> list[str]:
    """One sentence for each workload that is not as expected."""
    before = outcome(start, Plan())
    wrong = []
    for name, states in found.items():
        wanted = expected.get(name, before[name])
        if wanted is None:
            continue
        if isinstance(wanted, Mapping):
            wanted = [wanted.get(number, state) for number, state in enumerate(before[name])]
            right = all(map(_matches, wanted, states))
        else:
            wanted = [wanted] * len(states) if isinstance(wanted, str) else list(wanted)
            right = _same(wanted, states)
        if not right:
            wrong.append(f"{name}: wanted {', '.join(wanted)}; found {', '.join(states)}")
    wrong += [f"{name}: no such workload" for name in expected if name not in found]
    return wrong


def _same(wanted: list[str], found: list[str]) -> bool:
    left = list(found)
    # The most exact first, so that "bound" does not take what "bound n1" needs.
    for want in sorted(wanted, key=len, reverse=True):
        match = next((each for each in left if _matches(want, each)), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def _matches(want: str, found: str) -> bool:
    state, _, place = want.partition(" ")
    found_state, _, found_place = found.partition(" ")
    return state == found_state and (not place or place == found_place or place == found_place.partition("/")[0])


def applied(start: Snapshot, plan: Plan) -> Snapshot:
    """The next snapshot at the same time: victims are pending again, binds run."""
    binds = {bind.task: bind for bind in plan.binds}
    evicted = {each.task for each in plan.evictions}

    def after(task: Task) -> Task:
        if task.id in evicted or (task.state == "releasing"):
            return replace(task, state="pending", node=None, gpu_ids=(), mig_slices=())
        bind = binds.get(task.id)
        if bind is None:
            return task
        return replace(task, state="running", node=bind.node, gpu_ids=bind.gpu_ids, mig_slices=bind.mig_slices)

    def renewed(workload: PlannedWorkload) -> PlannedWorkload:
        tasks = tuple(after(task) for task in workload.tasks)
        began = any(task.id in binds for task in workload.tasks)
        return replace(workload, tasks=tasks, started=start.time if began else workload.started)

    return replace(start, workloads=tuple(renewed(workload) for workload in start.workloads))
