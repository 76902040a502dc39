"""What a cell costs as a workload, beside the same without one.

cell     from running a `%%runai` cell to its first output in the notebook, above a plain `python -c` that prints; the
         runs alternate
values   a numpy array of 100 MB: to the cell until it has read all of it, and back until the notebook has read all of
         it, each above the same with an array of 8 bytes; beside numpy's own save and load of it

The notebook is an IPython shell in this process; engines have simulated devices and a private folder.
"""

from __future__ import annotations

import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import numpy as np
from IPython.core.interactiveshell import InteractiveShell
from local_engine import engine, percentile
from shape import arguments, report

from jupyter_runai.client import shared_client

RUNS = 40
VALUE_RUNS = 7
FIRST_OUTPUT = "print('here')"


@contextmanager
def notebook() -> Iterator[InteractiveShell]:
    """A shell with the magics, and an engine that has started."""
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "jupyter_runai")
    with engine():
        # The one before was that of another engine.
        shared_client.cache_clear()
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
        pairs = [(first_output(shell), plain()) for _ in range(RUNS + 3)][3:]
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


CASES = {"cell": cell, "values": values}


def main() -> None:
    """Run one case, or all."""
    chosen = arguments(__doc__, cases=list(CASES)).case
    for name, case in CASES.items():
        if chosen in (None, name):
            case()


if __name__ == "__main__":
    main()
