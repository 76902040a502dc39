"""Shares of a real GPU, held by MPS and by the caps of frameworks alone; needs a GPU that nobody else uses and PyTorch.

mps, caps    bf16 matrix products of 8192 x 8192 for four seconds: a whole device, one half and one quarter by
             themselves, and two halves at once, in TFLOP/s; the whole device in the same run stands beside each share
start        from `client.submit` to the first instruction of the process: a whole device, a share that starts the
             service of MPS, shares that find it there

The engine has a private folder.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shape import report, run_cases

from jupyter_runai.client import Client
from scheduler_core.local import LocalEngine
from scheduler_core.model import TaskRequest
from scheduler_core.workload import WorkloadSpec

SECONDS = 4
STARTS = 5
CONTROL = "nvidia-cuda-mps-control"
FIRST_INSTRUCTION = "import time; print(time.monotonic())"
PRODUCTS = f"""
import sys, time, torch
left = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
right = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
def product():
    left @ right
    torch.cuda.synchronize()
for _ in range(5):
    product()
print("ready", flush=True)
while time.time() < float(sys.argv[1]):
    product()
began, done = time.monotonic(), 0
while time.monotonic() < began + {SECONDS}:
    product()
    done += 1
print(2 * 8192**3 * done / (time.monotonic() - began) / 1e12)
"""


@contextmanager
def engine(with_mps: bool) -> Iterator[Client]:
    """A client of an engine of this machine's GPUs; without MPS its control program is one that refuses."""
    path = os.environ["PATH"]
    with tempfile.TemporaryDirectory(prefix="runai-") as folder:
        os.environ["RUNAI_ENGINE_DIR"] = folder
        os.environ["RUNAI_LEDGER_DIR"] = f"{folder}/host-ledger"
        if not with_mps:
            program = Path(folder) / CONTROL
            program.write_text("#!/bin/sh\nexit 1\n")
            program.chmod(0o700)
            os.environ["PATH"] = f"{folder}:{path}"
        yield Client()
        os.environ["PATH"] = path
        asyncio.run(LocalEngine().shutdown())


def asked(code: str, gpu: float | str, *arguments: str) -> WorkloadSpec:
    command = (sys.executable, "-u", "-c", code, *arguments)
    return WorkloadSpec(command=command, cwd="/", env=dict(os.environ), request=TaskRequest(gpu=gpu))


def compute(with_mps: bool) -> None:
    case = "mps" if with_mps else "caps"
    with engine(with_mps) as client:
        (whole,), _ = measured(client, 1)
        for name, shares in (("half", ("0.5",)), ("quarter", ("0.25",)), ("two halves", ("0.5", "0.5"))):
            rates, level = measured(client, *shares)
            beside = {"whole device": whole} | {f"one {level}": rate for rate in rates[1:]}
            report("gpu", f"{case} {name}", sum(rates), "TFLOP/s", None, "higher", beside)


def measured(client: Client, *shares: float | str) -> tuple[list[float], str]:
    """What shares that compute at once reach, each, and what holds them; all begin together, once all are warm."""
    begin = str(time.time() + 9)
    workloads = [client.submit(asked(PRODUCTS, share, begin)) for share in shares]
    rates = [float(text(client, workload.id).splitlines()[-1]) for workload in workloads]
    allocation = client.get(workloads[0].id).allocation
    return rates, allocation.enforcement.level if allocation else ""


def start() -> None:
    with engine(with_mps=True) as client:
        beside = {
            "whole device": statistics.median(started(client, 1) for _ in range(STARTS)),
            "bare Popen": statistics.median(bare() for _ in range(STARTS)),
        }
        report("gpu", "first share", started(client, "0.25"), "ms", None, "lower", beside)
        keeper = client.submit(asked("import signal; print('ready'); signal.pause()", "0.25"))
        next(update for update in client.follow(keeper.id) if isinstance(update, bytes))
        later = statistics.median(started(client, "0.25") for _ in range(STARTS))
        report("gpu", "next share", later, "ms", None, "lower", beside)
        client.stop(keeper.id)
        text(client, keeper.id)


def started(client: Client, gpu: float | str) -> float:
    began = time.monotonic()
    workload = client.submit(asked(FIRST_INSTRUCTION, gpu))
    return (float(text(client, workload.id)) - began) * 1000


def bare() -> float:
    """The same of a process that nobody manages."""
    began = time.monotonic()
    command = [sys.executable, "-u", "-c", FIRST_INSTRUCTION]
    said = subprocess.run(command, capture_output=True, check=True).stdout
    return (float(said) - began) * 1000


def text(client: Client, workload_id: str) -> str:
    """All that a workload said, once it has ended."""
    return b"".join(update for update in client.follow(workload_id) if isinstance(update, bytes)).decode()


if __name__ == "__main__":
    run_cases(__doc__, {"start": start, "mps": lambda: compute(True), "caps": lambda: compute(False)})
