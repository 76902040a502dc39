"""Engines of the tests' own: each in a short private folder, stopped with all its workloads at the end."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from scheduler_core.local.access.settings import Settings
from tests.driver import Driver
from tests.helpers import stop_everything

pytest.register_assert_rewrite("tests.engine_contract")
pytest_plugins = ["pytest_jupyter.jupyter_server"]

SIMULATED = "2xA100-80GB"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What went wrong the first time, where `--reruns` is given: a test that passes the second time hides a defect."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.write_sep("_", f"{report.nodeid} was run again, because of")
        terminalreporter.write_line(report.longreprtext)
        for title, content in report.sections:
            terminalreporter.write_sep("-", title)
            terminalreporter.write_line(content)


@pytest.fixture
def engine_directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty engine directory that this process and its children use."""
    folder = Path(tempfile.mkdtemp(prefix="runai-"))
    monkeypatch.setenv("RUNAI_ENGINE_DIR", str(folder))
    monkeypatch.setenv("RUNAI_LEDGER_DIR", str(folder / "host-ledger"))
    yield folder
    stop_everything()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def simulated(engine_directory: Path) -> Path:
    """An engine directory whose engine simulates two devices; the daemon starts when first asked."""
    Settings(simulate=SIMULATED).write(engine_directory)
    return engine_directory


@pytest.fixture
def client(simulated: Path) -> Iterator[Client]:
    """A client of an engine with two simulated devices."""
    client = Client()
    yield client
    client.close()


@pytest.fixture(scope="session")
def fake_nvml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a libnvidia-ml.so.1 that answers from the file FAKE_NVML_STATE names."""
    folder = tmp_path_factory.mktemp("nvml")
    source = Path(__file__).with_name("fake_nvml") / "nvml.c"
    library = folder / "libnvidia-ml.so.1"
    subprocess.run(
        ["cc", "-Wall", "-Werror", "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1", "-o", library, source],
        check=True,
    )
    return folder


@pytest.fixture
def small_disk(engine_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An engine directory on a disk of 16 MiB of its own."""
    folder = engine_directory / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a disk of its own can be mounted by root alone")
    monkeypatch.setenv("RUNAI_ENGINE_DIR", str(folder))
    try:
        yield folder
        stop_everything()
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        monkeypatch.setenv("RUNAI_ENGINE_DIR", str(engine_directory))


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
