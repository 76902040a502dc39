"""The engine on one machine keeps the contract of engines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler_core.local import LocalEngine
from tests.engine_contract import EngineContract


class TestLocalEngine(EngineContract):
    """With a daemon and real processes."""

    @pytest.fixture
    def engine(self, simulated: Path, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[LocalEngine]:
        engine = LocalEngine()
        yield engine
        jp_asyncio_loop.run_until_complete(engine.close())
