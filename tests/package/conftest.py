"""Empty virtual environments to install into."""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path

import pytest


class Environment:
    """A virtual environment with nothing in it but pip."""

    def __init__(self, path: Path) -> None:
        self.bin = path / "bin"
        venv.create(path, with_pip=True)

    def run(self, *command: str | Path, path: str = "", cwd: Path | None = None, **variables: str) -> str:
        """What a command says, run with nothing but this environment and `path` on PATH."""
        environment = {
            **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")},
            **variables,
            "PATH": f"{self.bin}:{path}" if path else str(self.bin),
        }
        process = subprocess.run(
            [str(word) for word in command],
            env=environment,
            cwd=cwd or self.bin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=900,
        )
        assert process.returncode == 0, process.stdout
        return process.stdout


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "environment")
