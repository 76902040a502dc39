"""Engines with devices as a fake driver library shows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from scheduler_core.local.settings import Settings, WatchdogSettings

GIB = 1024
TWO_A100 = """\
device GPU-aaaa 81920 37 ok NVIDIA A100-SXM4-80GB
device GPU-bbbb 81920 0 ok NVIDIA A100-SXM4-80GB
"""


class Driver:
    """The fake driver's state."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write(TWO_A100)

    def write(self, text: str) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.path)

    def process(self, device: int, pid: int, mib: int) -> None:
        self.write(self.path.read_text() + f"process {device} {pid} {mib}\n")


@pytest.fixture
def driver(fake_nvml: Path, engine_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(fake_nvml))
    monkeypatch.setenv("FAKE_NVML_STATE", str(tmp_path / "state"))
    return Driver(tmp_path / "state")


@pytest.fixture
def on_devices(driver: Driver) -> Iterator[Client]:
    """A client of an engine with the fake driver's devices."""
    client = Client()
    yield client
    client.close()


@pytest.fixture
def strict(engine_directory: Path) -> None:
    """A watchdog that does not wait long."""
    watchdog = WatchdogSettings(allowance_mib=100, readings=2, interrupt_after_s=0.5, stop_after_s=0.5)
    Settings(watchdog=watchdog).write(engine_directory)
