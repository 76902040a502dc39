"""What workloads use: measured each second, kept by minutes and hours."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from scheduler_core.errors import NotFound
from scheduler_core.local import LocalEngine
from scheduler_core.local.durable.store import Store
from scheduler_core.workload import Measurement, Step, Workload
from tests.driver import GIB, Driver
from tests.helpers import kill_daemon, outcome, spec

WORKS = """
import os, signal, subprocess, sys
held = bytearray(96 << 20)
code = 'held = bytearray(96 << 20)\\nwhile True: pass'
child = subprocess.Popen([sys.executable, '-c', code], start_new_session=True)
print(os.getpid(), flush=True)
signal.pause()
"""


def second(client: Client, workload: Workload, wanted: Callable[[Measurement], bool]) -> Measurement:
    """A second of the workload that is as wanted, as soon as there is one."""
    while True:
        for measured in client.measurements(workload.id, "second"):
            if wanted(measured):
                return measured


def pid_of(client: Client, workload: Workload) -> int:
    return int(next(update for update in client.follow(workload.id) if isinstance(update, bytes)))


def measured(at: float, **values: float | None) -> Measurement:
    nothing = dict.fromkeys(("gpu_utilization", "gpu_memory_mib", "gpu_memory_peak_mib"))
    host = dict.fromkeys(("cpu_cores", "memory_mib", "memory_peak_mib"), 0.0)
    return Measurement(at=at, seconds=60, **{**nothing, **host, **values})  # type: ignore[arg-type]


def test_cores_and_memory_are_those_of_all_its_processes(client: Client) -> None:
    workload = client.submit(spec(WORKS, grace_s=1))
    seen = second(client, workload, lambda second: second.memory_mib > 192 and second.cpu_cores > 0)
    assert (seen.gpu_utilization, seen.gpu_memory_mib) == (None, None)
    client.stop(workload.id)
    outcome(client, workload.id)


def test_a_simulated_device_has_a_load_that_stays_within_the_share(client: Client) -> None:
    workload = client.submit(spec(WORKS, gpu="0.5", grace_s=1))
    seen = second(client, workload, lambda second: (second.gpu_utilization or 0) > 0)
    assert 0 < (seen.gpu_utilization or 0) <= 0.5
    while not (device := client.devices()[0]).utilization:
        pass
    assert device.simulated
    assert 0 < (device.used_mib or 0) <= device.memory_mib / 2
    assert client.devices()[1].utilization == 0
    assert 0 < (seen.gpu_memory_mib or 0) <= 40 * GIB
    assert client.find(workload.id).simulated


def test_of_a_device_each_workload_has_what_its_processes_use(on_devices: Client, driver: Driver) -> None:
    client = on_devices
    one, other = [client.submit(spec(WORKS, gpu="0.25", grace_s=1)) for _ in range(2)]
    for workload, mib, percent in ((one, 3 * GIB, 20), (other, GIB, 5)):
        pid = pid_of(client, workload)
        driver.process(0, pid, mib)
        driver.write(driver.path.read_text() + f"busy 0 {pid} {percent}\n")
    seen = second(client, one, lambda second: (second.gpu_utilization or 0) > 0)
    assert (seen.gpu_utilization, seen.gpu_memory_mib) == (0.2, 3 * GIB)
    seen = second(client, other, lambda second: (second.gpu_utilization or 0) > 0)
    assert (seen.gpu_utilization, seen.gpu_memory_mib) == (0.05, GIB)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    """A process by the name of the server of MPS, for which NVML counts what its clients compute."""
    program = shutil.copy("/bin/sleep", tmp_path / "nvidia-cuda-mps-server")
    process = subprocess.Popen([program, "1000"], env={"RUNAI_TASK_ID": "service"})
    yield process.pid
    process.kill()
    process.wait()


def test_what_clients_of_mps_compute_is_known_of_one_alone(on_devices: Client, driver: Driver, server: int) -> None:
    client = on_devices
    one, other = [client.submit(spec(WORKS, gpu="0.25", grace_s=1)) for _ in range(2)]
    driver.process(0, server, 66)
    driver.busy(0, server, 40)
    driver.process(0, pid_of(client, one), 3 * GIB, through_mps=True)
    seen = second(client, one, lambda second: (second.gpu_utilization or 0) > 0)
    assert seen.gpu_utilization == 0.4
    driver.process(0, pid_of(client, other), GIB, through_mps=True)
    seen = second(client, other, lambda second: (second.gpu_memory_mib or 0) > 0)
    assert (seen.gpu_utilization, seen.gpu_memory_mib) == (None, GIB)
    assert second(client, one, lambda second: second.gpu_utilization is None).gpu_memory_mib == 3 * GIB
    assert {holder.kind for holder in client.devices()[0].holders} == {"workload"}


def test_what_the_driver_keeps_is_used_by_nobody(on_devices: Client, driver: Driver) -> None:
    driver.write(driver.path.read_text() + "reserved 0 480\n")
    assert on_devices.devices()[0].used_mib == 0


def test_minutes_outlive_the_workload_and_the_daemon_and_go_with_its_deletion(client: Client) -> None:
    workload = client.submit(spec(WORKS, gpu="0.5", grace_s=1))
    second(client, workload, lambda second: second.memory_mib > 192)
    assert client.measurements(workload.id)
    client.stop(workload.id)
    outcome(client, workload.id)
    other = client.submit(spec(WORKS, grace_s=1))
    # With its first second the minute of what has ended is on its way to the store, with the second one it is there.
    while len(client.measurements(other.id, "second")) < 2:
        pass
    kill_daemon(client)
    again = Client()
    minutes = again.measurements(workload.id)
    assert max(minute.memory_peak_mib for minute in minutes) > 192
    assert sum(minute.seconds for minute in minutes) >= 1
    assert again.measurements(workload.id, "second") == ()
    hours = again.measurements(workload.id, "hour")
    peaks = [max(step.memory_peak_mib for step in steps) for steps in (hours, minutes)]
    assert peaks[0] == peaks[1]
    assert again.measurements(workload.id, since=minutes[-1].at + 60) == ()
    again.delete(workload.id)
    with pytest.raises(NotFound):
        again.measurements(workload.id)
    again.close()


async def followed(workload_id: str, step: Step) -> list[Measurement]:
    """What is told of a workload until it has ended, each time once."""
    engine = LocalEngine()
    told = {each.at: each async for piece in engine.follow_measurements(workload_id, step) for each in piece}
    await engine.close()
    return list(told.values())


def test_what_follows_it_is_told_each_second_and_the_minute_as_it_grows(client: Client) -> None:
    workload = client.submit(spec(WORKS, gpu="0.5", grace_s=1))
    second(client, workload, lambda second: second.memory_mib > 192)

    async def both() -> tuple[list[Measurement], list[Measurement]]:
        seconds, minutes = (asyncio.ensure_future(followed(workload.id, step)) for step in ("second", "minute"))
        await asyncio.to_thread(client.stop, workload.id)
        return await seconds, await minutes

    seconds, minutes = asyncio.run(both())
    assert seconds == list(client.measurements(workload.id, "second"))
    assert minutes == list(client.measurements(workload.id, "minute"))
    assert max(minute.memory_peak_mib for minute in minutes) > 192


def test_old_minutes_become_hours(tmp_path: Path) -> None:
    async def fill(store: Store) -> None:
        first = measured(7200.0, gpu_utilization=0.2, memory_mib=10.0, memory_peak_mib=10.0)
        busy = measured(7260.5, gpu_utilization=0.6, memory_mib=30.0, memory_peak_mib=50.0)
        idle = measured(7320.0, memory_mib=20.0, memory_peak_mib=20.0)
        later = measured(10860.0, memory_mib=7.0)
        await store.measure([("a", minute) for minute in (first, busy, idle, later)] + [("b", first)])
        await store.measure([], thin_before=11000.0)

    store = Store(tmp_path / "store.sqlite")
    asyncio.run(fill(store))
    minutes, hours = store.measurements("a")
    assert [minute.at for minute in minutes] == [10860.0]
    assert [(hour.at, hour.seconds, hour.memory_mib, hour.memory_peak_mib) for hour in hours] == [
        (7200.0, 180.0, 20.0, 50.0)
    ]
    assert hours[0].gpu_utilization == pytest.approx(0.4)
    store.close()


def test_nothing_runs_and_nothing_is_measured(client: Client) -> None:
    workload = client.submit(spec("pass"))
    outcome(client, workload.id)
    assert client.measurements(workload.id, "hour") == ()
