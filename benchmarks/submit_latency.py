"""From `client.submit` to the first instruction of the cell's process, beside a bare Popen of the same interpreter.

The clock is the system's monotonic one, which all processes of a machine share. The workload and the bare process run
the same one line; runs alternate, and the engine (simulated devices, a private folder) is warm, as in a notebook.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time

from shape import arguments, report

from jupyter_runai.client import Client
from scheduler_core.local import LocalEngine
from scheduler_core.model import TaskRequest
from scheduler_core.workload import WorkloadSpec

RUNS = 100
FIRST_INSTRUCTION = "import time; print(time.monotonic())"


def main() -> None:
    """Print p50 and p95 of both, and the difference at p50."""
    arguments(__doc__, cases=["submit"])
    with tempfile.TemporaryDirectory(prefix="runai-") as folder:
        os.environ["RUNAI_ENGINE_DIR"] = folder
        client = Client()
        client.simulate("2xA100-80GB")
        pairs = [(submitted(client), bare()) for _ in range(RUNS + 5)][5:]
        asyncio.run(LocalEngine().shutdown())
    engine, popen = ([pair[which] for pair in pairs] for which in (0, 1))
    added = statistics.median(engine) - statistics.median(popen)
    for name, value, aim, beside in (
        ("p50", percentile(engine, 50), None, percentile(popen, 50)),
        ("p95", percentile(engine, 95), None, percentile(popen, 95)),
        ("p50 above Popen", added, 40.0, percentile(popen, 50)),
    ):
        report("submit_latency", name, value, "ms", aim, "lower", {"bare Popen": beside})


def submitted(client: Client) -> float:
    """Milliseconds from submitting a half-GPU workload to its first instruction."""
    started = time.monotonic()
    workload = client.submit(specification())
    output = b"".join(update for update in client.follow(workload.id) if isinstance(update, bytes))
    return (float(output) - started) * 1000


def bare() -> float:
    """Milliseconds from Popen to the first instruction of the same interpreter."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-u", "-c", FIRST_INSTRUCTION], stdout=subprocess.PIPE)
    return (float(process.communicate()[0]) - started) * 1000


def specification() -> WorkloadSpec:
    command = (sys.executable, "-u", "-c", FIRST_INSTRUCTION)
    return WorkloadSpec(command=command, cwd="/", env=dict(os.environ), request=TaskRequest(gpu="0.5"))


def percentile(values: list[float], rank: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[rank - 1]


if __name__ == "__main__":
    main()
