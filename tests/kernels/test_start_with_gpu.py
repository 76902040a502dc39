"""What "Start kernel with GPU" asks of the server: a kernelspec on a share, and which workload a kernel is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_runai.client import Client
from tests.kernels.conftest import another_python, offer_environments
from tests.kernels.jupyter import Jupyter


async def asked(server: Jupyter, **body: Any) -> dict[str, Any]:
    """The server's answer, its status beside it."""
    answer = await server.ask("POST", "kernelspecs", body, of="jupyter-runai")
    record: dict[str, Any] = json.loads(answer.body)
    return {"status": answer.code, **record}


async def leases(server: Jupyter) -> list[dict[str, Any]]:
    answer = await server.ask("GET", "leases", of="jupyter-runai")
    found: list[dict[str, Any]] = json.loads(answer.body)["leases"]
    return found


async def test_a_kernel_starts_on_what_was_asked_for(server: Jupyter, client: Client, tmp_path: Path) -> None:
    spec = await asked(server, base="python3", gpu="0.25")
    assert spec == {"status": 201, "name": "runai-python3-0.25-gpu", "display_name": "Python 3 (0.25 GPU)"}
    assert await leases(server) == []
    kernel = await server.start(spec["name"])
    (workload,) = client.list()
    assert workload.request.gpu == "0.25"
    assert await leases(server) == [{"kernel": kernel.id, "workload": workload.id}]
    assert await kernel.value("__import__('os').environ['RUNAI_GPU_PORTION']") == "'0.25'"
    await kernel.shut_down()
    assert await leases(server) == []


async def test_a_kernel_without_a_lease_is_no_workload(server: Jupyter, client: Client) -> None:
    await server.start("python3")
    assert await leases(server) == []


async def test_the_same_request_has_the_same_kernelspec(server: Jupyter, tmp_path: Path) -> None:
    first = await asked(server, base="python3", gpu="0.25", project="vision", preemptible=True)
    file = tmp_path / "DATA" / "kernels" / first["name"] / "kernel.json"
    written = file.stat().st_mtime_ns
    assert first["display_name"] == "Python 3 (0.25 GPU, vision, preemptible)"
    assert await asked(server, base="python3", gpu="0.25", project="vision", preemptible=True) == first
    assert file.stat().st_mtime_ns == written
    config = json.loads(file.read_text())["metadata"]["kernel_provisioner"]["config"]
    assert config == {"gpu": "0.25", "project": "vision", "preemptible": True}


async def test_a_kernel_has_the_priority_and_the_longest_time_that_are_asked_for(
    server: Jupyter, client: Client
) -> None:
    spec = await asked(server, base="python3", gpu="0.25", priority="low", max_time_s=7200)
    assert spec["display_name"] == "Python 3 (0.25 GPU, low priority, at most 2:00:00)"
    plain = await asked(server, base="python3", gpu="0.25")
    assert plain["name"] == "runai-python3-0.25-gpu" != spec["name"]
    await server.start(spec["name"])
    (workload,) = client.list()
    assert (workload.priority, workload.preemptible) == (40, True)
    assert client.specification(workload.id).max_run_s == 7200
    refused = await asked(server, base="python3", gpu="0.25", priority="urgent")
    assert refused["status"] == 400 and "priority" in refused["message"]


async def test_another_share_is_made_from_the_same_kernel(server: Jupyter) -> None:
    first = await asked(server, base="python3", gpu="0.25")
    second = await asked(server, base=first["name"], gpu=2)
    assert (second["name"], second["display_name"]) == ("runai-python3-2-gpus", "Python 3 (2 GPUs)")
    third = await asked(server, base="runai-half", gpu_memory_mib=20480)
    assert third["display_name"] == "Python 3 (20 GB of a GPU)"


async def test_a_kernel_in_an_environment_has_its_interpreter_and_variables(
    server: Jupyter, simulated: Path, client: Client, tmp_path: Path
) -> None:
    python = another_python(tmp_path)
    offer_environments(client, simulated, torch={"python": str(python), "variables": {"OMP_NUM_THREADS": 4}})
    spec = await asked(server, base="python3", gpu="0.25", environment="torch")
    assert (spec["name"], spec["display_name"]) == ("runai-python3-torch-0.25-gpu", "Python 3 (torch, 0.25 GPU)")
    written = json.loads((tmp_path / "DATA" / "kernels" / spec["name"] / "kernel.json").read_text())
    assert written["argv"][0] == str(python)
    kernel = await server.start(spec["name"])
    assert await kernel.value("__import__('os').environ['OMP_NUM_THREADS']") == "'4'"
    plain = await asked(server, base=spec["name"], gpu="0.25")
    assert plain["name"] == "runai-python3-0.25-gpu"


async def test_an_environment_of_variables_alone_keeps_the_kernel(
    server: Jupyter, simulated: Path, client: Client, tmp_path: Path
) -> None:
    offer_environments(client, simulated, quiet={"variables": {"TQDM_DISABLE": 1}})
    spec = await asked(server, base="python3", gpu="0.25", environment="quiet")
    plain = await asked(server, base="python3", gpu="0.25")
    kernels = tmp_path / "DATA" / "kernels"
    written, usual = (json.loads((kernels / one["name"] / "kernel.json").read_text()) for one in (spec, plain))
    assert written["argv"] == usual["argv"]
    assert (written["env"], usual.get("env", {})) == ({"TQDM_DISABLE": "1"}, {})


@pytest.mark.parametrize(
    ("name", "status", "sentence"),
    [
        ("torhc", 404, "There is no environment 'torhc'."),
        ("torch", 400, "/no/such/python is no Python that can be run"),
        ("bare", 400, "has no ipykernel"),
    ],
)
async def test_an_environment_that_cannot_be_is_refused(
    server: Jupyter, simulated: Path, client: Client, tmp_path: Path, name: str, status: int, sentence: str
) -> None:
    bare = another_python(tmp_path, "-S")
    offer_environments(client, simulated, torch={"python": "/no/such/python"}, bare={"python": str(bare)})
    refused = await asked(server, base="python3", gpu="0.5", environment=name)
    assert (refused["status"], sentence in refused["message"]) == (status, True)


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"base": "python3"}, 400, "asks for no GPU"),
        ({"base": "python3", "gpu": "much"}, 400, "much"),
        ({"base": "python3", "gpu": "0.5", "gpu_memory_mib": 1}, 400, "one form"),
        ({"base": "no-such", "gpu": "0.5"}, 404, "no-such"),
        ({"base": "../../etc", "gpu": "0.5"}, 404, "etc"),
        ({"base": "python3", "gpu": "0.5", "argv": ["sh"]}, 400, "argv"),
    ],
)
async def test_what_cannot_be_is_refused(server: Jupyter, body: dict[str, Any], status: int, sentence: str) -> None:
    refused = await asked(server, **body)
    assert refused["status"] == status
    assert sentence in refused["message"]
