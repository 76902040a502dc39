"""A user of a cluster submits, sees and ends workloads with their own rights, all of it kept by the API server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from itertools import count
from pathlib import Path

import pytest
from kubernetes import client
from msgspec.structs import replace

from scheduler_core.engine import Engine
from scheduler_core.errors import Conflict, EngineUnavailable, InvalidRequest, NotAllowed, NotFound
from scheduler_core.kubernetes.api.resources import RESERVATIONS
from scheduler_core.kubernetes.engine import KubernetesEngine
from scheduler_core.model import TaskRequest
from scheduler_core.workload import EngineState, WorkloadChanged, WorkloadDeleted, WorkloadSpec
from tests.cluster.control_plane import ControlPlane, wait_until
from tests.cluster.image import PYTHON_IMAGE
from tests.cluster.real_cluster import RealCluster
from tests.engine_contract import EngineContract

IMAGE = "localhost/python:3"
GROUP, VERSION = "jupyter-runai.io", "v1alpha1"
_numbers = count()


@pytest.fixture
def namespace() -> str:
    return f"team-{next(_numbers)}"


@pytest.fixture
def engine(
    installed: ControlPlane,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    jp_asyncio_loop: asyncio.AbstractEventLoop,
) -> Iterator[KubernetesEngine]:
    """The engine of one who may edit one namespace, and nothing else."""
    monkeypatch.setenv("KUBECONFIG", str(installed.user_of(namespace)))
    engine = jp_asyncio_loop.run_until_complete(KubernetesEngine.open(image=IMAGE))
    yield engine
    jp_asyncio_loop.run_until_complete(engine.close())
    # A controller of later tests would run them.
    client.CustomObjectsApi(installed.api()).delete_collection_namespaced_custom_object(
        GROUP, VERSION, namespace, "gpuworkloads"
    )


@pytest.fixture
def custom(installed: ControlPlane) -> client.CustomObjectsApi:
    return client.CustomObjectsApi(installed.api())


def asked(**fields: object) -> WorkloadSpec:
    return WorkloadSpec(
        command=("/bin/sleep", "1000"),
        cwd="/",
        **{"env": {"TOKEN": "secret"}, "request": TaskRequest(gpu="0.5"), **fields},  # type: ignore[arg-type]
    )


def end(custom: client.CustomObjectsApi, namespace: str, name: str, state: str = "completed") -> None:
    """Say that it has ended, as the controller does."""
    status = {"status": {"state": state, "ended": 1.5, "exit_code": 0}}
    custom.patch_namespaced_custom_object_status(GROUP, VERSION, namespace, "gpuworkloads", name, status)


async def test_what_is_submitted_is_there_for_every_engine(engine: KubernetesEngine, namespace: str) -> None:
    spec = asked(name="greeting", tasks=3, min_tasks=2)
    workload = await engine.submit(spec)
    assert (workload.name, workload.state, workload.tasks, workload.min_tasks) == ("greeting", "pending", 3, 2)
    assert workload.owner == f"system:serviceaccount:{namespace}:{namespace}-edit"
    other = await KubernetesEngine.open()
    try:
        assert await other.list() == (workload,)
        assert await other.get(workload.id) == workload
        assert await other.specification(workload.id) == replace(spec, image=IMAGE)
        assert [task.state for task in await other.tasks(workload.id)] == ["pending"] * 3
    finally:
        await other.close()


async def test_a_share_is_the_same_however_it_is_written(engine: KubernetesEngine) -> None:
    for share in (0.25, "0.25"):
        workload = await engine.submit(asked(request=TaskRequest(gpu=share)))
        assert (await engine.get(workload.id)).request.portion_milli == 250


async def test_its_environment_is_in_no_object_but_a_secret_that_goes_with_it(
    engine: KubernetesEngine, installed: ControlPlane, custom: client.CustomObjectsApi, namespace: str
) -> None:
    workload = await engine.submit(asked(env={"TOKEN": "secret", "BASH_FUNC_module%%": "() { :; }"}))
    assert "secret" not in str(custom.list_namespaced_custom_object(GROUP, VERSION, namespace, "gpuworkloads"))
    core = client.CoreV1Api(installed.api())
    kept = core.read_namespaced_secret(workload.id, namespace)
    assert kept.data.keys() == {"TOKEN"}
    assert [owner.name for owner in kept.metadata.owner_references] == [workload.id]
    with pytest.raises(InvalidRequest, match="A pod cannot be given a variable of the name 'a b'"):
        await engine.submit(asked(env={"a b": ""}))
    assert len(await engine.list()) == 1


async def test_the_same_key_is_the_same_workload_also_at_once(
    engine: KubernetesEngine, installed: ControlPlane, namespace: str
) -> None:
    first, second, third = await asyncio.gather(*(engine.submit(asked(key="once")) for _ in range(3)))
    assert first.id == second.id == third.id == (await engine.submit(asked(key="once"))).id
    assert len(await engine.list()) == 1
    (kept,) = client.CoreV1Api(installed.api()).list_namespaced_secret(namespace).items
    assert [owner.name for owner in kept.metadata.owner_references] == [first.id]


async def test_only_what_has_ended_is_deleted_and_it_comes_back(
    engine: KubernetesEngine, custom: client.CustomObjectsApi, namespace: str
) -> None:
    workload = await engine.submit(asked(key="once"))
    with pytest.raises(Conflict):
        await engine.delete(workload.id)
    end(custom, namespace, workload.id)
    await engine.delete(workload.id)
    assert await engine.list() == ()
    with pytest.raises(NotFound):
        await engine.get(workload.id)
    (deleted,) = await engine.list(deleted=True)
    assert (deleted.id, deleted.deleted is None) == (workload.id, False)
    assert (await engine.submit(asked(key="once"))).id != workload.id
    restored = await engine.restore(workload.id)
    assert (restored.state, restored.deleted, restored.restored is None) == ("completed", None, False)
    await engine.delete(workload.id)
    await engine.delete(workload.id, purge=True)
    for call in (engine.restore, engine.delete, engine.get):
        with pytest.raises(NotFound):
            await call(workload.id)


async def test_what_is_wanted_of_a_workload_is_written_for_the_controller(
    engine: KubernetesEngine, custom: client.CustomObjectsApi, namespace: str
) -> None:
    def wanted() -> object:
        return custom.get_namespaced_custom_object(GROUP, VERSION, namespace, "gpuworkloads", workload.id)["spec"][
            "wanted"
        ]

    workload = await engine.submit(asked())
    for change, word in ((engine.suspend, "suspended"), (engine.resume, "running"), (engine.stop, "stopped")):
        await change(workload.id)
        assert wanted() == word
    end(custom, namespace, workload.id, "stopped")
    assert (await engine.stop(workload.id)).state == "stopped"
    for change in (engine.suspend, engine.resume):
        with pytest.raises(Conflict):
            await change(workload.id)


async def test_one_that_makes_no_sense_hides_no_other(
    engine: KubernetesEngine, custom: client.CustomObjectsApi, namespace: str
) -> None:
    workload = await engine.submit(asked())
    spec = {"command": ["/bin/sleep"], "cwd": "/", "request": {"gpu": "0.5", "gpu_memory_mib": 5}}
    body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "GpuWorkload", "metadata": {"name": "odd"}, "spec": spec}
    custom.create_namespaced_custom_object(GROUP, VERSION, namespace, "gpuworkloads", body)
    assert await engine.list() == (workload,)
    async with aclosing(engine.watch()) as events:
        first = await anext(events)
        assert isinstance(first, EngineState)
        assert first.workloads == (workload,)
    with pytest.raises(InvalidRequest, match="The workload odd makes no sense: a GPU request takes one form"):
        await engine.get("odd")


async def test_each_change_is_an_event_and_none_is_missed(
    engine: KubernetesEngine, custom: client.CustomObjectsApi, namespace: str
) -> None:
    before = await engine.submit(asked(name="before"))
    async with aclosing(engine.watch()) as events:
        first = await anext(events)
        assert isinstance(first, EngineState)
        assert [workload.id for workload in first.workloads] == [before.id]
        workload = await engine.submit(asked())
        changed = await anext(events)
        assert isinstance(changed, WorkloadChanged)
        assert (changed.workload, changed.seq) == (workload, first.seq + 1)
        end(custom, namespace, workload.id)
        ended = await anext(events)
        assert isinstance(ended, WorkloadChanged)
        assert (ended.workload.state, ended.workload.ended) == ("completed", 1.5)
        await engine.delete(workload.id)
        deleted = await anext(events)
        assert isinstance(deleted, WorkloadDeleted)
        assert deleted.id == workload.id
    async with aclosing(engine.watch((first.epoch, first.seq))) as events:
        assert await anext(events) == changed


async def test_what_the_cluster_does_not_allow_is_not_allowed(
    engine: KubernetesEngine, installed: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.submit(asked())
    monkeypatch.setenv("KUBECONFIG", str(installed.user_of(namespace, "view")))
    onlooker = await KubernetesEngine.open(image=IMAGE)
    try:
        assert len(await onlooker.list()) == 1
        with pytest.raises(NotAllowed, match="cannot create resource"):
            await onlooker.submit(asked())
    finally:
        await onlooker.close()


async def test_a_queue_is_for_the_namespaces_that_it_names(
    engine: KubernetesEngine, custom: client.CustomObjectsApi, namespace: str
) -> None:
    with pytest.raises(InvalidRequest, match="There is no project 'research'"):
        await engine.submit(asked(queue="research"))
    assert [queue.name for queue in await engine.queues()] == ["default"]
    spec: dict[str, dict[str, object]] = {
        "company": {"gpu": {"quota": 8}},
        "research": {"parent": "company", "gpu": {"quota": 4}, "namespaces": [namespace]},
        "others": {"parent": "company", "namespaces": ["elsewhere"]},
    }
    for name, fields in spec.items():
        body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "GpuQueue", "metadata": {"name": name}, "spec": fields}
        custom.create_cluster_custom_object(GROUP, VERSION, "gpuqueues", body)
    try:
        assert (await engine.submit(asked(queue="research"))).queue == "research"
        assert {queue.name: (queue.parent, queue.quota) for queue in await engine.queues()} == {
            "company": (None, 8),
            "research": ("company", 4),
            "others": ("company", 0),
        }
        for name, sentence in (("others", "is not for the namespace"), ("company", "is a department")):
            with pytest.raises(InvalidRequest, match=sentence):
                await engine.submit(asked(queue=name))
    finally:
        for name in spec:
            custom.delete_cluster_custom_object(GROUP, VERSION, "gpuqueues", name)


async def test_where_no_history_is_kept_that_is_said(engine: KubernetesEngine) -> None:
    for ask, what in ((engine.usage, "Who used what"), (engine.queue_history, "What queues held")):
        with pytest.raises(InvalidRequest, match=f"{what} is not recorded in this cluster.*--history CLAIM"):
            await ask()
    assert "who used what is not recorded" in (await engine.info()).notice


async def test_a_server_that_is_away_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.write_text(
        '{"current-context": "a", "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:1"}}],'
        ' "users": [{"name": "a", "user": {}}], "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}]}'
    )
    monkeypatch.setenv("KUBECONFIG", str(config))
    with pytest.raises(EngineUnavailable, match=r"The cluster at https://127\.0\.0\.1:1 does not answer"):
        await KubernetesEngine.open()


NOT_ON_A_CLUSTER = {
    "policies are not for clusters yet": ("test_policies_are_checked_against_the_work_that_is_there",),
    "history is that of the whole cluster, and of all tests": (
        "test_who_used_what_is_added_up",
        "test_what_queues_held_and_why_work_waited_is_kept",
        "test_an_eviction_is_counted_for_who_was_evicted",
    ),
    "who did what the API server keeps": (
        "test_who_did_what_is_told_in_its_order",
        "test_what_did_not_come_to_pass_is_not_told",
        "test_an_eviction_names_for_whom_it_was",
        "test_who_did_what_is_found_by_what_is_known",
        "test_long_answers_come_in_pages",
    ),
    "a pod keeps what it was given": ("test_a_running_share_changes_its_size_on_its_device",),
    "positions are told with the reasons": ("test_one_that_finds_no_room_waits_says_why_and_starts_when_there_is",),
    "which tasks of an array start first is the scheduler's choice": (
        "test_a_suspended_array_goes_on_with_what_is_left",
    ),
    "the devices of a cluster are its own": ("test_it_says_what_it_is",),
}


@pytest.fixture(scope="session")
def onlookers(real: RealCluster) -> None:
    """Everybody may see the whole of this cluster."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "jupyter-runai-cluster-view"}
    group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated"}
    body = {"metadata": {"name": "onlookers"}, "roleRef": role, "subjects": [group]}
    client.RbacAuthorizationV1Api(real.api()).create_cluster_role_binding(body)


class TestContract(EngineContract):
    """Real pods on a real node, placed by our controller."""

    async def check_given_back(self, engine: Engine) -> None:
        """What holds a shared device goes after the last who shares it."""
        while any(device.holders for device in await engine.devices()):
            await asyncio.sleep(0)

    @pytest.fixture
    def engine(
        self,
        request: pytest.FixtureRequest,
        real: RealCluster,
        onlookers: None,
        namespace: str,
        monkeypatch: pytest.MonkeyPatch,
        jp_asyncio_loop: asyncio.AbstractEventLoop,
    ) -> Iterator[KubernetesEngine]:
        for reason, names in NOT_ON_A_CLUSTER.items():
            if request.function.__name__ in names:
                pytest.skip(reason)
        monkeypatch.setenv("KUBECONFIG", str(real.user_of(namespace)))
        engine = jp_asyncio_loop.run_until_complete(KubernetesEngine.open(image=PYTHON_IMAGE))
        yield engine
        jp_asyncio_loop.run_until_complete(engine.close())
        custom, core = client.CustomObjectsApi(real.api()), client.CoreV1Api(real.api())
        custom.delete_collection_namespaced_custom_object(GROUP, VERSION, namespace, "gpuworkloads")
        for used in (namespace, RESERVATIONS):
            wait_until("all of it is gone", lambda used=used: not core.list_namespaced_pod(used).items)
