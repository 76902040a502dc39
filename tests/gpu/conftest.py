"""An engine of this machine's own GPUs, which nobody else should use meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from scheduler_core.local.access.settings import Settings, WatchdogSettings
from scheduler_core.nvml import NvmlDevices
from scheduler_core.workload import Device

_CONTROL = "nvidia-cuda-mps-control"


@pytest.fixture(scope="session", autouse=True)
def has_gpu() -> None:
    devices = NvmlDevices()
    if not devices.physical:
        pytest.skip(f"needs an NVIDIA GPU. {devices.notice}")


@pytest.fixture
def client(engine_directory: Path) -> Iterator[Client]:
    client = Client()
    yield client
    client.close()


@pytest.fixture
def device(client: Client) -> Device:
    return client.devices()[0]


@pytest.fixture
def mps() -> None:
    """Shares are held by MPS."""
    if shutil.which(_CONTROL) is None:
        pytest.skip(f"needs {_CONTROL}, which comes with the driver")


@pytest.fixture
def no_mps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MPS refuses, so that the caps of frameworks and the watchdog hold shares."""
    program = tmp_path / _CONTROL
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.fixture
def strict(engine_directory: Path) -> None:
    """A watchdog that does not wait long."""
    watchdog = WatchdogSettings(readings=2, interrupt_after_s=0.5, stop_after_s=0.5)
    Settings(watchdog=watchdog).write(engine_directory)
