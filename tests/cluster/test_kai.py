"""Where a cluster has the KAI Scheduler, what we hand to it and read of it is what its real definitions say."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.engine import KubernetesEngine
from scheduler_core.kubernetes.scheduling.kai import KAI_NOTICE, POD_GROUPS, handed_to_kai, has_kai, verdict_of
from scheduler_core.kubernetes.sharing.shares import take_share
from scheduler_core.model import TaskRequest
from scheduler_core.workload import EngineState, WorkloadSpec
from tests.cluster.control_plane import ControlPlane, wait_until
from tests.cluster.controlled import controlled, set_up
from tests.cluster.definitions import install

GROUP, VERSION = "scheduling.run.ai", "v2alpha2"


@pytest.fixture(scope="module")
def with_kai() -> Iterator[ControlPlane]:
    """A cluster of its own that knows the kinds of KAI 0.12."""
    made = ControlPlane(Path(tempfile.mkdtemp(prefix="runai-cluster-")))
    try:
        made.start()
        made.add_nodes(1, 8)
        set_up(made)
        install(made.api(), "KAI-scheduler")
        yield made
    finally:
        made.remove()


async def test_it_is_found_and_shown(
    with_kai: ControlPlane, cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one, found in ((with_kai, True), (cluster, False)):
        monkeypatch.setenv("KUBECONFIG", str(one.kubeconfig))
        engine = await KubernetesEngine.open()
        try:
            assert (KAI_NOTICE in (await engine.info()).notice) is found
        finally:
            await engine.close()
    command = [sys.executable, "-m", "jupyter", "runai", "cluster", "check"]
    environment = {**os.environ, "KUBECONFIG": str(with_kai.kubeconfig)}
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60).stdout
    assert f"· {KAI_NOTICE.rstrip('.')}" in said


@pytest.mark.parametrize(
    ("reasons", "code", "sentence"),
    [
        ([{"reason": "OverLimit", "message": "over the limit of team-a"}], "over_limit", "over the limit of team-a"),
        (
            [
                {
                    "reason": "NonPreemptibleOverQuota",
                    "message": "over quota",
                    "details": {"queueDetails": {"name": "team-a", "queueDeservedResources": {"nvidia.com/gpu": "2"}}},
                }
            ],
            "non_preemptible_over_quota",
            "over quota",
        ),
        ([{"reason": "QueueDoesNotExist", "message": "no team-a"}], "queue_not_found", "no team-a"),
        ([{"reason": "SomethingNew", "message": "not today"}], "no_node_fits", "not today"),
    ],
)
async def test_its_verdicts_are_ours(
    with_kai: ControlPlane,
    monkeypatch: pytest.MonkeyPatch,
    reasons: list[dict[str, object]],
    code: str,
    sentence: str,
) -> None:
    custom = client.CustomObjectsApi(with_kai.api())
    name = f"pg-{code.replace('_', '-')}"
    body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "PodGroup", "metadata": {"name": name}, "spec": {"queue": "a"}}
    custom.create_namespaced_custom_object(GROUP, VERSION, "default", "podgroups", body)
    monkeypatch.setenv("KUBECONFIG", str(with_kai.kubeconfig))
    connection = await Connection.open()
    path = f"{POD_GROUPS}/namespaces/default/podgroups/{name}"
    try:
        assert await has_kai(connection)
        assert verdict_of(await connection.raw(path), "one") is None
        condition = {"type": "UnschedulableOnNodePool", "status": "True", "nodePool": "default", "reasons": reasons}
        # Strictly: a field that KAI does not have is refused.
        status = {"status": {"schedulingConditions": [condition]}}
        await connection.send(
            "PATCH", f"{path}/status", status, "application/merge-patch+json", fieldValidation="Strict"
        )
        verdict = verdict_of(await connection.raw(path), "one")
    finally:
        await connection.close()
    assert verdict is not None
    assert (verdict.workload, verdict.state, verdict.code, verdict.message) == ("one", "pending", code, sentence)
    if "details" in reasons[0]:
        assert verdict.facts["queue"]["name"] == "team-a"


def test_a_pod_that_is_handed_to_it_is_told_its_device_by_it(with_kai: ControlPlane) -> None:
    container = {"name": "main", "image": "any", "command": ["/bin/sleep"], "env": [{"name": "A", "value": "b"}]}
    metadata: dict[str, object] = {"name": "share", "annotations": {"gpu-fraction": "0.5"}}
    spec: dict[str, object] = {"containers": [container]}
    take_share(metadata, spec, container)
    given = handed_to_kai({"metadata": metadata, "spec": spec}, "team-a")
    core = client.CoreV1Api(with_kai.api())
    made = core.create_namespaced_pod("default", given, field_validation="Strict")
    assert (made.spec.scheduler_name, made.metadata.labels) == ("kai-scheduler", {"kai.scheduler/queue": "team-a"})
    assert {one.name for one in made.spec.containers[0].env} == {"A", "CUDA_DEVICE_ORDER"}
    assert made.metadata.annotations["gpu-fraction"] == "0.5"


async def test_workloads_are_handed_to_it_and_say_what_it_says(
    with_kai: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(with_kai.kubeconfig))
    batch, custom = client.BatchV1Api(with_kai.api()), client.CustomObjectsApi(with_kai.api())
    engine = await KubernetesEngine.open()
    try:
        with controlled(with_kai):
            spec = WorkloadSpec(command=("sleep", "9"), cwd="/", request=TaskRequest(gpu="0.5"), image="any")
            workload = await engine.submit(spec)
            await asyncio.to_thread(wait_until, "it is a Job", lambda: _jobs_of(batch, workload.id))
            (job,) = _jobs_of(batch, workload.id)
            pod = job.spec.template
            assert (pod.spec.scheduler_name, pod.metadata.labels["kai.scheduler/queue"]) == ("kai-scheduler", "default")
            owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job.metadata.name, "uid": job.metadata.uid}
            body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "PodGroup", "spec": {"queue": "default"}}
            body["metadata"] = {"name": "of-the-job", "ownerReferences": [owner]}
            custom.create_namespaced_custom_object(GROUP, VERSION, "default", "podgroups", body)
            waits = {"type": "UnschedulableOnNodePool", "status": "True", "nodePool": "default"}
            said = [{"reason": "OverLimit", "message": "team default is over its limit"}]
            for reasons, code in ((said, "over_limit"), ([], None)):
                conditions = [{**waits, "reasons": reasons}] if reasons else []
                status = {"status": {"schedulingConditions": conditions}}
                custom.patch_namespaced_custom_object_status(
                    GROUP, VERSION, "default", "podgroups", "of-the-job", status
                )
                async with asyncio.timeout(30):
                    async for event in engine.watch():
                        seen = (
                            event.workloads if isinstance(event, EngineState) else (getattr(event, "workload", None),)
                        )
                        found = [one for one in seen if one is not None and one.id == workload.id]
                        if found and (found[0].verdict and found[0].verdict.code) == code:
                            break
    finally:
        await engine.close()


def _jobs_of(batch: client.BatchV1Api, name: str) -> list[client.V1Job]:
    found: list[client.V1Job] = batch.list_namespaced_job(
        "default", label_selector=f"jupyter-runai.io/workload={name}"
    ).items
    return found
