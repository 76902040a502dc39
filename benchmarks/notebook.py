"""What working from a notebook costs.

map      `runai.map` of 1,000 empty tasks on eight slots, from the call to the list of results, beside
         concurrent.futures.ProcessPoolExecutor(8) in the same run, whose processes serve many tasks each; said beside
         it are the processor time of the engine's daemon and of one task's own process, each for one task

Engines have simulated devices and a private folder.
"""

from __future__ import annotations

import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor

from local_engine import cpu_ms, engine
from shape import arguments, report

import jupyter_runai as runai
from jupyter_runai.client import shared_client

TASKS = 1000
SLOTS = 8
RUNS = 5
LONG_S = 60.0


def nothing(_: int) -> None:
    """The empty task."""


def map_tasks() -> None:
    rates, daemon_ms, tasks_ms = [], [], []
    while len(rates) < RUNS and (not rates or TASKS / rates[0] < LONG_S):
        rate, of_daemon, of_tasks = mapped()
        rates.append(rate)
        daemon_ms.append(of_daemon)
        tasks_ms.append(of_tasks)
    beside = {
        f"ProcessPoolExecutor({SLOTS})": statistics.median(pooled() for _ in range(RUNS)),
        "daemon CPU (ms a task)": statistics.median(daemon_ms),
        "own process (ms a task)": statistics.median(tasks_ms),
        "runs (count)": len(rates),
    }
    report("notebook", "map", statistics.median(rates), "a second", None, "higher", beside)


def mapped() -> tuple[float, float, float]:
    """Tasks a second; milliseconds of processor time of the daemon, and of a task's own process, for one task."""
    with engine():
        shared_client.cache_clear()
        pid = shared_client().info().pid
        before, started = cpu_ms(pid), time.monotonic()
        spent = runai.map(lambda _: sum(os.times()[:2]), range(TASKS), gpu=2 / SLOTS)
        rate = TASKS / (time.monotonic() - started)
        return rate, (cpu_ms(pid) - before) / TASKS, 1000 * statistics.mean(spent)


def pooled() -> float:
    started = time.monotonic()
    with ProcessPoolExecutor(SLOTS) as pool:
        list(pool.map(nothing, range(TASKS)))
    return TASKS / (time.monotonic() - started)


CASES = {"map": map_tasks}


def main() -> None:
    """Run one case, or all."""
    chosen = arguments(__doc__, cases=list(CASES)).case
    for name, case in CASES.items():
        if chosen in (None, name):
            case()


if __name__ == "__main__":
    main()
