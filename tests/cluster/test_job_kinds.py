"""A workload runs as an object of another project's kind where it is asked to: under their real definitions.

Their operators do not run here; what makes pods stands in for them. Which pods start is said by each test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from scheduler_core.errors import InvalidRequest
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.engine import KubernetesEngine
from scheduler_core.kubernetes.running.job_kinds import JOB_KINDS
from scheduler_core.model import TaskRequest
from scheduler_core.workload import JobKindName, Scale, Workload
from tests.cluster.binding import Binding
from tests.cluster.control_plane import ControlPlane, wait_until
from tests.cluster.definitions import install
from tests.cluster.operators import Operators
from tests.cluster.test_jobs import STRICT, workload
from tests.engine_steps import FAILS, RUNS, asked, says, until, until_tasks

OTHERS: tuple[JobKindName, ...] = ("JobSet", "TrainJob", "PyTorchJob", "MPIJob", "RayJob")
BY_TASKS: tuple[JobKindName, ...] = ("JobSet", "TrainJob", "PyTorchJob")
AS_A_WHOLE: dict[JobKindName, tuple[dict[str, object], dict[str, object]]] = {
    "MPIJob": (
        {"conditions": [{"type": "Succeeded", "status": "True"}]},
        {"conditions": [{"type": "Failed", "status": "True", "message": "mpirun has failed"}]},
    ),
    "RayJob": (
        {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"},
        {"jobDeploymentStatus": "Failed", "jobStatus": "FAILED", "message": "the driver has failed"},
    ),
}
"""What their operators say of a good end, and of a bad one."""


@pytest.fixture(scope="module", autouse=True)
def known(installed: ControlPlane) -> None:
    install(installed.api(), "jobset", "kubeflow", "kuberay")


@pytest.fixture
def operators(installed: ControlPlane, engine: KubernetesEngine, namespace: str) -> Iterator[Operators]:
    return Operators(installed, namespace)


async def started(
    engine: KubernetesEngine, binding: Binding, operators: Operators, kind: JobKindName, *command: str
) -> tuple[Workload, dict[str, object]]:
    """Two tasks of a kind, bound by a test."""
    found = await engine.submit(asked(command or RUNS, 1, tasks=2, job_kind=kind))
    made = await asyncio.to_thread(operators.made, kind)
    binding.bind(*binding.waiting(2, workload=found.id))
    return found, made


@pytest.mark.parametrize("kind", OTHERS)
async def test_the_api_server_takes_it(
    cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch, kind: JobKindName
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    connection = await Connection.open()
    known = JOB_KINDS[kind]
    try:
        for form in ({"tasks": 3, "request": TaskRequest(gpu=2)}, {"request": TaskRequest(gpu="0.5")}):
            objects = known.written(workload("one", job_kind=kind, **form), 1, 0, None)
            for made, plural in zip(objects, (*known.needs, known.plural), strict=True):
                await connection.send("POST", known.path("default", plural=plural), made, **STRICT)
    finally:
        await connection.close()


@pytest.mark.parametrize("kind", BY_TASKS)
async def test_it_ends_with_its_tasks(
    engine: KubernetesEngine, binding: Binding, operators: Operators, kind: JobKindName
) -> None:
    good, made = await started(engine, binding, operators, kind, *says("x"))
    assert (await until(engine, good.id, "completed", "failed")).state == "completed"
    assert [task.exit_code for task in await engine.tasks(good.id)] == [0, 0]
    assert made["kind"] == kind
    await engine.delete(good.id, purge=True)
    wait_until("it is gone", lambda: not operators.all_of(kind))
    bad, _ = await started(engine, binding, operators, kind, *FAILS)
    ended = await until(engine, bad.id, "completed", "failed")
    assert (ended.state, ended.exit_code) == ("failed", 1)


@pytest.mark.parametrize("kind", AS_A_WHOLE)
async def test_it_ends_when_its_operator_says_so(
    engine: KubernetesEngine, binding: Binding, operators: Operators, kind: JobKindName
) -> None:
    for end, state in zip(AS_A_WHOLE[kind], ("completed", "failed"), strict=True):
        found, made = await started(engine, binding, operators, kind)
        await until_tasks(engine, found.id, "running", "running")
        # A pod that goes is the operator's to replace.
        binding.core.delete_namespaced_pod(binding.pods(workload=found.id)[1].metadata.name, binding.namespace)
        wait_until("it is gone", lambda found=found: len(binding.pods(workload=found.id)) == 1)
        operators.says(kind, made, end)
        ended = await until(engine, found.id, "completed", "failed")
        assert (ended.state, ended.restarts) == (state, 0)
        assert ended.reason == {"completed": "", "failed": end.get("message", "mpirun has failed")}[state]
        await engine.delete(found.id, purge=True)
        wait_until("it is gone", lambda: not operators.all_of(kind))


@pytest.mark.parametrize("kind", OTHERS)
async def test_it_leaves_its_devices_and_comes_back(
    engine: KubernetesEngine, binding: Binding, operators: Operators, kind: JobKindName
) -> None:
    found, made = await started(engine, binding, operators, kind)
    await until_tasks(engine, found.id, "running", "running")
    binding.evict(binding.pods(workload=found.id)[0], "made room for another")
    await asyncio.to_thread(operators.suspended, kind)
    again = await until(engine, found.id, "pending")
    assert again.restarts == 1
    wait_until("the first run is gone", lambda: made["metadata"]["name"] not in names(operators, kind))
    await asyncio.to_thread(operators.made, kind)
    binding.bind(*binding.waiting(2, workload=found.id, run="1"))
    await until_tasks(engine, found.id, "running", "running")
    await engine.suspend(found.id)
    await asyncio.to_thread(operators.suspended, kind)
    await until(engine, found.id, "suspended")


async def test_each_task_knows_which_it_is_and_where_the_first_is(
    engine: KubernetesEngine, binding: Binding, operators: Operators
) -> None:
    found, _ = await started(engine, binding, operators, "PyTorchJob")
    pods = binding.pods(workload=found.id)
    for pod in pods:
        said = {one.name: one.value or one.value_from.field_ref.field_path for one in pod.spec.containers[0].env}
        assert said["RUNAI_TASK_INDEX"] == "metadata.labels['training.kubeflow.org/replica-index']"
        assert (said["RANK"], said["MASTER_ADDR"]) == ("$(RUNAI_TASK_INDEX)", found.id)
    (meeting,) = binding.core.list_namespaced_service(binding.namespace).items
    chosen = [pod for pod in pods if meeting.spec.selector.items() <= pod.metadata.labels.items()]
    assert [pod.metadata.name for pod in chosen] == [pods[0].metadata.name]


async def test_what_cannot_be_is_refused_before_it_is_made(engine: KubernetesEngine) -> None:
    with pytest.raises(ValueError, match="a MPIJob is of a gang that stays of one size"):
        asked(RUNS, 1, tasks=4, min_tasks=2, job_kind="MPIJob")
    found = await engine.submit(asked(RUNS, 1, tasks=2, job_kind="JobSet"))
    with pytest.raises(InvalidRequest, match="A JobSet stays of one size"):
        await engine.scale(found.id, Scale(tasks=3, min_tasks=1))
    with engine.staging() as folder, pytest.raises(InvalidRequest, match="No values travel to a RayJob"):
        await engine.submit(asked(RUNS, 1, job_kind="RayJob"), folder)


def names(operators: Operators, kind: JobKindName) -> set[str]:
    return {made["metadata"]["name"] for made in operators.all_of(kind)}
