"""Runs cells in a real kernel against a simulated engine of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.notebooks.cells import Ran, run_cells
from tests.notebooks.live import LiveKernel, live_kernel

RunCells = Callable[..., list[Ran]]


@pytest.fixture
def run(simulated: Path, tmp_path: Path) -> RunCells:
    """Run cells one after another after loading the extension, errors included, and give what each left."""
    return lambda *sources: run_cells(tmp_path, "%load_ext jupyter_runai", *sources)[1:]


@pytest.fixture
def kernel(simulated: Path, tmp_path: Path) -> Iterator[LiveKernel]:
    """A kernel to talk to while its cells run."""
    with live_kernel(tmp_path) as live:
        yield live
