"""Placement of shares on Alibaba's cluster trace of 2023: how much of the GPUs is in use once 100 % has been asked for.

    python benchmarks/openb.py [--case fgd|default|gpushare100|gpuspec33|multigpu50|moves|time|lists] TRACE_DIR

Protocol of Weng et al., "Beware of Fragmentation", USENIX ATC 2023: tasks only arrive, and one that does not fit is
dropped. Nothing leaves, so that one `plan` of all tasks in their order of arrival is a whole run; the allocation after
each arrival is read off its binds. Every figure is online and without migration, but for "moves": there the arrivals
of each percent asked for are planned together, and running work may move so that what does not fit otherwise starts.
Published curves, and bounds of our own (an LP relaxation, and an offline packing, over three seeds), lie beside the
trace. "moves" takes minutes a seed and, like "lists", all 17 task lists, is run only where it is named.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from moving import with_moves
from shape import arguments, report

from scheduler_core import Plan, Snapshot, plan, snapshot_from_json
from scheduler_core.model import PlannedWorkload

AIMS = {"default": 95.5, "gpushare100": 87.5, "gpuspec33": 94.5, "multigpu50": 97.09}
"""Percent of the GPUs in use at 100 % asked for."""

LISTS = (
    *("default", "cpu050", "cpu100", "cpu200", "cpu250", "gpushare40", "gpushare60", "gpushare80", "gpushare100"),
    *("gpuspec10", "gpuspec20", "gpuspec25", "gpuspec33", "multigpu20", "multigpu30", "multigpu40", "multigpu50"),
)
AT = 100
BINS = 131
KEPT_PERCENT = 95
TIME_RUNS = 5
SECONDS_AIM = 4.0

HOW_TO_GET_IT = """The trace is not part of this repository. TRACE_DIR (or OPENB_TRACE_DIR) is a folder with
  openb_node_list_gpu_node.csv            github.com/hkust-adsl/kubernetes-scheduler-simulator, data/csv
  openb_pod_list_*.csv.gz                 the same
  results/analysis_allo_discrete.csv.gz   the same, experiments/analysis/expected_results
  results/bounds_own_computation.json     bounds of each list
  arrivals/*.arrivals.txt.gz              of each list and seed a line: seed|rows of pods|ranks of nodes"""


class Trace:
    """The files of the trace; a run is a list of tasks and the line of a seed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes = self._rows(folder / "openb_node_list_gpu_node.csv")
        self.gpus = sum(int(node["gpu"]) for node in self.nodes)
        self.bounds = json.loads((folder / "results/bounds_own_computation.json").read_text())["bounds"]
        self.published = {
            (row["workload"].removeprefix("openb_pod_list_"), int(row["seed"])): [
                float(row[str(b)]) for b in range(BINS)
            ]
            for row in self._rows(folder / "results/analysis_allo_discrete.csv.gz")
            if row["sc_policy"] == "06-FGD"
        }

    def pods(self, name: str) -> list[dict[str, str]]:
        return self._rows(self.folder / f"openb_pod_list_{name}.csv.gz")

    def arrivals(self, name: str) -> Iterator[tuple[int, list[int], list[int]]]:
        """Seed, rows of the pods in order of arrival, and the rank of each node that decides ties."""
        with gzip.open(self.folder / f"arrivals/openb_pod_list_{name}.arrivals.txt.gz", "rt") as lines:
            for line in lines:
                seed, pods, ranks = line.split("|")
                yield int(seed), [int(row) for row in pods.split()], [int(rank) for rank in ranks.split()]

    def snapshots(self, name: str, placement: str) -> Iterator[tuple[int, Snapshot]]:
        """Seed and snapshot of each run."""
        pods = self.pods(name)
        config = {"placement": placement, "typical": typical(pods), "actions": ["allocate"]}
        for seed, rows, ranks in self.arrivals(name):
            whole = {
                "time": len(rows),
                "config": config,
                "nodes": [as_node(node, rank) for node, rank in zip(self.nodes, ranks, strict=True)],
                "queues": [{"name": "all", "gpu": {"quota": None}}],
                "workloads": [as_workload(pods[row], number) for number, row in enumerate(rows)],
            }
            yield seed, snapshot_from_json(msgspec.json.encode(whole))

    @staticmethod
    def _rows(path: Path) -> list[dict[str, str]]:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return list(csv.DictReader(content.decode().splitlines()))


def as_node(row: dict[str, str], rank: int) -> dict[str, Any]:
    """Names in the order of ranks, for ties go by name; the trace has no limit on tasks."""
    name = f"{rank:05}"
    gpus = [{"id": f"{name}-{d}", "model": row["model"]} for d in range(int(row["gpu"]))]
    host = {"cpu_milli": int(row["cpu_milli"]), "memory_mib": int(row["memory_mib"]), "max_tasks": 100_000}
    return {"name": name, "gpus": gpus, **host}


def as_workload(row: dict[str, str], number: int) -> dict[str, Any]:
    request = {"memory_mib": int(row["memory_mib"]), **gpu_request(*look(row))}
    return {
        "id": f"{number:06}",
        "queue": "all",
        "created": number,
        "tasks": [{"id": f"{number:06}", "request": request}],
    }


def look(row: dict[str, str]) -> tuple[int, int, int, str]:
    """What makes pods one kind: CPU, thousandths of each GPU, number of GPUs and models."""
    gpus = int(row["num_gpu"])
    return int(row["cpu_milli"]), int(row["gpu_milli"]) if gpus else 0, gpus, row.get("gpu_spec") or ""


def gpu_request(cpu: int, milli: int, gpus: int, models: str) -> dict[str, Any]:
    request: dict[str, Any] = {"cpu_milli": cpu}
    if gpus:
        request["gpu"] = gpus if milli == 1000 else f"0.{milli:03}"
    if models:
        request["models"] = models.split("|")
    return request


def typical(pods: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """The most frequent kinds that make up 95 % of the pods, as in the paper."""
    counts = Counter(look(pod) for pod in pods)
    kept: list[tuple[tuple[int, int, int, str], int]] = []
    covered = 0
    for kind, count in sorted(counts.items(), key=lambda each: (each[1], each[0]), reverse=True):
        if 100 * covered >= KEPT_PERCENT * len(pods):
            break
        kept.append((kind, count))
        covered += count
    part = covered / len(pods)
    return [{"request": gpu_request(*kind), "weight": count / len(pods) / part} for kind, count in kept]


def arrivals(snapshot: Snapshot, gpus: int) -> Iterator[tuple[PlannedWorkload, int, int]]:
    """Each workload as it arrives, its thousandths of GPUs, and the percent of all GPUs asked for by then."""
    arrived = 0
    for workload in snapshot.workloads:
        request = workload.tasks[0].request
        milli = request.whole_devices * 1000 + request.portion_milli
        arrived += milli
        yield workload, milli, round(round(arrived / gpus / 10, 10))


def curve(snapshot: Snapshot, placed: Collection[str], gpus: int) -> list[float]:
    """Mean allocation in percent of all GPUs, over the arrivals at which 0, 1, 2 .. % have been asked for."""
    sums, events = [0.0] * BINS, [0] * BINS
    used = 0
    for workload, milli, percent in arrivals(snapshot, gpus):
        used += milli if workload.tasks[0].id in placed else 0
        if percent < BINS:
            sums[percent] += round(100 * used / (gpus * 1000), 2)
            events[percent] += 1
    return [total / count if count else 0.0 for total, count in zip(sums, events, strict=True)]


def bound(made: Plan) -> set[str]:
    return {bind.task for bind in made.binds}


def curves(trace: Trace, name: str, placement: str) -> dict[int, list[float]]:
    """The curve of each seed."""
    return {seed: curve(each, bound(plan(each)), trace.gpus) for seed, each in trace.snapshots(name, placement)}


def reproduce(trace: Trace) -> None:
    """FGD against its recorded curves, bin by bin; a basis point is a hundredth of a percent of the GPUs."""
    ours = curves(trace, "default", "fgd")
    theirs = {seed: trace.published["default", seed] for seed in ours}
    apart = max(abs(a - b) for seed in ours for a, b in zip(ours[seed], theirs[seed], strict=True))
    report("openb", "fgd off published", 100 * apart, "bp", 1.0, "lower", {"rounding of the record": 0.5})
    mean, published = (statistics.mean(run[AT] for run in runs.values()) for runs in (ours, theirs))
    report("openb", "fgd default", mean, "%", None, "higher", {"published": published})


def compare(trace: Trace, name: str) -> None:
    """Our policy beside FGD, seed by seed."""
    ours, fgd = curves(trace, name, "fragmentation"), curves(trace, name, "fgd")
    gains = {seed: ours[seed][AT] - fgd[seed][AT] for seed in ours}
    print(f"\n{name}, online without migration, at {AT} % asked for")
    for seed, gain in gains.items():
        print(f"  seed {seed}: {ours[seed][AT]:6.2f} %   FGD {fgd[seed][AT]:6.2f} %   {gain:+.2f}")
    mean, mean_fgd = (statistics.mean(run[AT] for run in runs.values()) for runs in (ours, fgd))
    published = statistics.mean(trace.published[name, seed][AT] for seed in ours)
    feasible, upper = (float(trace.bounds[name][key]) for key in ("offline_LNS_feasible@100", "lp_upper@100"))
    beside = {"FGD published": published, "FGD": mean_fgd, "offline packing": feasible, "upper bound": upper}
    report("openb", name, mean, "%", AIMS.get(name, published), "higher", beside)
    spread = {"least of a seed": min(gains.values()), "most": max(gains.values())}
    report("openb", f"{name} over FGD", mean - mean_fgd, "points", 0.0, "higher", spread)
    closed = 100 * (mean - mean_fgd) / (feasible - mean_fgd)
    report("openb", f"{name} gap closed", closed, "%", None, "higher", {"offline packing": 100.0})


def move(trace: Trace, name: str) -> None:
    """Our policy with moves beside the same without, seed by seed."""
    with_them, without, moves = {}, {}, {}
    print(f"\n{name}, WITH CONSOLIDATION: work may move, arrivals of one percent at a time, at {AT} % asked for")
    for seed, snapshot in trace.snapshots(name, "fragmentation"):
        until = [(work, percent) for work, _, percent in arrivals(snapshot, trace.gpus) if percent <= AT]
        batches = [[work for work, _ in batch] for _, batch in groupby(until, key=lambda each: each[1])]
        moved = with_moves(snapshot, batches)
        with_them[seed] = curve(snapshot, moved.placed, trace.gpus)[AT]
        without[seed] = curve(snapshot, bound(plan(snapshot)), trace.gpus)[AT]
        moves[seed] = moved.moves
        gain = with_them[seed] - without[seed]
        print(f"  seed {seed}: {with_them[seed]:6.2f} %   without {without[seed]:6.2f} %   {gain:+.2f}, ", end="")
        print(f"{moved.moves} moves in {moved.plans} plans", flush=True)
    feasible, upper = (float(trace.bounds[name][key]) for key in ("offline_LNS_feasible@100", "lp_upper@100"))
    beside = {"without": statistics.mean(without.values()), "offline packing": feasible, "upper bound": upper}
    mean = statistics.mean(with_them.values())
    report("openb", f"{name} with consolidation", mean, "%", beside["without"], "higher", beside)
    report("openb", f"{name} moves", statistics.mean(moves.values()), "count", None, "lower", {"tasks": len(until)})


def clock(trace: Trace) -> None:
    """One run of 10,866 tasks on 1,213 nodes, planned at once."""
    seconds = {}
    for placement in ("fragmentation", "fgd", "binpack"):
        _, snapshot = next(trace.snapshots("default", placement))
        seconds[placement] = statistics.median(duration(snapshot) for _ in range(TIME_RUNS))
    ours = seconds.pop("fragmentation")
    report("openb", "time", ours, "s", SECONDS_AIM, "lower", seconds)


def duration(snapshot: Snapshot) -> float:
    started = time.perf_counter()
    plan(snapshot)
    return time.perf_counter() - started


def main() -> int:
    """Run the cases; all but "lists" when none is named."""
    chosen = arguments(__doc__, cases=["fgd", *AIMS, "moves", "time", "lists"])
    folder = Path(chosen.paths[0] if chosen.paths else os.environ.get("OPENB_TRACE_DIR", ""))
    if not (folder / "openb_node_list_gpu_node.csv").is_file():
        print(HOW_TO_GET_IT, file=sys.stderr)
        return 2
    trace = Trace(folder)
    if chosen.case in ("fgd", None):
        reproduce(trace)
    for name in LISTS if chosen.case == "lists" else AIMS:
        if chosen.case in (name, "lists", None):
            compare(trace, name)
    for name in AIMS if chosen.case == "moves" else ():
        move(trace, name)
    if chosen.case in ("time", None):
        clock(trace)
    return 0


if __name__ == "__main__":
    sys.exit(main())
