"""A kernel in a pod, behind a real Jupyter server outside of the cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import stamina
from kubernetes import client as api

from jupyter_runai.client import Client
from scheduler_core.workload import WorkloadSpec
from tests.cluster.clients import client_that_tidies, until
from tests.cluster.image import PYTHON_IMAGE
from tests.cluster.real_cluster import RealCluster
from tests.engine_steps import RUNS, asked
from tests.kernels.jupyter import Jupyter

HOST = "__import__('socket').gethostname()"
PID = "__import__('os').getpid()"
_numbers = count()

StartServer = Callable[..., Jupyter]


@pytest.fixture
def namespace(real: RealCluster, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"kernels-{next(_numbers)}"
    monkeypatch.setenv("KUBECONFIG", str(real.user_of(name)))
    monkeypatch.setenv("RUNAI_ENGINE", "kubernetes")
    real.let_see_all(name)
    return name


@pytest.fixture
def start_server(client: Client, tmp_path: Path) -> Iterator[StartServer]:
    started: list[Jupyter] = []

    def start(queue_timeout_s: float = 60) -> Jupyter:
        server = Jupyter(tmp_path, f"--RunaiProvisioner.queue_timeout={queue_timeout_s}")
        started.append(server)
        for words in (("one", "--gpu", "1"), ("both", "--gpu", "2", "--preemptible")):
            said = server.say("kernelspec", "install", "--image", PYTHON_IMAGE, "--profile", *words)
            assert said.returncode == 0, said.stderr
        return server

    yield start
    for server in started:
        server.close()


@pytest.fixture
def client(namespace: str) -> Iterator[Client]:
    """The same cluster, asked beside the server."""
    with client_that_tidies() as client:
        yield client


async def test_a_kernel_runs_in_a_pod_with_all_that_people_do_to_one(
    start_server: StartServer, client: Client, real: RealCluster, namespace: str, tmp_path: Path
) -> None:
    server = start_server()
    kernel = await server.start("runai-one")
    (workload,) = client.list()
    assert (workload.kind, workload.state, workload.request.gpu) == ("workspace", "running", 1)
    host = await kernel.value(HOST)
    assert host.strip("'").startswith(workload.id)
    # Signed, and encrypted where both sides can.
    (file,) = (tmp_path / "RUNTIME").glob("kernel-*.json")
    connection = json.loads(file.read_text())
    assert connection["key"] and connection["curve_publickey"] and connection["ip"] == "127.0.0.1"

    await kernel.run("kept = 1")
    running_cell = await kernel.send("import time\nprint('up', flush=True)\ntime.sleep(600)")
    await kernel.until_printed("up")
    await kernel.interrupt()
    assert (await kernel.reply(running_cell))["ename"] == "KeyboardInterrupt"
    assert await kernel.value("kept") == "1"

    pid = await kernel.value(PID)
    await kernel.restart()
    assert (await kernel.value(HOST), await kernel.value("'kept' in globals()")) == (host, "False")
    assert await kernel.value(PID) != pid
    assert [(one.id, one.restarts) for one in client.list()] == [(workload.id, 0)]

    with real.without_api_server():
        pass
    await kernel.reconnect()
    assert await kernel.value(HOST) == host

    await kernel.shut_down()
    until(client, workload.id, "completed", "stopped")
    core = api.CoreV1Api(real.api())

    @stamina.retry(on=AssertionError, attempts=50, timeout=30)
    def is_freed() -> None:
        pods = core.list_namespaced_pod(namespace).items
        assert all(pod.status.phase in ("Succeeded", "Failed") for pod in pods)

    is_freed()
    keys = json.dumps(
        [
            core.read_namespaced_pod_log(pod.metadata.name, namespace, container=name)
            for pod in core.list_namespaced_pod(namespace).items
            for name in ("task", "collector")
        ]
    )
    assert connection["key"] not in keys


async def test_a_start_without_a_device_says_why_and_where_it_waits(start_server: StartServer, client: Client) -> None:
    server = start_server(queue_timeout_s=2)
    holds = client.submit(_holding(2, priority=150))
    until(client, holds.id, "running")
    answer = await server.ask("POST", "kernels", {"name": "runai-one"})
    said = json.loads(answer.body)["message"]
    assert answer.code == 409, said
    assert said.startswith("The kernel got no device within 2 s: 1st in project default; ")
    assert [one.name for one in client.list()] == [holds.name]


async def test_a_preempted_kernel_waits_and_comes_back_on_the_same_connection(
    start_server: StartServer, client: Client
) -> None:
    server = start_server()
    kernel = await server.start("runai-both")
    (workload,) = client.list()
    host = await kernel.value(HOST)
    urgent = client.submit(_holding(2, priority=150))
    await kernel.until_status("restarting")
    until(client, urgent.id, "running")
    until(client, workload.id, "pending")
    client.stop(urgent.id)
    until(client, workload.id, "running")
    await kernel.reconnect()
    assert await kernel.value(HOST) != host
    assert client.get(workload.id).restarts == 1


def _holding(gpu: int, **fields: object) -> WorkloadSpec:
    return asked(RUNS, gpu, image=PYTHON_IMAGE, **fields)
