"""What working from a notebook costs.

cell     from running a `%%runai` cell to its first output in the notebook, above a plain `python -c` that prints; the
         runs alternate
values   a numpy array of 100 MB: to the cell until it has read all of it, and back until the notebook has read all of
         it, each above the same with an array of 8 bytes; beside numpy's own save and load of it
kernel   from the request for a kernel to its first answer (`kernel_info`), on half a device above a plain one; runs
         alternate, the engine's daemon runs already, and both kernels are those of this Python
map      `runai.map` of 1,000 empty items on eight slots, from the call to the list of results, beside
         concurrent.futures.ProcessPoolExecutor(8) in the same run; beside it stand the processor time of the engine's
         daemon and of the processes that the items are called in, each for one item, and how many processes there were

The notebook of cells is an IPython shell in this process; engines have simulated devices and a private folder.
"""

from __future__ import annotations

import asyncio
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import numpy as np
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import AsyncKernelManager
from local_engine import cpu_ms, engine, percentile
from shape import report, run_cases

import jupyter_runai as runai
from jupyter_runai.client import Client, shared_client
from jupyter_runai.kernels.specs import install_spec

CELLS = 40
VALUE_RUNS = 7
FIRST_OUTPUT = "print('here')"
KERNELS = 15
PLAIN, LEASED = "python3", "runai-half"
ITEMS = 1000
SLOTS = 8
MAP_RUNS = 5
LONG_S = 60.0


@contextmanager
def notebook() -> Iterator[InteractiveShell]:
    """A shell with the magics, and an engine that has started."""
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "jupyter_runai")
    with engine():
        shell.run_line_magic("config", "RunaiMagics.warn_values = 200_000_000")
        run(shell, "train", "pass")
        yield shell
    shell.run_line_magic("unload_ext", "jupyter_runai")


class Arrival(io.StringIO):
    """Notes when a text came first."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self.at = 0.0

    def write(self, text: str) -> int:
        if not self.at and self._text in text:
            self.at = time.monotonic()
        return super().write(text)


def run(shell: InteractiveShell, line: str, source: str, awaited: str = "") -> Arrival:
    output = Arrival(awaited)
    with redirect_stdout(output):
        shell.run_cell_magic("runai", line, source)
    return output


def cell() -> None:
    with notebook() as shell:
        pairs = [(first_output(shell), plain()) for _ in range(CELLS + 3)][3:]
    ours, alone = zip(*pairs, strict=True)
    added = [mine - other for mine, other in pairs]
    beside = {
        "cell p50": percentile(list(ours), 50),
        "python -c p50": percentile(list(alone), 50),
        "p95": percentile(added, 95),
    }
    report("notebook", "cell", percentile(added, 50), "ms", 150.0, "lower", beside)


def first_output(shell: InteractiveShell) -> float:
    started = time.monotonic()
    arrived = run(shell, "train --gpu 0.5", FIRST_OUTPUT, "here").at
    return (arrived - started) * 1000


def plain() -> float:
    """Milliseconds that the same interpreter takes to print, and to end."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-u", "-c", FIRST_OUTPUT], stdout=subprocess.PIPE, check=True)
    return (time.monotonic() - started) * 1000


def values() -> None:
    with notebook() as shell:
        pairs = [(there_and_back(shell, 12_500_000), there_and_back(shell, 1)) for _ in range(VALUE_RUNS + 1)][1:]
    saved = [saved_and_loaded(12_500_000) for _ in range(VALUE_RUNS)]
    for which, name in enumerate(("values there", "values back")):
        large, small = (statistics.median(pair[size][which] for pair in pairs) for size in (0, 1))
        added = statistics.median(pair[0][which] - pair[1][which] for pair in pairs)
        numpy_own = statistics.median(times[which] for times in saved)
        beside = {"with 100 MB": large, "with 8 B": small, ("np.save", "np.load")[which]: numpy_own}
        report("notebook", name, added, "ms", 500.0, "lower", beside)


def there_and_back(shell: InteractiveShell, count: int) -> tuple[float, float]:
    """Milliseconds from running the cell to having read the array there, and from there to having read it here."""
    shell.user_ns["array"] = np.random.default_rng(1).random(count)
    started = time.monotonic()
    said = run(shell, "train -o back", "total = array.sum()\nimport time\nback = array\nprint(time.monotonic())")
    total = shell.user_ns["back"].sum()
    ended = time.monotonic()
    if total != shell.user_ns["array"].sum():
        raise ValueError("another array came back than went there")
    there = next(float(line) for line in said.getvalue().splitlines() if line.replace(".", "").isdigit())
    shell.user_ns.pop("back")
    return (there - started) * 1000, (ended - there) * 1000


def saved_and_loaded(count: int) -> tuple[float, float]:
    array = np.random.default_rng(1).random(count)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "array.npy"
        started = time.monotonic()
        np.save(path, array)
        between = time.monotonic()
        np.load(path).sum()
        return (between - started) * 1000, (time.monotonic() - between) * 1000


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
    """What is done with each item."""


def map_tasks() -> None:
    runs = [mapped()]
    while len(runs) < MAP_RUNS and ITEMS / runs[0][0] < LONG_S:
        runs.append(mapped())
    rate, of_daemon, of_items, processes = (statistics.median(figures) for figures in zip(*runs, strict=True))
    beside = {
        f"ProcessPoolExecutor({SLOTS})": statistics.median(pooled() for _ in range(MAP_RUNS)),
        "daemon CPU (ms an item)": of_daemon,
        "their processes (ms an item)": of_items,
        "processes (count)": processes,
        "runs (count)": len(runs),
    }
    report("notebook", "map", rate, "a second", None, "higher", beside)


def mapped() -> tuple[float, float, float, int]:
    """Items a second; milliseconds of the daemon and of the items' processes for one item; how many processes."""
    with engine():
        pid = shared_client().info().pid
        before, started = cpu_ms(pid), time.monotonic()
        spent = runai.map(lambda _: (os.getpid(), sum(os.times()[:2])), range(ITEMS), gpu=2 / SLOTS)
        rate = ITEMS / (time.monotonic() - started)
        by_process = dict(spent)
        return rate, (cpu_ms(pid) - before) / ITEMS, 1000 * sum(by_process.values()) / ITEMS, len(by_process)


def pooled() -> float:
    started = time.monotonic()
    with ProcessPoolExecutor(SLOTS) as pool:
        list(pool.map(nothing, range(ITEMS)))
    return ITEMS / (time.monotonic() - started)


CASES = {"cell": cell, "values": values, "kernel": kernel, "map": map_tasks}


if __name__ == "__main__":
    run_cases(__doc__, CASES)
