"""Functions as workloads of a simulated engine of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_runai.client import Client, shared_client
from tests.notebooks.cells import Ran, run_cells

Notebook = Callable[..., list[Ran]]


@pytest.fixture
def engine(simulated: Path) -> Iterator[Client]:
    """The client that this process's functions go through."""
    yield shared_client()
    shared_client().close()


@pytest.fixture
def notebook(simulated: Path, tmp_path: Path) -> Notebook:
    """Run cells in a fresh kernel each time, and give what each left."""
    return lambda *sources: run_cells(tmp_path, "import jupyter_runai as runai", *sources)[1:]
