"""Devices as NVML shows them: a fake driver library, everything else real."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from scheduler_core.local import LocalEngine
from scheduler_core.model import TaskRequest
from tests.driver import GIB, TWO_A100, Driver
from tests.helpers import UNTIL_STOPPED, devices_when, outcome, running, spec, stop_everything, until


@pytest.fixture
def client(on_devices: Client) -> Client:
    return on_devices


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process that no engine knows."""
    process = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
    yield process.pid
    process.kill()
    process.wait()


def test_the_machines_own_devices_are_shown_as_measured(client: Client) -> None:
    first, second = client.devices()
    assert (first.id, first.model, first.memory_mib) == ("GPU-aaaa", "NVIDIA A100-SXM4-80GB", 81920)
    assert (first.utilization, first.used_mib, first.simulated, first.ready) == (0.37, 0, False, True)
    assert (second.index, client.info().simulated, client.info().notice) == (1, None, "")


def test_a_fraction_shows_its_device_by_uuid_and_caps_every_framework(client: Client) -> None:
    memory = ["XLA_PYTHON_CLIENT_MEM_FRACTION", "CUPY_GPU_MEMORY_LIMIT"]
    ours = ["RUNAI_GPU_PORTION", "RUNAI_GPU_MEMORY_MIB", "RUNAI_SIMULATED"]
    names = ["CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", *memory, "TF_FORCE_GPU_ALLOW_GROWTH", *ours]
    code = f"import os\nfor name in {names}: print(os.environ[name])"
    workload = client.submit(spec(code, gpu="0.25"))
    ended, output = outcome(client, workload.id)
    assert output.split() == ["GPU-aaaa", "PCI_BUS_ID", "0.25", "25%", "true", "0.25", "20480", "0"]
    assert ended.allocation is not None
    assert ended.allocation.enforcement.level == "framework"
    assert (ended.allocation.enforcement.memory, ended.allocation.enforcement.compute) == ("soft", "none")


def test_jax_takes_its_cap(client: Client) -> None:
    """Also where the user's own environment has the newer of its two names, with which JAX bears no other."""
    code = "from jaxlib import xla_client; print(xla_client.generate_pjrt_gpu_plugin_options()['memory_fraction'])"
    environment = {**os.environ, "XLA_CLIENT_MEM_FRACTION": "0.9"}
    workload = client.submit(spec(code, gpu="0.25", env=environment))
    assert outcome(client, workload.id)[1] == "0.25\n"


def test_without_a_gpu_request_no_device_is_seen(client: Client) -> None:
    workload = client.submit(spec("import os; print(repr(os.environ['CUDA_VISIBLE_DEVICES']))"))
    assert outcome(client, workload.id)[1] == "''\n"


def test_pytorch_and_tensorflow_are_capped_at_their_import(client: Client, tmp_path: Path) -> None:
    """Stand-ins for the two frameworks that record what they are told."""
    (tmp_path / "torch.py").write_text(
        "class cuda:\n"
        "    _queued = []\n"
        "    device_count = staticmethod(lambda: 1)\n"
        "    set_per_process_memory_fraction = staticmethod(lambda *told: print('torch', *told))\n"
        "    _lazy_call = staticmethod(_queued.append)\n"
    )
    (tmp_path / "tensorflow.py").write_text(
        "class config:\n"
        "    list_physical_devices = staticmethod(lambda kind: [kind])\n"
        "    LogicalDeviceConfiguration = staticmethod(lambda memory_limit: memory_limit)\n"
        "    set_logical_device_configuration = staticmethod(lambda *told: print('tensorflow', *told))\n"
    )
    (tmp_path / "sitecustomize.py").write_text("print('own sitecustomize')")
    code = "import torch, tensorflow\nfor call in torch.cuda._queued: call()"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    workload = client.submit(spec(code, gpu="0.25", env=environment))
    assert outcome(client, workload.id)[1].splitlines() == [
        "own sitecustomize",
        "tensorflow GPU [20480]",
        "torch 0.25 0",
    ]


def test_memory_of_strangers_is_taken_off_and_shown(client: Client, driver: Driver, stranger: int) -> None:
    driver.process(0, stranger, 48 * GIB)
    devices = devices_when(client, lambda devices: bool(devices[0].holders))
    holder = devices[0].holders[0]
    assert (holder.kind, holder.portion_milli, holder.memory_mib) == ("foreign", 600, 48 * GIB)
    fits = [client.submit(spec(UNTIL_STOPPED, gpu=share)) for share in ("0.5", "0.4")]
    placed = [until(client, workload.id, running).allocation for workload in fits]
    assert [allocation.devices[0].id for allocation in placed if allocation] == ["GPU-bbbb", "GPU-aaaa"]
    assert client.preview(spec(gpu=1)).state == "pending"


def test_a_desktop_takes_no_share(client: Client, driver: Driver, stranger: int) -> None:
    driver.process(0, stranger, GIB)
    devices = devices_when(client, lambda devices: bool(devices[0].holders))
    assert (devices[0].holders[0].portion_milli, devices[0].holders[0].memory_mib) == (13, GIB)
    assert client.preview(spec(gpu=2)).state == "placed"


def test_memory_of_our_own_workloads_counts_once(client: Client, driver: Driver) -> None:
    code = (
        "import signal, subprocess; child = subprocess.Popen(['/bin/sleep', '1000'], start_new_session=True);"
        "print(child.pid, flush=True); signal.pause()"
    )
    workload = client.submit(spec(code, gpu="0.5", grace_s=0.5))
    pid = int(next(update for update in client.follow(workload.id) if isinstance(update, bytes)))
    driver.process(0, pid, 30 * GIB)
    devices = devices_when(client, lambda devices: devices[0].used_mib == 30 * GIB)
    assert [holder.kind for holder in devices[0].holders] == ["workload"]
    assert client.preview(spec(gpu="0.5")).state == "placed"


def test_a_lost_device_takes_nothing_new(client: Client, driver: Driver) -> None:
    client.info()
    driver.write(TWO_A100.replace("37 ok", "37 lost"))
    devices = devices_when(client, lambda devices: not devices[0].ready)
    assert [device.ready for device in devices] == [False, True]
    assert client.preview(spec(gpu=2)).state == "pending"
    assert client.preview(spec(gpu=1)).state == "placed"


def test_the_slices_of_a_partitioned_device_are_devices(driver: Driver, stranger: int) -> None:
    slices = "slice 0 MIG-one 40448 3g.40gb\nslice 0 MIG-two 9728 1g.10gb\n"
    driver.write(TWO_A100.replace("37 ok", "37 mig") + slices)
    client = Client()
    shown = [(device.id, device.index, device.model, device.memory_mib) for device in client.devices()]
    assert shown == [
        ("MIG-one", 0, "NVIDIA A100-SXM4-80GB MIG 3g.40gb", 40448),
        ("MIG-two", 0, "NVIDIA A100-SXM4-80GB MIG 1g.10gb", 9728),
        ("GPU-bbbb", 1, "NVIDIA A100-SXM4-80GB", 81920),
    ]
    large, small = (TaskRequest(gpu=1, models=(model,)) for _, _, model, _ in shown[:2])
    says = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"
    assert outcome(client, client.submit(spec(says, request=large)).id)[1] == "MIG-one\n"
    held = until(client, client.submit(spec(UNTIL_STOPPED, request=small)).id, running).allocation
    assert held is not None
    assert (held.enforcement.level, held.enforcement.memory, held.enforcement.compute) == ("mig", "hard", "hard")
    # What a stranger holds of a slice is taken off that slice.
    driver.process(64, stranger, 30 * GIB)
    devices_when(client, lambda devices: any(holder.kind == "foreign" for holder in devices[0].holders))
    assert client.preview(spec(request=large)).state == "pending"


def test_a_partitioned_device_without_slices_is_listed_and_not_given(driver: Driver) -> None:
    driver.write(TWO_A100.replace("37 ok", "37 mig"))
    client = Client()
    assert [device.ready for device in client.devices()] == [False, True]
    assert "MIG" in client.info().notice


def test_two_engines_of_one_host_never_book_a_share_twice(
    client: Client, engine_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = client.submit(spec(UNTIL_STOPPED, gpu="0.6", name="mine"))
    until(client, mine.id, running)
    monkeypatch.setenv("RUNAI_ENGINE_DIR", str(engine_directory / "colleague"))
    other = Client()
    try:
        holder = other.devices()[0].holders[0]
        assert (holder.kind, holder.name, holder.portion_milli) == ("other_engine", "mine", 600)
        placed = [other.submit(spec(UNTIL_STOPPED, gpu=share)) for share in ("0.6", "0.4")]
        held = [until(other, workload.id, running).allocation for workload in placed]
        assert [allocation.devices[0].id for allocation in held if allocation] == ["GPU-bbbb", "GPU-aaaa"]
        for workload in placed:
            other.stop(workload.id)
            outcome(other, workload.id)
    finally:
        asyncio.run(LocalEngine().shutdown())
        monkeypatch.setenv("RUNAI_ENGINE_DIR", str(engine_directory))


def test_both_engines_at_once_race_for_one_device(
    driver: Driver, engine_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of two engines submits three workloads of 0.6 to one device at the same moment: one may run."""
    driver.write(TWO_A100.splitlines(keepends=True)[0])
    code = (
        "import sys; from jupyter_runai.client import Client; from tests.helpers import *;"
        "client = Client(); client.info();"
        "print('ready', flush=True); sys.stdin.readline();"
        "ids = [client.submit(spec(UNTIL_STOPPED, gpu='0.6')).id for _ in range(3)];"
        "[until(client, id, lambda w: running(w) or waits(w)) for id in ids];"
        "print(sum(w.state == 'running' for w in client.list()), flush=True); sys.stdin.readline()"
    )
    racers = []
    for name in ("one", "two"):
        environment = {**os.environ, "RUNAI_ENGINE_DIR": str(engine_directory / name)}
        racers.append(
            subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                text=True,
                cwd=Path(__file__).parents[2],
            )
        )
    pipes = [(racer.stdin, racer.stdout) for racer in racers if racer.stdin and racer.stdout]
    for _, output in pipes:
        assert output.readline() == "ready\n"
    for go, _ in pipes:
        go.write("go\n")
        go.flush()
    assert sum(int(output.readline()) for _, output in pipes) == 1
    for racer in racers:
        racer.communicate("done\n", timeout=60)
    for name in ("one", "two"):
        monkeypatch.setenv("RUNAI_ENGINE_DIR", str(engine_directory / name))
        stop_everything()
    monkeypatch.setenv("RUNAI_ENGINE_DIR", str(engine_directory))
