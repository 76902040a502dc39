"""The demo notebook as it is, its cells and functions on a cluster, on halves and quarters of a device."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from jupyter_runai.client import Client
from scheduler_core.workload import Workload
from tests.cluster.controlled import queues
from tests.cluster.image import PYTHON_IMAGE
from tests.cluster.real_cluster import RealCluster

NOTEBOOK = Path(__file__).parents[2] / "binder" / "demo.ipynb"
NAMESPACE = "demo"


@pytest.fixture
def client(real: RealCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("KUBECONFIG", str(real.user_of(NAMESPACE)))
    monkeypatch.setenv("RUNAI_ENGINE", "kubernetes")
    real.let_see_all(NAMESPACE)
    client = Client()
    yield client
    for workload in client.list():
        client.stop(workload.id)
    client.close()


@pytest.mark.timeout(600)
def test_the_demo_notebook_runs_on_a_cluster(real: RealCluster, client: Client, tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    held: dict[str, Workload] = {}

    def look(cell: object, cell_index: int, **_: object) -> None:
        held.update({one.name: one for one in client.list() if one.allocation is not None})

    with queues(real, default={"image": PYTHON_IMAGE}):
        NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": str(tmp_path)}},
            on_cell_executed=look,
        ).execute()
    said = "\n".join(str(output) for cell in notebook.cells for output in cell.get("outputs", ()))
    assert "of the digits it has not seen are right" in said
    assert "model ← SVC" in said
    assert "never" in said
    search = held["search"]
    assert search.allocation is not None
    (device,) = search.allocation.devices
    assert (device.portion_milli, search.allocation.enforcement.level) == (500, "framework")
