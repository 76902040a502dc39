"""How long the planner takes, case by case: `plan()` on a decoded snapshot, verdicts included.

Each figure is the median of five runs in this process. Beside the time stand the peak of memory that Python allocated
in one more run, and how much the plan did. `negative-reclaim-100` is the case of 100 nodes, and so on.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from shape import arguments, report

from scheduler_core import Plan, Snapshot, check, plan, remedies, snapshot_from_json

Json = dict[str, Any]

RUNS = 5
NOW = 1_000_000.0
DEVICES = 8


def nodes(count: int) -> list[Json]:
    return [
        {
            "name": f"n{i:05d}",
            "cpu_milli": 128_000,
            "memory_mib": 1_000_000,
            "gpus": [{"id": f"n{i:05d}-{d}", "memory_mib": 80_000} for d in range(DEVICES)],
        }
        for i in range(count)
    ]


def work(name: str, queue: str, created: float, tasks: list[Json], **fields: Any) -> Json:
    return {"id": name, "queue": queue, "created": created, "tasks": tasks, **fields}


def pending(name: str, gpu: Any = 1, count: int = 1) -> list[Json]:
    return [{"id": f"{name}.{k}", "request": {"gpu": gpu}} for k in range(count)]


def running(name: str, node: int, device: int, gpu: Any = 1) -> list[Json]:
    place = {"state": "running", "node": f"n{node:05d}", "gpu_ids": [f"n{node:05d}-{device}"]}
    return [{"id": f"{name}.0", "request": {"gpu": gpu}, **place}]


def queues(count: int, quota: float) -> list[Json]:
    return [{"name": f"q{k:02d}", "gpu": {"quota": quota}} for k in range(count)]


def snapshot(given_nodes: list[Json], given_queues: list[Json], workloads: list[Json], **config: Any) -> Snapshot:
    whole = {"time": NOW, "config": config, "nodes": given_nodes, "queues": given_queues, "workloads": workloads}
    return snapshot_from_json(msgspec.json.encode(whole))


def full(count: int, queue: Callable[[int], str], devices: int = DEVICES) -> Iterator[Json]:
    """One-device work on `devices` of each node, spread over nodes in the order in which it was created."""
    for index in range(count * devices):
        node, device = index % count, index // count
        name = f"r{index:06d}"
        yield work(name, queue(index), float(index), running(name, node, device), started=1000.0)


def fill(count: int) -> Snapshot:
    """As many one-device tasks as devices wait in 20 queues; the cluster is empty."""
    total = count * DEVICES
    waiting = [work(f"p{k:06d}", f"q{k % 20:02d}", float(k), pending(f"p{k:06d}")) for k in range(total)]
    return snapshot(nodes(count), queues(20, total / 20), waiting)


def steady() -> Snapshot:
    """1,000 full nodes; 1,000 one-device tasks wait that cannot start."""
    busy = list(full(1000, lambda k: f"q{k % 20:02d}"))
    waiting = [work(f"p{k:06d}", f"q{k % 20:02d}", 1e5 + k, pending(f"p{k:06d}")) for k in range(1000)]
    return snapshot(nodes(1000), queues(20, 400), busy + waiting)


def reclaim(count: int, quota: float, tasks: int) -> Snapshot:
    """Queue 0 fills all nodes; queue 1 asks for a gang of `tasks` x 8 within its own quota."""
    ours = [
        {"name": "q00", "gpu": {"quota": count * DEVICES - quota + 1}},
        {"name": "q01", "gpu": {"quota": quota}},
    ]
    gang = work("gang", "q01", 1e6, pending("gang", DEVICES, tasks))
    return snapshot(nodes(count), ours, [*full(count, lambda _: "q00"), gang])


def gang() -> Snapshot:
    """One gang of 512 tasks x 8 devices on 512 empty nodes."""
    return snapshot(nodes(512), queues(1, 4096), [work("gang", "q00", 0.0, pending("gang", DEVICES, 512))])


def consolidation() -> Snapshot:
    """200 nodes with one free device each; 25 gangs of one 8-device task."""
    busy = list(full(200, lambda _: "q00", DEVICES - 1))
    gangs = [work(f"g{k:02d}", "q00", 1e6 + k, pending(f"g{k:02d}", DEVICES)) for k in range(25)]
    return snapshot(nodes(200), queues(1, 1600), busy + gangs)


def notebooks() -> Snapshot:
    """10,000 notebooks of half a device on 5,000 devices: 8,000 run, two a device; 2,000 arrive at once."""
    busy = []
    for index in range(8000):
        name, spot = f"r{index:06d}", index // 2
        tasks = running(name, spot // DEVICES, spot % DEVICES, "0.5")
        busy.append(work(name, f"q{index % 20:02d}", float(index), tasks, started=1000.0, priority=125))
    waiting = [
        work(f"p{k:06d}", f"q{k % 20:02d}", 1e5 + k, pending(f"p{k:06d}", "0.5"), priority=125) for k in range(2000)
    ]
    return snapshot(nodes(625), queues(20, 250), busy + waiting)


PLANS: dict[str, tuple[Callable[[], Snapshot], float, str]] = {
    "fill-500": (lambda: fill(500), 500, "binds"),
    "fill-1000": (lambda: fill(1000), 1200, "binds"),
    "fill-5000": (lambda: fill(5000), 7000, "binds"),
    "steady-1000": (steady, 200, "verdicts"),
    "negative-reclaim-100": (lambda: reclaim(100, 80, 10), 30, "evictions"),
    "negative-reclaim-1000": (lambda: reclaim(1000, 80, 10), 250, "evictions"),
    "positive-reclaim-1000": (lambda: reclaim(1000, 801, 100), 1000, "evictions"),
    "gang-512": (gang, 300, "binds"),
    "consolidation-200": (consolidation, 1000, "nominations"),
    "notebooks-10000": (notebooks, 3000, "binds"),
}


def main() -> None:
    """Run one case, or all."""
    chosen = arguments(__doc__, [*PLANS, "remedies-1000"]).case
    for name, (make, aim, counted) in PLANS.items():
        if chosen in (None, name):
            measure(name, make(), plan, aim, counted)
    if chosen in (None, "remedies-1000"):
        start = steady()
        measure("remedies-1000", start, lambda given: remedies(given, "p000777"), 100, "remedies")


def measure(case: str, start: Snapshot, decide: Callable[[Snapshot], Any], aim: float, counted: str) -> None:
    """Time the decision, and check a plan once outside the clock."""
    times = []
    for _ in range(RUNS):
        before = time.perf_counter()
        made = decide(start)
        times.append(time.perf_counter() - before)
    tracemalloc.start()
    decide(start)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    if isinstance(made, Plan) and (broken := check(start, made)):
        raise SystemExit(f"{case}: the plan is not valid: {broken[0].message}")
    count = len(getattr(made, counted, made))
    report(
        "planner",
        case,
        statistics.median(times) * 1000,
        "ms",
        aim,
        "lower",
        {"slowest": max(times) * 1000, "peak MiB": peak, f"{counted} (count)": count},
    )


if __name__ == "__main__":
    main()
