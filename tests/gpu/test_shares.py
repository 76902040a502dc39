"""Shares of a real device: what is held, by what, and what is measured. Nothing is simulated here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from scheduler_core.model import TaskRequest
from scheduler_core.workload import (
    Device,
    Enforcement,
    Measurement,
    Workload,
    WorkloadSpec,
)
from tests.helpers import devices_when, outcome, running, spec, until, until_said
from tests.notebooks.cells import run_cells

_ROOT = Path(__file__).parents[2]
_MPS = ("mps-v3", "mps-v2")


def work(code: str, gpu: str | int = "0.25", **fields: float) -> WorkloadSpec:
    """A workload whose code has a `device` of its own."""
    prelude = "import os, signal, sys, time\nfrom tests.gpu.task import Device\ndevice = Device()\n"
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", ""))))
    return spec(prelude + code, gpu=gpu, env={**os.environ, "PYTHONPATH": path}, **fields)


def holds(workload: Workload) -> Enforcement:
    assert workload.allocation is not None
    return workload.allocation.enforcement


def device_when(client: Client, reached: Callable[[Device], bool]) -> Device:
    """Watch until the first device is as wanted."""
    return devices_when(client, lambda devices: reached(devices[0]))[0]


def multiprocessors() -> int:
    """Those of a whole device; asked in a process of its own, since who asks holds memory."""
    code = "from tests.gpu.task import Device; print(Device().multiprocessors)"
    return int(subprocess.run([sys.executable, "-c", code], cwd=_ROOT, capture_output=True, check=True).stdout)


def measured_when(client: Client, workload: Workload, reached: Callable[[Measurement], bool]) -> None:
    """Wait for a second in which a workload used as much as is wanted."""
    while not any(map(reached, client.measurements(workload.id, "second"))):
        pass


@contextmanager
def stranger(mib: int) -> Iterator[None]:
    """A process that no engine knows, with this much device memory."""
    code = f"from tests.gpu.task import Device; print(Device().take({mib}), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        yield
        process.kill()


def test_devices_are_those_that_the_driver_names(client: Client) -> None:
    query = ["nvidia-smi", "--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits"]
    said = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    shown = [f"{device.id}, {device.model}, {device.memory_mib}" for device in client.devices()]
    assert shown == said
    assert client.info().simulated is None


def test_a_whole_device_is_all_there(client: Client, device: Device) -> None:
    code = f"print(device.multiprocessors, device.take({device.memory_mib * 3 // 4}))"
    ended, said = outcome(client, client.submit(work(code, gpu=1)).id)
    assert said.split() == [str(multiprocessors()), "True"]
    assert holds(ended).level == "device"


def test_mps_gives_no_more_than_the_share(mps: None, client: Client, device: Device) -> None:
    """Memory is refused and multiprocessors are hidden, whatever the framework."""
    quarter = device.memory_mib // 4
    code = f"print(device.multiprocessors, device.take({quarter // 2}), device.take({quarter}))"
    ended, said = outcome(client, client.submit(work(code)).id)
    seen, within, beyond = said.split()
    assert (within, beyond) == ("True", "False"), said
    assert 0 < int(seen) <= multiprocessors() // 4
    assert (holds(ended).level in _MPS, holds(ended).memory, holds(ended).compute) == (True, "hard", "hard")


def test_two_shares_compute_side_by_side(mps: None, client: Client) -> None:
    """The one goes on where the other is stopped in the middle of its work, deaf to SIGTERM."""
    busy = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: device.compute(); print('on', flush=True)"
    stopped, other = [client.submit(work(busy, gpu="0.5", grace_s=0.2)) for _ in range(2)]
    for workload in (stopped, other):
        until_said(client, workload.id, "on\n")
        assert holds(until(client, workload.id, running)).level in _MPS
    client.stop(stopped.id)
    assert outcome(client, stopped.id)[0].state == "stopped"
    before = b"".join(client.logs(other.id)).count(b"on")
    until_said(client, other.id, "on\n" * (before + 10))
    assert client.find(other.id).state == "running"
    client.stop(other.id)


def test_a_process_that_leaves_mps_is_seen(mps: None, client: Client) -> None:
    code = (
        "import subprocess\n"
        "for name in [name for name in os.environ if name.startswith('CUDA_MPS')]: del os.environ[name]\n"
        "takes = 'from tests.gpu.task import Device; Device().take(1024); input()'\n"
        "subprocess.Popen([sys.executable, '-c', takes], stdin=subprocess.PIPE).wait()"
    )
    workload = client.submit(work(code, grace_s=1))
    until_said(client, workload.id, "does not go through MPS")
    assert holds(client.find(workload.id)).level == "framework"
    client.stop(workload.id)


def test_the_watchdog_stops_what_no_cap_holds(no_mps: None, strict: None, client: Client, device: Device) -> None:
    code = (
        f"print(device.take({device.memory_mib * 2 // 5}), flush=True)\n"
        "signal.signal(signal.SIGINT, lambda *_: None)\nwhile True: time.sleep(9)"
    )
    ended, said = outcome(client, client.submit(work(code, grace_s=0.5)).id)
    assert (ended.state, holds(ended).level) == ("stopped", "framework")
    assert "of device memory are used, the share is" in ended.reason
    assert said.startswith("True\n")
    for step in ("It is interrupted in 0.5 s", "It is interrupted (SIGINT)", "It is stopped"):
        assert step in said


@pytest.mark.parametrize("share", ["mps", "no_mps"])
def test_what_a_share_uses_is_measured(share: str, request: pytest.FixtureRequest, client: Client) -> None:
    request.getfixturevalue(share)
    workload = client.submit(work("device.take(4096)\nwhile True: device.compute()", grace_s=1))
    busy = device_when(client, lambda device: (device.utilization or 0) > 0.5 and (device.used_mib or 0) > 4096)
    assert [holder.kind for holder in busy.holders] == ["workload"]
    measured_when(client, workload, lambda second: 4096 < (second.gpu_memory_mib or 0) < 6144)
    measured_when(client, workload, lambda second: (second.gpu_utilization or 0) > 0.05)
    client.stop(workload.id)


def test_memory_of_strangers_is_taken_off(client: Client, device: Device) -> None:
    with stranger(device.memory_mib * 2 // 5):
        seen = device_when(client, lambda device: sum(holder.portion_milli for holder in device.holders) > 350)
        assert [holder.kind for holder in seen.holders] == ["foreign"]
        assert 390 <= seen.holders[0].portion_milli <= 440
        assert client.preview(spec(gpu="0.7")).state == "pending"
        assert client.preview(spec(gpu="0.5")).state == "placed"
    device_when(client, lambda device: not device.holders)


@pytest.mark.parametrize("share", ["mps", "no_mps"])
@pytest.mark.parametrize(
    ("framework", "takes"),
    [
        ("torch", "torch.empty({bytes}, dtype=torch.uint8, device='cuda')"),
        ("cupy", "cupy.empty({bytes}, dtype=cupy.uint8)"),
        ("jax", "jax.numpy.zeros({bytes}, dtype='uint8').block_until_ready()"),
    ],
)
def test_frameworks_keep_to_the_share(
    share: str, framework: str, takes: str, request: pytest.FixtureRequest, client: Client, device: Device
) -> None:
    pytest.importorskip(framework)
    request.getfixturevalue(share)
    small, large = (takes.format(bytes=device.memory_mib * 1024 * 1024 * part // 100) for part in (15, 30))
    code = (
        f"import {framework}\nkept = {small}\nprint('within', flush=True)\n"
        f"try:\n    {large}\n    print('beyond')\n"
        "except Exception as error:\n    print(type(error).__name__, str(error)[:300])"
    )
    _, said = outcome(client, client.submit(spec(code, gpu="0.25")).id)
    assert "within\n" in said, said
    assert "beyond\n" not in said
    assert "memory" in said.lower()


def test_a_share_may_grow_to_its_limit_while_nobody_else_needs_it(no_mps: None, client: Client, device: Device) -> None:
    pytest.importorskip("torch")
    tenth = device.memory_mib * 1024 * 1024 // 10
    code = f"import torch\nkept = torch.empty({tenth * 4}, dtype=torch.uint8, device='cuda')\nprint('burst')"
    request = TaskRequest(gpu="0.25", gpu_limit="0.5")
    ended, said = outcome(client, client.submit(spec(code, request=request)).id)
    assert (ended.state, said) == ("completed", "burst\n")


def test_a_cell_computes_on_its_share(engine_directory: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    cells = run_cells(
        tmp_path,
        "%load_ext jupyter_runai\nimport torch",
        "%%runai run --gpu 0.25 -o total\ntotal = torch.ones(64, 64, device='cuda').sum().item()",
        "total, torch.cuda.is_initialized()",
    )
    assert not cells[1].error + cells[2].error, cells[1].error + cells[2].error
    assert cells[2].value == "(4096.0, False)"
