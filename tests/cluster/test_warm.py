"""`--keep` on a cluster: the pods and what they hold stay for the next cell of the name, which runs there afresh."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from kubernetes import client as api

from jupyter_runai.client import Client
from scheduler_core.kubernetes.api.resources import WORKLOAD_LABEL
from tests.cluster.clients import client_that_tidies, until
from tests.cluster.image import PYTHON_IMAGE
from tests.cluster.real_cluster import RealCluster
from tests.cluster.test_real_node import ALL_REDUCE
from tests.engine_steps import RUNS, asked
from tests.notebooks.cells import Ran, run_cells
from tests.notebooks.live import live_kernel

KEPT = f"%%runai train --gpu 1 --name warm --keep 10m --image {PYTHON_IMAGE}"
GANG = f"%%runai train --gpu 1 --workers 2 --name ring --keep 10m --image {PYTHON_IMAGE}"
WHERE = "import os, socket\nprint(socket.gethostname(), os.getpid())"
_numbers = count()


@pytest.fixture
def client(real: RealCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    namespace = f"warm-{next(_numbers)}"
    monkeypatch.setenv("KUBECONFIG", str(real.user_of(namespace)))
    monkeypatch.setenv("RUNAI_ENGINE", "kubernetes")
    with client_that_tidies() as client:
        yield client


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


@pytest.mark.parametrize(
    ("line", "name"), [(KEPT.replace("--gpu 1", "--gpu 2"), "warm"), (GANG, "ring")], ids=["one", "gang"]
)
def test_what_is_only_kept_gives_way_at_once_and_is_done(client: Client, tmp_path: Path, line: str, name: str) -> None:
    (ran,) = run(tmp_path, f"{line}\nprint('here')")
    assert "here" in ran.text, ran.error
    kept = client.find(name)
    urgent = client.submit(asked(RUNS, 2, image=PYTHON_IMAGE, priority=150))
    until(client, urgent.id, "running")
    until(client, kept.id, "completed")
    assert client.get(kept.id).restarts == 0


def test_a_cell_that_keeps_nothing_more_ends_it(client: Client, tmp_path: Path) -> None:
    _, last = run(tmp_path, f"{KEPT}\nprint(1)", "%%runai train --name warm -o x\nx = 5\nprint('end')")
    assert last.text == "end\n" and "x ← int" in last.line, last.error
    until(client, client.find("warm").id, "completed")


def test_workers_meet_in_each_cell_anew_in_the_same_pods(client: Client, tmp_path: Path) -> None:
    reduce = f"{GANG} -o total\n{ALL_REDUCE}\ntotal = float(total[0]) * factor"
    _, first, _, second, failing, after = run(
        tmp_path,
        "factor = 1",
        f"{reduce}; left = 1",
        "factor = 2",
        f"{reduce}; print('total', total, 'left' in dir())",
        f"{GANG}\nimport os, signal\nif os.environ['RANK'] == '0': signal.pause()\n1 / 0",
        f"{GANG}\n{WHERE}",
    )
    said = [sorted(re.findall(r"\[\d\] (\S+) has \S+ and all have 3.0", ran.text)) for ran in (first, second)]
    assert said[0] == said[1] and len({*said[0]}) == 2, first.text + first.error + second.text + second.error
    assert second.text.count("total 6.0 False") == 2 and "total ← float" in second.line
    assert "ZeroDivisionError" in failing.error and "Task 1 of 2 failed:" in failing.error
    assert sorted(line.split()[1] for line in after.text.splitlines()) == said[0]
    kept = client.find("ring")
    assert (kept.state, kept.kept_until is not None, kept.restarts) == ("running", True, 0)
    assert kept.allocation is not None and sum(device.portion_milli for device in kept.allocation.devices) == 2000


def test_a_pod_that_is_lost_is_said_and_nothing_is_left_half_kept(
    client: Client, real: RealCluster, tmp_path: Path
) -> None:
    core = api.CoreV1Api(real.api())

    def lose_the_second(workload_id: str) -> None:
        (pod,) = (
            found
            for found in core.list_pod_for_all_namespaces(label_selector=f"{WORKLOAD_LABEL}={workload_id}").items
            if found.metadata.annotations["batch.kubernetes.io/job-completion-index"] == "1"
        )
        core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace)

    with live_kernel(tmp_path) as kernel:
        kernel.run(f"{GANG}\npass")
        first = client.find("ring").id
        lose_the_second(first)
        until(client, first, "completed")
        assert "What ring kept is gone before its time: it starts anew.\n" in kernel.run(f"{GANG}\npass")
        kernel.start(f"{GANG}\nimport signal\nprint('up', flush=True)\nsignal.pause()")
        kernel.until_said("[1] up")
        second = client.find("ring").id
        assert second != first
        lose_the_second(second)
        said = kernel.until_done()
    assert "KeptLost" in said and "what was kept there is gone. Run the cell again." in said
    assert all(workload.has_ended for workload in client.list())
