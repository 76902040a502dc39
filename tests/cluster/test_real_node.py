"""Real pods run real Python: what a notebook sends is there, and what it is to have back comes back."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from kubernetes import client
from tornado.httpclient import AsyncHTTPClient

from scheduler_core.errors import NotAllowed, TooLarge
from scheduler_core.kubernetes.api.blobs import PORT
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.engine import KubernetesEngine
from scheduler_core.workload import Mount, WorkloadSpec
from tests.cluster.control_plane import wait_until
from tests.cluster.image import PYTHON_IMAGE
from tests.cluster.real_cluster import RealCluster
from tests.engine_steps import asked, output, says, until
from tests.notebooks.cells import run_cells

_numbers = count()

ALL_REDUCE = """
import os, jax, numpy
jax.config.update("jax_cpu_collectives_implementation", "gloo")
rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
address = os.environ["MASTER_ADDR"] + ":" + os.environ["MASTER_PORT"]
jax.distributed.initialize(address, size, rank)
from jax.experimental.multihost_utils import process_allgather
mine = numpy.full(3, rank + 1.0)
total = process_allgather(mine).sum(axis=0)
import socket
print(socket.gethostname(), "has", mine[0], "and all have", total[0])
"""


@pytest.fixture
def namespace(real: RealCluster) -> str:
    return f"real-{next(_numbers)}"


@pytest.fixture
def engine(
    real: RealCluster, namespace: str, monkeypatch: pytest.MonkeyPatch, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> Iterator[KubernetesEngine]:
    monkeypatch.setenv("KUBECONFIG", str(real.user_of(namespace)))
    engine = jp_asyncio_loop.run_until_complete(KubernetesEngine.open(image=PYTHON_IMAGE))
    yield engine
    for workload in jp_asyncio_loop.run_until_complete(engine.list()):
        jp_asyncio_loop.run_until_complete(engine.stop(workload.id))
    jp_asyncio_loop.run_until_complete(engine.close())


async def test_output_streams_and_can_be_read_from_anywhere(engine: KubernetesEngine) -> None:
    workload = await engine.submit(asked(says("0123456789"), 1))
    assert await output(engine, workload.id, follow=True) == b"0123456789\n"
    assert await output(engine, workload.id, offset=8) == b"89\n"
    assert await output(engine, workload.id, offset=1000) == b""
    assert (await until(engine, workload.id, "completed", "failed")).state == "completed"


async def test_what_a_task_said_is_there_when_its_pod_is_gone(
    engine: KubernetesEngine, real: RealCluster, namespace: str
) -> None:
    goodbye = "trap 'echo bye; exit 0' TERM; echo hello; while :; do sleep 0.1; done"
    workload = await engine.submit(WorkloadSpec(command=("/bin/sh", "-c", goodbye), cwd="/", grace_s=10))
    await until(engine, workload.id, "running")
    assert await first_line(engine, workload.id) == "hello"
    await engine.suspend(workload.id)
    await until(engine, workload.id, "suspended")
    core = client.CoreV1Api(real.api())
    wait_until("its pod is gone", lambda: not core.list_namespaced_pod(namespace).items)
    async with asyncio.timeout(60):
        while await output(engine, workload.id) != b"hello\nbye\n":
            await asyncio.sleep(0)
    assert await output(engine, workload.id, offset=6) == b"bye\n"
    assert await output(engine, workload.id, offset=1000) == b""
    # Nobody but the controller can read what it keeps.
    kept = list((real.folder / "history" / "logs").iterdir())
    assert kept and {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
    await engine.stop(workload.id)
    await until(engine, workload.id, "stopped")
    assert await output(engine, workload.id) == b"hello\nbye\n"


async def test_inputs_travel_and_results_come_back(engine: KubernetesEngine) -> None:
    code = """
import json, os
from pathlib import Path
inputs, results = Path(os.environ["RUNAI_INPUTS"]), Path(os.environ["RUNAI_RESULTS"])
(results / "twice.txt").write_text((inputs / "deep" / "value").read_text() * 2)
report = {"results": [{"name": "twice", "type": "str", "size": 6}]}
Path(os.environ["RUNAI_REPORT"]).write_text(json.dumps(report))
"""
    spec = WorkloadSpec(command=("python3", "-c", code), cwd="/work", env={"WORD": "said"}, grace_s=5)
    with engine.staging() as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "value").write_text("abc")
        workload = await engine.submit(spec, folder)
    assert list((await engine.results(workload.id)).iterdir()) == []
    ended = await until(engine, workload.id, "completed", "failed")
    assert ended.report is not None, await output(engine, workload.id)
    assert [result.name for result in ended.report.results] == ["twice"]
    assert (await engine.results(workload.id) / "twice.txt").read_text() == "abcabc"


async def test_what_is_too_large_to_travel_is_refused(engine: KubernetesEngine) -> None:
    with engine.staging() as folder:
        with (folder / "large").open("wb") as file:
            file.truncate(100_000_001)
        with pytest.raises(TooLarge, match=r"100\.0 MB would travel"):
            await engine.submit(asked(says("x")), folder)
    assert await engine.list() == ()


async def test_values_too_large_for_a_secret_travel_by_way_of_the_controller(
    engine: KubernetesEngine, real: RealCluster, namespace: str
) -> None:
    code = """
import hashlib, os
from pathlib import Path
for path in sorted(Path(os.environ["RUNAI_INPUTS"]).rglob("*")):
    if path.is_file():
        print(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
"""
    large, small = os.urandom(5_000_000), b"abc"
    with engine.staging() as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "large").write_bytes(large)
        (folder / "small").write_bytes(small)
        workload = await engine.submit(asked(("python3", "-c", code)), folder)
    said = await output(engine, workload.id, follow=True)
    wanted = [f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in (("large", large), ("small", small))]
    assert said.decode().splitlines() == wanted
    # Nobody has it who does not have its token.
    connection = await Connection.open()
    path = "/api/v1/namespaces/jupyter-runai/services/http:jupyter-runai-blobs:blobs/proxy/blobs"
    digest = hashlib.sha256(large).hexdigest()
    try:
        for headers in ({}, {"X-Runai-Token": "guessed"}):
            with pytest.raises(NotAllowed):
                await connection.upload(f"{path}/{namespace}/{workload.id}/{digest}", b"x", headers)
    finally:
        await connection.close()
    answer = await AsyncHTTPClient().fetch(
        f"http://{real.address}:{PORT}/blobs/{namespace}/{workload.id}/{digest}", raise_error=False
    )
    assert answer.code == 403


async def test_two_halves_are_of_one_device_which_both_see(engine: KubernetesEngine) -> None:
    command = ("/bin/sh", "-c", "echo $RUNAI_GPU_IDS $NVIDIA_VISIBLE_DEVICES $RUNAI_GPU_PORTION; sleep 1000")
    halves = [await engine.submit(asked(command, "0.5")) for _ in range(2)]
    running = [await until(engine, half.id, "running", "failed") for half in halves]
    (first,), (second,) = [half.allocation.devices for half in running if half.allocation is not None]
    assert (first.id, first.portion_milli) == (second.id, second.portion_milli) == (first.id, 500)
    said = {await first_line(engine, half.id) for half in halves}
    # As the pod says that holds the device for them.
    (line,) = said
    device, seen, portion = line.split()
    assert device == seen and device.startswith("GPU-") and portion == "0.5"
    for half in halves:
        await engine.stop(half.id)
        await until(engine, half.id, "stopped")


async def first_line(engine: KubernetesEngine, workload_id: str) -> str:
    said = b""
    async for piece in engine.logs(workload_id, follow=True):
        said += piece.data
        if b"\n" in said:
            break
    return said.decode().splitlines()[0]


async def test_a_volume_claim_is_where_it_is_to_be(
    engine: KubernetesEngine, real: RealCluster, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "words").write_text("in the volume")
    core = client.CoreV1Api(real.api())
    room = {"storage": "1Mi"}
    spec = {"capacity": room, "accessModes": ["ReadWriteMany"], "storageClassName": ""}
    core.create_persistent_volume(
        {"metadata": {"name": namespace}, "spec": {**spec, "hostPath": {"path": str(tmp_path)}}}
    )
    claim = {"accessModes": ["ReadWriteMany"], "storageClassName": "", "volumeName": namespace}
    core.create_namespaced_persistent_volume_claim(
        namespace, {"metadata": {"name": "homes"}, "spec": {**claim, "resources": {"requests": room}}}
    )
    command = ("/bin/sh", "-c", "cat /home/ada/words; echo x > /home/ada/other ")
    mount = Mount(claim="homes", path="/home/ada", sub_path="ada", read_only=True)
    workload = await engine.submit(asked(command, mounts=(mount,)))
    assert b"in the volume" in await output(engine, workload.id, follow=True)
    assert not (tmp_path / "ada" / "other").exists()


async def test_an_image_that_is_nowhere_is_said(engine: KubernetesEngine) -> None:
    nowhere = asked(says("x"), image="localhost/nowhere:1")
    workload = await engine.submit(nowhere)
    seen = await until(engine, workload.id, "initializing", "failed")
    async for event in engine.watch():
        del event
        seen = await engine.get(workload.id)
        if seen.reason:
            break
    assert "localhost/nowhere:1" in seen.reason
    await engine.stop(workload.id)
    await until(engine, workload.id, "stopped")


def test_a_cell_runs_in_a_pod_and_its_values_come_back(
    real: RealCluster, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(real.user_of(namespace)))
    monkeypatch.setenv("RUNAI_ENGINE", "kubernetes")
    _, asked_for, failed, there, workers = run_cells(
        tmp_path,
        "%load_ext jupyter_runai\nimport numpy\nnumbers = numpy.arange(1000)",
        "%%runai train --gpu 1\nprint('hello')",
        f"%%runai train --image {PYTHON_IMAGE}\n1 / 0",
        f"%%runai train --gpu 1 --image {PYTHON_IMAGE} -o total\nimport socket\nprint('in', socket.gethostname())\n"
        "total = numbers.sum()",
        f"%%runai train --workers 2 --image {PYTHON_IMAGE} -o total\n{ALL_REDUCE}",
    )
    assert "In which image is it to run?" in asked_for.error
    assert "ZeroDivisionError" in failed.error
    assert "completed" in there.line, json.dumps([there.text, there.error])
    assert there.text.startswith("in ") and "total ← " in there.line
    assert "completed" in workers.line, workers.error + workers.text
    assert workers.text.count("and all have 3.0") == 2
