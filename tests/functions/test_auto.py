"""`gpu="auto"` asks for what the last runs of the name have peaked at, and a fifth to spare."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import jupyter_runai as runai
from jupyter_runai.client import Client
from scheduler_core.workload import Measurement
from tests.driver import GIB, Driver
from tests.helpers import outcome, spec
from tests.local.test_measurements import pid_of, second

RUNS = "import os, signal\nprint(os.getpid(), flush=True)\nsignal.pause()"


def run_that_peaks(client: Client, driver: Driver, gpu: float | str, mib: int, percent: int = 0) -> None:
    """A run called digits that takes so much memory, and computes so much, of device 0."""
    quiet = driver.path.read_text()
    work = client.submit(spec(RUNS, gpu=gpu, name="digits", grace_s=0))
    pid = pid_of(client, work)
    busy = f"busy 0 {pid} {percent}\n" if percent else ""
    driver.write(f"{quiet}process 0 {pid} {mib}\n{busy}")
    second(client, work, peaks_at(mib, percent / 100))
    driver.write(quiet)
    client.stop(work.id)
    outcome(client, work.id)


def peaks_at(mib: int, devices: float) -> Callable[[Measurement], bool]:
    return lambda second: second.gpu_memory_mib == mib and (second.gpu_utilization or 0.0) == devices


@pytest.mark.parametrize(
    ("gpu", "mib", "percent", "asked"),
    [
        ("0.5", 20 * GIB, 0, "0.3"),  # a quarter of the device, and a fifth of that
        (
            "0.5",
            20 * GIB + 1,
            0,
            "0.35",
        ),  # with the fifth a little over 0.3: rounded up to a twentieth
        ("0.5", 512, 0, "0.05"),
        ("0.5", 20 * GIB, 40, "0.5"),  # its computing needs more than its memory
        ("0.9", 70 * GIB, 0, 1),  # with what is to spare it is more than the one device that it has ever used
    ],
)
def test_it_asks_for_the_peak_and_a_fifth_to_spare(
    on_devices: Client,
    driver: Driver,
    capsys: pytest.CaptureFixture[str],
    gpu: str,
    mib: int,
    percent: int,
    asked: float | str,
) -> None:
    run_that_peaks(on_devices, driver, gpu, mib, percent)
    work = runai.submit(abs, -1, name="digits", gpu="auto")
    assert work.workload.request.gpu == asked
    said = capsys.readouterr().err
    assert said.startswith(f"gpu auto asks for {asked}: the last run of digits peaked at ")
    assert "20 % to spare" in said
    work.cancel()


def test_it_goes_by_the_highest_of_the_last_five(
    on_devices: Client, driver: Driver, capsys: pytest.CaptureFixture[str]
) -> None:
    for gib in (60, 20, 8, 8, 8, 8):
        run_that_peaks(on_devices, driver, "0.8", gib * GIB)
    work = runai.submit(abs, -1, name="digits", gpu="auto")
    assert work.workload.request.gpu == "0.3"
    assert "the last 5 runs of digits peaked at 20.0 GB of GPU memory" in capsys.readouterr().err
    work.cancel()
