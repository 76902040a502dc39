"""Work with devices that was not submitted here is seen, and told what its kind is made for, with its user's rights."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing

import pytest
from kubernetes import client

from scheduler_core.errors import Conflict, NotFound
from scheduler_core.kubernetes.engine import KubernetesEngine
from scheduler_core.workload import EngineState, Event, Origin, WorkloadChanged, WorkloadDeleted
from tests.cluster.control_plane import ControlPlane, wait_until
from tests.cluster.controlled import Team, controlled

CONTAINER = {
    "name": "main",
    "image": "localhost/python:3",
    "command": ["/bin/sleep", "1000"],
    "resources": {"limits": {"nvidia.com/gpu": "4"}},
}
TEMPLATE = {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}


@pytest.fixture
def team(installed: ControlPlane) -> Iterator[Team]:
    team = Team(installed)
    yield team
    client.BatchV1Api(team.core.api_client).delete_collection_namespaced_job(
        team.namespace, propagation_policy="Background"
    )
    team.clear()


@pytest.fixture
def engine(
    installed: ControlPlane,
    team: Team,
    monkeypatch: pytest.MonkeyPatch,
    jp_asyncio_loop: asyncio.AbstractEventLoop,
) -> Iterator[KubernetesEngine]:
    monkeypatch.setenv("KUBECONFIG", str(installed.user_of(team.namespace)))
    engine = jp_asyncio_loop.run_until_complete(KubernetesEngine.open())
    yield engine
    jp_asyncio_loop.run_until_complete(engine.close())


def job(team: Team) -> None:
    body = {"metadata": {"name": "train"}, "spec": {"parallelism": 2, "completions": 2, "template": TEMPLATE}}
    client.BatchV1Api(team.core.api_client).create_namespaced_job(team.namespace, body)
    wait_until("its pods are there", lambda: len(team.pods()) == 2)


def place(team: Team, name: str, node: str) -> None:
    """As another scheduler does."""
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    body = {"metadata": {"name": name}, "target": target}
    team.core.create_namespaced_pod_binding(name, team.namespace, body, _preload_content=False)


async def test_a_job_of_another_scheduler_is_one_workload(engine: KubernetesEngine, team: Team) -> None:
    job(team)
    (seen,) = await engine.list()
    assert (seen.id, seen.name, seen.kind, seen.state) == ("job.train", "train", "training", "pending")
    assert (seen.tasks, seen.min_tasks, seen.request.whole_devices) == (2, 1, 4)
    assert seen.origin == Origin(
        kind="Job", level="third-party", scheduler="default-scheduler", actions=("stop", "suspend", "resume")
    )
    await engine.suspend(seen.id)
    wait_until("its pods have gone", lambda: not team.pods())
    with pytest.raises(NotFound):
        await engine.get(seen.id)


async def test_what_nobody_knows_is_only_shown(engine: KubernetesEngine, team: Team) -> None:
    owner = {"apiVersion": "example.org/v1", "kind": "Thing", "name": "one", "uid": "1-2", "controller": True}
    body = {
        "metadata": {"name": "pod", "ownerReferences": [owner]},
        "spec": {"containers": [CONTAINER], "schedulerName": "someone"},
    }
    team.core.create_namespaced_pod(team.namespace, body)
    (seen,) = await engine.list()
    assert seen.origin == Origin(kind="Thing", level="other", scheduler="someone")
    for act in (engine.stop, engine.suspend):
        with pytest.raises(Conflict, match="A Thing of another project cannot be told"):
            await act(seen.id)


async def test_each_change_of_it_is_an_event(engine: KubernetesEngine, team: Team) -> None:
    async def until(events: AsyncGenerator[Event, None], reached: Callable[[Event], bool]) -> None:
        async with asyncio.timeout(60):
            while not reached(await anext(events)):
                pass

    async with aclosing(engine.watch()) as events:
        assert isinstance(await anext(events), EngineState)
        job(team)
        await until(events, lambda event: isinstance(event, WorkloadChanged) and event.workload.tasks == 2)
        for pod in team.pods():
            place(team, pod.metadata.name, "node-0")
        await until(events, lambda event: isinstance(event, WorkloadChanged) and event.workload.state == "running")
        await engine.stop("job.train")
        await until(events, lambda event: isinstance(event, WorkloadDeleted) and event.id == "job.train")


async def test_what_it_holds_is_taken_off_its_node(installed: ControlPlane, team: Team) -> None:
    job(team)
    for pod in team.pods():
        place(team, pod.metadata.name, "node-0")
    with controlled(installed):
        on_it = {"nodeSelector": {"kubernetes.io/hostname": "node-0"}}
        team.until_waiting(team.pod(1, **on_it), "no ")
        (elsewhere,) = team.until_bound(team.pod(8))
        assert elsewhere.spec.node_name == "node-1"
