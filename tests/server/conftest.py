"""A real Jupyter server with the extension, its engine simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def jp_server_config(simulated: Path, jp_server_config: dict[str, Any]) -> dict[str, Any]:
    """Nothing may be reached without a token."""
    return {
        "ServerApp": {
            "jpserver_extensions": {"jupyter_runai": True},
            "allow_unauthenticated_access": False,
        }
    }
