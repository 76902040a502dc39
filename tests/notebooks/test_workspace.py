"""`%runai workspace` in a notebook: made there, used by another notebook, and seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_runai.client import Client
from tests.helpers import outcome
from tests.notebooks.cells import run_cells
from tests.notebooks.conftest import RunCells
from tests.notebooks.live import LiveKernel


@pytest.fixture(autouse=True)
def _own_kernelspecs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))


def test_a_notebook_makes_one_that_outlives_it(run: RunCells, tmp_path: Path) -> None:
    made, missing = run("%runai workspace create vision --gpu 0.5", "%runai workspace open vison")
    assert made.text == "vision is running. Choose the kernel 'Workspace vision (0.5)' for a notebook on it.\n"
    assert "There is no workspace 'vison'.\nDid you mean vision?" in missing.error
    client = Client()
    (workload,) = client.list()
    first = "%load_ext jupyter_runai\nimport os\nkept = os.environ['RUNAI_WORKLOAD_ID']"
    run_cells(tmp_path, first, kernel="workspace-vision")
    inside = run_cells(tmp_path, "kept", "%runai resize 0.25", "%runai workspace list", kernel="workspace-vision")
    assert inside[0].value == f"'{workload.id}'"
    assert inside[1].text == "vision has 0.25 now.\n"
    row = inside[2].text.splitlines()[1].split()
    assert [word.rstrip(",") for word in row[:4]] == ["vision", workload.id, "0.25", "running"]
    assert run("%runai workspace delete vision")[0].text.startswith("The workspace vision is deleted.")
    assert outcome(client, workload.id)[0].state == "stopped"
    client.close()


def test_its_name_is_completed(kernel: LiveKernel) -> None:
    kernel.run("%runai workspace create vision --gpu 0.5")
    assert kernel.complete("%runai workspace suspend v") == ["%runai workspace suspend vision"]
    assert "%runai workspace create" in kernel.complete("%runai work")
    kernel.run("%runai workspace delete vision")
