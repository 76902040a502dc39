"""`--keep` on a cluster: the pod and what it holds stay for the next cell of the name, which runs there afresh."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from tests.cluster.image import PYTHON_IMAGE
from tests.cluster.real_cluster import RealCluster
from tests.engine_steps import RUNS, asked
from tests.notebooks.cells import Ran, run_cells

KEPT = f"%%runai train --gpu 1 --name warm --keep 10m --image {PYTHON_IMAGE}"
WHERE = "import os, socket\nprint(socket.gethostname(), os.getpid())"
_numbers = count()


@pytest.fixture
def client(real: RealCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    namespace = f"warm-{next(_numbers)}"
    monkeypatch.setenv("KUBECONFIG", str(real.user_of(namespace)))
    monkeypatch.setenv("RUNAI_ENGINE", "kubernetes")
    client = Client()
    yield client
    for workload in client.list():
        client.stop(workload.id)
        until(client, workload.id, "completed", "stopped", "failed")
    client.close()


def until(client: Client, workload_id: str, *states: str) -> None:
    for workload in client.changes(workload_id):
        if workload is not None and workload.state in states:
            return
    raise AssertionError(client.get(workload_id))


def run(folder: Path, *sources: str) -> list[Ran]:
    return run_cells(folder, "%load_ext jupyter_runai\nimport numpy", *sources)[1:]


def test_the_next_cell_runs_afresh_in_the_same_pod_on_what_is_there(client: Client, tmp_path: Path) -> None:
    _, first, listed, second, _, changed, failing, after = run(
        tmp_path,
        "many = numpy.arange(100_000); factor = 2",
        f"{KEPT} -o total\nmine = 1\ntotal = int(many.sum()) * factor\n{WHERE}",
        "%runai list",
        f"{KEPT} -o total\nprint('mine' in dir())\ntotal = int(many.sum()) * factor\n{WHERE}",
        "factor = 3",
        f"{KEPT} -o total\ntotal = int(many.sum()) * factor\nprint(total, end='')",
        f"{KEPT}\n1 / 0",
        f"{KEPT}\n{WHERE}",
    )
    total = sum(range(100_000))
    assert "total ← int" in first.line and "kept for" in first.line, first.error + first.text
    assert "kept until" in listed.text
    host, pid = first.text.split()
    left, again, other = second.text.split()
    assert (left, again) == ("False", host)
    assert other != pid
    assert "total ← int" in second.line
    assert changed.text.strip() == str(3 * total)
    assert "ZeroDivisionError" in failing.error
    assert after.text.split()[0] == host
    kept = client.find("warm")
    assert (kept.state, kept.kept_until is not None, kept.allocation is not None) == ("running", True, True)


def test_what_is_only_kept_gives_way_at_once_and_is_done(client: Client, tmp_path: Path) -> None:
    run(tmp_path, f"{KEPT.replace('--gpu 1', '--gpu 2')}\nprint('here')")
    kept = client.find("warm")
    urgent = client.submit(asked(RUNS, 2, image=PYTHON_IMAGE, priority=150))
    until(client, urgent.id, "running")
    until(client, kept.id, "completed")
    assert client.get(kept.id).restarts == 0


def test_a_cell_that_keeps_nothing_more_ends_it(client: Client, tmp_path: Path) -> None:
    _, last = run(tmp_path, f"{KEPT}\nprint(1)", "%%runai train --name warm -o x\nx = 5\nprint('end')")
    assert last.text == "end\n" and "x ← int" in last.line, last.error
    until(client, client.find("warm").id, "completed")
