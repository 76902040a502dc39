"""The idle rule end to end: a real kernel on a device that a fake driver library shows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from scheduler_core.audit import ENGINE
from scheduler_core.workload import Notice, Workload
from tests.driver import GIB, TWO_A100, Driver
from tests.helpers import spec, until
from tests.kernels.conftest import offer
from tests.kernels.jupyter import Jupyter

PID = "__import__('os').getpid()"
RULE = "cluster: {kinds: {workspace: {rules: {idle: {after: 6s, warn: [2s], action: release}}}}}\n"
PATIENT = RULE.replace("6s", "10m")


@pytest.fixture
def ruled(engine_directory: Path) -> None:
    (engine_directory / "policies.yaml").write_text(RULE)


@pytest.fixture
def kernels(ruled: None, driver: Driver, tmp_path: Path) -> Iterator[Jupyter]:
    server = Jupyter(tmp_path)
    offer(server)
    yield server
    server.close()


async def when(client: Client, workload: Workload, wanted: Callable[[Notice], bool]) -> Workload:
    return await asyncio.to_thread(
        until, client, workload.id, lambda seen: seen.notice is not None and wanted(seen.notice)
    )


async def test_an_idle_kernel_is_warned_snoozed_warned_and_released_once_its_process_is_off_the_device(
    kernels: Jupyter, on_devices: Client, driver: Driver
) -> None:
    client = on_devices
    kernel = await kernels.start("runai-half")
    (workload,) = client.list()
    await kernel.run("kept = 41")
    # From when on it is known what the kernel does.
    await asyncio.to_thread(until, client, workload.id, lambda seen: seen.activity is not None)
    pid = int(await kernel.value(PID))
    driver.process(0, pid, 30 * GIB)
    first = (await when(client, workload, lambda notice: notice.stage == 1)).notice
    snoozed = client.snooze(workload.id).notice
    assert first is not None and snoozed is not None and snoozed.snoozed is not None
    again = (await when(client, workload, lambda notice: notice.stage == 1)).notice
    assert again is not None and again.since == snoozed.snoozed and not again.can_snooze
    # It is due, and its process is still there: the device is its own, and nobody else's.
    due = await when(client, workload, lambda notice: f"process {pid} is still on device 0" in notice.message)
    assert due.allocation is not None and due.allocation.devices[0].portion_milli == 500
    assert client.preview(spec(gpu=2)).state == "pending"
    driver.write(TWO_A100.replace(" 37 ", " 0 "))
    released = await when(client, workload, lambda notice: "(freed: 0.5 of device 0" in notice.message)
    assert released.state == "running"
    assert released.allocation is not None and released.allocation.devices == ()
    assert client.preview(spec(gpu=2)).state == "placed"
    assert (int(await kernel.value(PID)), await kernel.value("kept + 1")) == (pid, "42")
    done = {(entry.action, entry.user) for entry in client.audit()}
    assert {("snooze", workload.owner), ("release", ENGINE)} <= done


async def test_who_is_at_a_kernel_is_not_warned_any_more_and_may_put_it_off_again(
    kernels: Jupyter, on_devices: Client, driver: Driver, engine_directory: Path
) -> None:
    client = on_devices
    (engine_directory / "policies.yaml").write_text(PATIENT)
    kernel = await kernels.start("runai-half")
    (workload,) = client.list()
    await kernel.run("kept = 41")
    # From when on it is known what the kernel does.
    await asyncio.to_thread(until, client, workload.id, lambda seen: seen.activity is not None)
    await when(client, workload, lambda notice: notice.stage == 1)
    client.snooze(workload.id)
    spent = (await when(client, workload, lambda notice: notice.stage == 1)).notice
    assert spent is not None and not spent.can_snooze
    driver.write(TWO_A100.replace(" 37 ", " 0 "))
    await kernel.complete("kep")
    await asyncio.to_thread(until, client, workload.id, lambda seen: seen.notice is None)
    again = (await when(client, workload, lambda notice: notice.stage == 1)).notice
    assert again is not None and again.can_snooze and again.since > spent.since
