"""Runs cells in a real kernel against a simulated engine of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.notebook.cells import Ran

RunCells = Callable[..., list[Ran]]


@pytest.fixture
def run(simulated: Path, tmp_path: Path) -> RunCells:
    """Run cells one after another, errors included, and give what each left."""

    def run(*sources: str) -> list[Ran]:
        cells = [nbformat.v4.new_code_cell(source) for source in ("%load_ext jupyter_runai", *sources)]
        notebook = nbformat.v4.new_notebook(cells=cells)
        resources = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=120, resources=resources).execute()
        return [Ran(cell) for cell in notebook.cells[1:]]

    return run
