"""What working from a notebook costs.

kernel   from the request for a kernel to its first answer (`kernel_info`), on half a device above a plain one; runs
         alternate, the engine's daemon runs already, and both kernels are those of this Python
map      `runai.map` of 1,000 empty tasks on eight slots, from the call to the list of results, beside
         concurrent.futures.ProcessPoolExecutor(8) in the same run, whose processes serve many tasks each; said beside
         it are the processor time of the engine's daemon and of one task's own process, each for one task

Engines have simulated devices and a private folder.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor

from jupyter_client.manager import AsyncKernelManager
from local_engine import cpu_ms, engine
from shape import report, run_cases

import jupyter_runai as runai
from jupyter_runai.client import Client, shared_client
from jupyter_runai.kernels.specs import install_spec

KERNELS = 15
PLAIN, LEASED = "python3", "runai-half"
TASKS = 1000
SLOTS = 8
RUNS = 5
LONG_S = 60.0


def kernel() -> None:
    with engine() as folder:
        for kind in ("CONFIG", "DATA", "RUNTIME"):
            os.environ[f"JUPYTER_{kind}_DIR"] = str(folder / kind)
        install_spec("half", "Python 3 (0.5 GPU)", {"gpu": "0.5"}, sys_prefix=False)
        Client().info()
        pairs = asyncio.run(kernels())
    leased, plain = ([pair[which] for pair in pairs] for which in (0, 1))
    beside = {"leased": statistics.median(leased), "plain": statistics.median(plain), "slowest leased": max(leased)}
    added = statistics.median(leased) - statistics.median(plain)
    report("notebook", "kernel", added, "ms", 150.0, "lower", beside)


async def kernels() -> list[tuple[float, float]]:
    return [(await kernel_started(LEASED), await kernel_started(PLAIN)) for _ in range(KERNELS + 2)][2:]


async def kernel_started(name: str) -> float:
    """Milliseconds from the request for a kernel to its first answer."""
    started = time.monotonic()
    manager = AsyncKernelManager(kernel_name=name)
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    elapsed = (time.monotonic() - started) * 1000
    client.stop_channels()
    await manager.shutdown_kernel()
    return elapsed


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


CASES = {"kernel": kernel, "map": map_tasks}


if __name__ == "__main__":
    run_cases(__doc__, CASES)
