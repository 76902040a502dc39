"""One cluster for all tests of a run; each has namespaces of its own."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from kubernetes import client

from scheduler_core.kubernetes.api.blobs import PORT
from scheduler_core.kubernetes.engine import KubernetesEngine
from tests.cluster.binding import Binding
from tests.cluster.control_plane import ControlPlane
from tests.cluster.controlled import Controller, Team, clear, controlled, install, set_up
from tests.cluster.image import PYTHON_IMAGE
from tests.cluster.logs import let_devices_speak
from tests.cluster.real_cluster import RealCluster, obstacle
from tests.cluster.reconcilers import Reconcilers

NODES, DEVICES = 2, 8
_run_numbers = count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two real nodes would want the same network and port: what needs one can be left to one process."""
    for item in items:
        if "real" in getattr(item, "fixturenames", ()):
            item.add_marker("real_node")


@pytest.fixture(scope="session")
def cluster() -> Iterator[ControlPlane]:
    """A control plane with two nodes of eight devices that KWOK plays."""
    # A short path: sockets lie in it.
    made = ControlPlane(Path(tempfile.mkdtemp(prefix="runai-cluster-")))
    try:
        made.start()
        made.add_nodes(NODES, DEVICES)
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="session")
def real() -> Iterator[RealCluster]:
    """A cluster with one node on which pods really run, two devices that are but counted, and our controller."""
    missing = obstacle()
    if missing:
        pytest.skip(missing)
    made = RealCluster(Path(tempfile.mkdtemp(prefix="runai-real-")), devices=2)
    try:
        made.start()
        set_up(made)
        install(made, "--history", "volume")
        # Pods find it at the port that it has in a cluster.
        with controlled(made, image=PYTHON_IMAGE, values_port=PORT, history=made.folder / "history"):
            made.serve_values(PORT)
            yield made
    finally:
        made.remove()


@pytest.fixture(scope="session")
def installed(cluster: ControlPlane) -> ControlPlane:
    """The same, with all that the product puts in place."""
    set_up(cluster)
    let_devices_speak(cluster, NODES, DEVICES)
    return cluster


@pytest.fixture(scope="module")
def controller(installed: ControlPlane) -> Iterator[Controller]:
    """Our controller, at work."""
    with controlled(installed) as controller:
        yield controller


@pytest.fixture
def team(installed: ControlPlane, controller: Controller) -> Iterator[Team]:
    """A namespace on two nodes of eight devices each, of which nothing is left afterwards."""
    team = Team(installed)
    yield team
    team.clear()


@pytest.fixture(scope="module")
def reconcilers(installed: ControlPlane) -> Iterator[Reconcilers]:
    found = Reconcilers(installed)
    found.start()
    yield found
    while found.running:
        found.kill()


@pytest.fixture
def namespace(reconcilers: Reconcilers) -> str:
    return f"runs-{next(_run_numbers)}"


@pytest.fixture
def engine(
    installed: ControlPlane,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    jp_asyncio_loop: asyncio.AbstractEventLoop,
) -> Iterator[KubernetesEngine]:
    monkeypatch.setenv("KUBECONFIG", str(installed.user_of(namespace)))
    engine = jp_asyncio_loop.run_until_complete(KubernetesEngine.open(image="localhost/python:3"))
    yield engine
    jp_asyncio_loop.run_until_complete(engine.close())


@pytest.fixture
def binding(engine: KubernetesEngine, installed: ControlPlane, namespace: str) -> Iterator[Binding]:
    binding = Binding(installed, namespace)
    yield binding
    clear(binding.core, client.CustomObjectsApi(installed.api()), namespace)
