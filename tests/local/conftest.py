"""A watchdog that does not wait long, and engines that several users share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from scheduler_core.local.access.settings import Settings, WatchdogSettings
from tests.local.shared_engine import Shared
from tests.local.users import User, python_for_users

NOBODYS_NUMBERS = 64001, 64002


@pytest.fixture
def strict(engine_directory: Path) -> None:
    """A watchdog that does not wait long."""
    watchdog = WatchdogSettings(allowance_mib=100, readings=2, interrupt_after_s=0.5, stop_after_s=0.5)
    Settings(watchdog=watchdog).write(engine_directory)


@pytest.fixture
def meeting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that everybody may pass, the place where clients look for a shared engine in it."""
    folder = Path(tempfile.mkdtemp(prefix="runai-"))
    folder.chmod(0o711)
    monkeypatch.delenv("RUNAI_ENGINE_DIR", raising=False)
    monkeypatch.setenv("RUNAI_SHARED_DIR", str(folder / "run"))
    monkeypatch.setenv("RUNAI_LEDGER_DIR", str(folder / "host-ledger"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def configured(meeting: Path) -> Iterator[Shared]:
    """A shared engine that is not started yet."""
    shared = Shared(meeting)
    yield shared
    shared.stop_everything()


@pytest.fixture
def shared(configured: Shared) -> Shared:
    """A shared engine with two simulated devices."""
    configured.start()
    return configured


@pytest.fixture
def root(shared: Shared) -> Iterator[Client]:
    """Root's own client of the shared engine."""
    client = Client()
    yield client
    client.close()


@pytest.fixture
def users(meeting: Path) -> tuple[User, User]:
    """Two users without accounts."""
    python, path = python_for_users(meeting)
    ana, ben = NOBODYS_NUMBERS
    return User(ana, python, path), User(ben, python, path)
