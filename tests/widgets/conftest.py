"""Kernels with widgets on a simulated engine of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebooks.cells import run_cells
from tests.notebooks.conftest import RunCells
from tests.widgets import kernel as kernels
from tests.widgets.kernel import Kernel


@pytest.fixture
def kernel(simulated: Path, tmp_path: Path) -> Iterator[Kernel]:
    with kernels.kernel(tmp_path) as started:
        yield started


@pytest.fixture
def run(simulated: Path, tmp_path: Path) -> RunCells:
    """Run cells one after another in a notebook without a browser, and give what each left."""
    return lambda *sources: run_cells(tmp_path, *sources)
