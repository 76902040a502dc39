"""Who may see the whole cluster is told its devices, positions and remedies; who may not is told what is written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from kubernetes import client

from scheduler_core.errors import NotAllowed
from scheduler_core.kubernetes.engine import KubernetesEngine
from scheduler_core.model import TaskRequest
from scheduler_core.workload import WorkloadSpec
from tests.cluster.control_plane import ControlPlane, wait_until
from tests.cluster.controlled import Team


@pytest.fixture
def engine(
    installed: ControlPlane, team: Team, monkeypatch: pytest.MonkeyPatch, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> Iterator[KubernetesEngine]:
    """The engine of one who may edit one namespace, and nothing else."""
    monkeypatch.setenv("KUBECONFIG", str(installed.user_of(team.namespace)))
    engine = jp_asyncio_loop.run_until_complete(KubernetesEngine.open())
    yield engine
    jp_asyncio_loop.run_until_complete(engine.close())


@pytest.fixture
def may_see_all(installed: ControlPlane, team: Team) -> Iterator[None]:
    """They may see the whole cluster."""
    rules = client.RbacAuthorizationV1Api(installed.api())
    account = {"kind": "ServiceAccount", "name": f"{team.namespace}-edit", "namespace": team.namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "jupyter-runai-cluster-view"}
    rules.create_cluster_role_binding({"metadata": {"name": team.namespace}, "roleRef": role, "subjects": [account]})
    yield
    rules.delete_cluster_role_binding(team.namespace)


def asked(gpu: int | str, **fields: object) -> WorkloadSpec:
    command, image = ("/bin/sleep", "1000"), "localhost/python:3"
    return WorkloadSpec(command=command, cwd="/", request=TaskRequest(gpu=gpu), image=image, **fields)  # type: ignore[arg-type]


async def test_every_device_says_who_holds_it(engine: KubernetesEngine, team: Team, may_see_all: None) -> None:
    team.until_bound(team.pod(annotations={"gpu-fraction": "0.25"}), team.pod(7))
    team.pod(1, schedulerName="somebody-else", nodeName="node-1")
    devices = await engine.devices()
    assert [device.id for device in devices[:2]] == ["node-0/0", "node-0/1"]
    assert len(devices) == 16
    held = [(holder.kind, holder.portion_milli) for device in devices for holder in device.holders]
    assert sorted(held) == [("foreign", 1000), ("workload", 250), *[("workload", 1000)] * 7]


async def test_a_preview_names_its_place(engine: KubernetesEngine, team: Team, may_see_all: None) -> None:
    team.until_bound(team.pod(8, nodeSelector={"kubernetes.io/hostname": "node-0"}))
    verdict = await engine.preview(asked("0.5"))
    assert verdict.state == "placed"
    (place,) = verdict.facts["place"]
    assert (place["node"], len(place["devices"])) == ("node-1", 1)
    assert (await engine.preview(asked(9))).code == "never_fits"
    assert [workload for workload in await engine.list() if workload.origin is None] == []


async def test_positions_are_worked_out_when_asked_for(engine: KubernetesEngine, team: Team, may_see_all: None) -> None:
    team.until_bound(team.pod(8), team.pod(7))
    first, second = await engine.submit(asked(2)), await engine.submit(asked(2, priority=10))
    for workload in (first, second):
        team.pod(2, labels={"jupyter-runai.io/workload": workload.id})
    wait_until("both have a verdict", lambda: team.verdict(first.id) and team.verdict(second.id))
    explained = await engine.explain(second.id, remedies=True)
    assert explained.verdict is not None
    assert (explained.verdict.position, explained.verdict.ahead) == (2, (first.id,))
    assert "devices 2 to 1" in [remedy.change for remedy in explained.remedies]
    assert next(one.request for one in explained.remedies if one.request is not None).gpu == 1
    assert explained.queue is not None


async def test_without_rights_what_is_written_is_told(engine: KubernetesEngine, team: Team) -> None:
    team.until_bound(team.pod(8), team.pod(8))
    workload = await engine.submit(asked(1))
    team.pod(1, labels={"jupyter-runai.io/workload": workload.id})
    wait_until("it has a verdict", lambda: team.verdict(workload.id) is not None)
    explained = await engine.explain(workload.id, remedies=True)
    assert explained.verdict is not None
    assert (explained.verdict.position, explained.remedies) == (None, ())
    for call in (engine.devices(), engine.preview(asked(1))):
        with pytest.raises(NotAllowed, match="Only who may see the whole cluster can be told") as refused:
            await call
        assert "jupyter-runai-cluster-view" in refused.value.hint
