"""Workers that really compute together: the example notebook, as it is."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

from tests.notebooks.cells import run_cells

EXAMPLE = Path(__file__).parents[2] / "binder" / "distributed.ipynb"
ROWS = re.compile(r"(?:\[(\d)\] )?449 of 1796 rows: (\S+) by itself, (\S+) with all")


def test_four_workers_sum_one_gradient_in_a_cell_and_in_a_function(simulated: Path, tmp_path: Path) -> None:
    cells = nbformat.read(EXAMPLE, as_version=4).cells
    _, alone, _, cell, compared, function = run_cells(
        tmp_path, *(cell.source for cell in cells if cell.cell_type == "code")
    )
    norm = alone.value.strip("'").split()[-1]
    assert float(norm) > 0
    said = ROWS.findall(cell.text)
    assert sorted(rank for rank, _, _ in said) == ["0", "1", "2", "3"]
    assert len({own for _, own, _ in said}) == 4 and norm not in {own for _, own, _ in said}
    assert {together for _, _, together in said} == {norm}
    assert "completed" in cell.line and "together ← ndarray" in cell.line
    assert compared.value == f"'with four workers {norm}, in one process {norm}'"
    assert function.error == ""
    assert [together for _, _, together in ROWS.findall(function.text)] == [norm]
