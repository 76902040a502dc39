"""The engine in memory that tests may use keeps the contract of engines too."""

from __future__ import annotations

import pytest

from tests.engine_contract import EngineContract
from tests.memory_engine import MemoryEngine


class TestMemoryEngine(EngineContract):
    """Without a daemon or a process."""

    @pytest.fixture
    def engine(self) -> MemoryEngine:
        return MemoryEngine()
