"""What a workload becomes in the cluster: the API server takes every form of it, and each task learns what it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from scheduler_core.errors import InvalidRequest
from scheduler_core.kubernetes.api.blobs import Blob
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.objects import GpuWorkload, GpuWorkloadSpec, Metadata
from scheduler_core.kubernetes.running.jobs import job, service
from scheduler_core.model import TaskRequest
from scheduler_core.workload import Mount
from tests.cluster.control_plane import ControlPlane

STRICT = {"fieldValidation": "Strict", "dryRun": "All"}
FORMS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "whole": {"request": TaskRequest(gpu=2, cpu_milli=500, memory_mib=1024)},
    "share": {"request": TaskRequest(gpu="0.25")},
    "shares": {"request": TaskRequest(gpu="0.5", gpu_devices=2)},
    "memory": {"request": TaskRequest(gpu_memory_mib=4000)},
    "slices": {"request": TaskRequest(mig={"1g.10gb": 2}, models=("A100", "H100"))},
    "gang": {"tasks": 4, "request": TaskRequest(gpu=1)},
    "elastic": {"tasks": 4, "min_tasks": 2},
    "array": {"tasks": 5, "gang": False, "retries": 3, "max_run_s": 90.5},
    "inputs": {"inputs": ("cell.json", "runner/runner.py"), "grace_s": 0.5},
    "mounts": {"mounts": (Mount(claim="a", path="/a", sub_path="b"), Mount(claim="a", path="/c", read_only=True))},
    "blobs": {"inputs": ("cell.json",), "blobs": (Blob("values.pickle", "00", 5),), "blobs_key": "11"},
    "digits": {"tasks": 2},
}


def workload(name: str, **fields: Any) -> GpuWorkload:
    metadata = Metadata(name=name, namespace="default", uid="0-0", creation_timestamp=datetime.now(UTC))
    spec = GpuWorkloadSpec(**{"command": ("/bin/sleep", "1"), "cwd": "/", "image": "localhost/python:3", **fields})
    return GpuWorkload(metadata=metadata, spec=spec)


def variables(made: dict[str, Any]) -> dict[str, str]:
    """What a task finds in its environment; what is read from its pod is the path of that."""
    (task,) = made["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one.get("value") or one["valueFrom"]["fieldRef"]["fieldPath"] for one in task["env"]}


@pytest.mark.parametrize("form", FORMS)
async def test_the_api_server_takes_every_form(
    cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    one = workload("7-of-them" if form == "digits" else form, **FORMS[form])
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    connection = await Connection.open()
    try:
        taken = await connection.send("POST", "/apis/batch/v1/namespaces/default/jobs", job(one, 3, 2), **STRICT)
        assert taken["metadata"]["ownerReferences"][0]["kind"] == "GpuWorkload"
        meeting = service(one)
        assert (meeting is not None) == (form in ("gang", "elastic", "digits"))
        if meeting is not None:
            await connection.send("POST", "/api/v1/namespaces/default/services", meeting, **STRICT)
    finally:
        await connection.close()


def test_the_time_of_each_task_of_an_array_is_kept_by_its_kubelet() -> None:
    for gang, kept in ((False, 91), (True, None)):
        one = job(workload("one", tasks=2, gang=gang, max_run_s=90.5), 0, 0)
        assert one["spec"]["template"]["spec"].get("activeDeadlineSeconds") == kept


def test_what_is_asked_for_is_said_in_the_words_of_kai() -> None:
    template = job(workload("one", request=TaskRequest(gpu="0.35", gpu_devices=2), queue="a"), 0, 0)["spec"]["template"]
    assert template["metadata"]["labels"]["kai.scheduler/queue"] == "a"
    annotations = template["metadata"]["annotations"]
    assert (annotations["gpu-fraction"], annotations["gpu-fraction-num-devices"]) == ("0.35", "2")
    assert template["spec"]["schedulerName"] == "jupyter-runai"
    assert template["spec"]["containers"][0]["resources"]["limits"] == {}
    whole = job(workload("one", request=TaskRequest(gpu=2)), 0, 0)["spec"]["template"]
    assert whole["spec"]["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "2"}
    assert "gpu-fraction" not in whole["metadata"]["annotations"]
    elastic = job(workload("one", tasks=4, min_tasks=2), 0, 0)["spec"]["template"]
    assert elastic["metadata"]["annotations"]["kai.scheduler/batch-min-member"] == "2"


def test_tasks_find_each_other() -> None:
    said = variables(job(workload("ddp", tasks=2, request=TaskRequest(gpu=4)), 1, 5))
    assert said["MASTER_ADDR"] == said["PET_MASTER_ADDR"] == "ddp-r1-0.ddp"
    assert (said["WORLD_SIZE"], said["PET_NNODES"], said["PET_NPROC_PER_NODE"]) == ("2", "2", "4")
    assert said["RANK"] == said["PET_NODE_RANK"] == "$(RUNAI_TASK_INDEX)"
    assert said["RUNAI_TASK_INDEX"] == "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    assert said["RUNAI_RESTARTS"] == "5"
    elastic = variables(job(workload("ddp", tasks=4, min_tasks=2), 0, 0))
    assert (elastic["PET_NNODES"], elastic["PET_RDZV_ENDPOINT"]) == ("2:4", "ddp-0.ddp:29500")
    assert "PET_NODE_RANK" not in elastic
    alone = variables(job(workload("alone"), 0, 0))
    assert not {"RANK", "MASTER_ADDR", "PET_NNODES"} & alone.keys()


def test_a_command_is_taken_as_it_is() -> None:
    (task,) = job(workload("one", command=("echo", "$(HOME) $$")), 0, 0)["spec"]["template"]["spec"]["containers"]
    assert task["command"] == ["echo", "$$(HOME) $$$$"]


def test_without_an_image_nothing_is_made() -> None:
    with pytest.raises(InvalidRequest, match="names no image"):
        job(workload("one", image=None), 0, 0)
