"""What accounts cost: a year of 1,000 devices and 2,000,000 workloads, and what is counted as work runs.

year        the made-up year of `year.py` in an engine's store: its size, the start of a daemon on it beside one on an
            empty store, and reports of all of it over a client; `accounting.py --case year FOLDER` keeps it in that
            folder for the next time
transition  a workload's record put into a store with a change of what it holds, beside one without
sampling    processor time that it takes to count 64 running workloads on 64 simulated devices, once a second
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import year as made_up
from msgspec.structs import replace
from shape import arguments, report, run_cases

from jupyter_runai.client import Client
from scheduler_core.accounting.amounts import DAY_MS
from scheduler_core.local import LocalEngine
from scheduler_core.local.access.settings import Settings
from scheduler_core.local.durable.store import Store
from scheduler_core.local.machine.devices import open_devices
from scheduler_core.local.metering.usage_meter import UsageMeter
from scheduler_core.local.record.holding import entries_of
from scheduler_core.local.record.records import Record, TaskId, TaskRecord, new_record, new_workload
from scheduler_core.local.record.tasks import launched
from scheduler_core.model import TaskRequest
from scheduler_core.workload import Allocation, HeldDevice, WorkloadSpec

RUNS = 5
TRANSITIONS = 300
DEVICES = 64
SAMPLES = 60


def year() -> None:
    kept = arguments(__doc__, list(CASES)).paths
    with tempfile.TemporaryDirectory(prefix="runai-") as folder:
        made = Path(kept[0] if kept else folder) / "year.sqlite"
        if not made.exists():
            made_up.make(made)
        store = Path(folder) / "simulated" / "store.sqlite"
        store.parent.mkdir(mode=0o700)
        shutil.copy(made, store)
        size = store.stat().st_size / 1e9
        report("accounting", "store", size, "GB", 2.0, "lower", {"workloads (count)": made_up.WORKLOADS})
        with tempfile.TemporaryDirectory(prefix="runai-") as empty:
            pairs = [(started(folder), started(empty)) for _ in range(RUNS + 1)][1:]
        of_year, of_nothing = (statistics.median(pair[which] for pair in pairs) for which in (0, 1))
        beside = {"on an empty store": of_nothing, "store (GB)": size}
        report("accounting", "start", of_year, "ms", 500.0, "lower", beside)
        os.environ["RUNAI_ENGINE_DIR"] = folder
        reports()
        asyncio.run(LocalEngine().shutdown())


def started(folder: str) -> float:
    """Milliseconds from a client's first call to its answer, with no daemon there before; it ends again."""
    os.environ["RUNAI_ENGINE_DIR"] = folder
    Settings(simulate="2xA100-80GB").write(Path(folder))
    with closing(Client()) as client:
        took = timed(client.info)
    asyncio.run(LocalEngine().shutdown())
    return took


def reports() -> None:
    with closing(Client()) as client:
        week = time.time() - 7 * DAY_MS / 1000
        aims = {"project": 2.0, "user": None, "device": None, "workload": None}
        for by, aim in aims.items():
            of_all, of_week = (
                statistics.median(timed(lambda since=since, by=by: client.usage(by, since)) for _ in range(RUNS)) / 1000
                for since in (0.0, week)
            )
            report("accounting", f"by {by}", of_all, "s", aim, "lower", {"of a week": of_week})


def timed(call: Callable[[], object]) -> float:
    started = time.monotonic()
    call()
    return (time.monotonic() - started) * 1000


def running(number: int, device: HeldDevice) -> Record:
    """A workload that runs on a whole device."""
    spec = WorkloadSpec(command=("x",), cwd="/", request=TaskRequest(gpu=1))
    record = new_record(spec, new_workload(spec, f"{number:08x}", f"w-{number}", "ana", True))
    given = Allocation(node="here", devices=(device,))
    return launched(record, {0: given}, time.time(), None)


def held(index: int) -> HeldDevice:
    return HeldDevice(id=f"gpu-{index}", index=index, model="A100", portion_milli=1000, memory_mib=81_920)


def transition() -> None:
    with tempfile.TemporaryDirectory(prefix="runai-") as folder, closing(Store(Path(folder) / "store.sqlite")) as store:
        pairs = asyncio.run(transitions(store))
    counted, bare = (statistics.median(pair[which] for pair in pairs) for which in (0, 1))
    report("accounting", "transition", counted - bare, "ms", None, "lower", {"counted": counted, "not counted": bare})


async def transitions(store: Store) -> list[tuple[float, float]]:
    """Milliseconds of a put with a change of what is held, and of one without."""
    pairs = []
    for number in range(TRANSITIONS):
        record, now = running(number, held(0)), time.time()
        await store.put(record)
        began = time.monotonic()
        await store.put(record, now, entries_of(None, record, now))
        between = time.monotonic()
        await store.put(record, now)
        pairs.append(((between - began) * 1000, (time.monotonic() - between) * 1000))
    return pairs


def sampling() -> None:
    with tempfile.TemporaryDirectory(prefix="runai-") as folder, closing(Store(Path(folder) / "store.sqlite")) as store:
        used = asyncio.run(sampled(store)) / SAMPLES
    report("accounting", "sampling", used, "ms a second", 10.0, "lower", {"devices (count)": DEVICES})


async def sampled(store: Store) -> float:
    """Milliseconds of processor time for a minute of looks and for writing it down."""
    devices = open_devices(f"{DEVICES}xA100-80GB", "bench")
    tasks: dict[TaskId, TaskRecord] = {}
    for device in devices.physical:
        record = running(device.index, replace(held(device.index), id=device.id))
        tasks[TaskId(record.workload.id, 0)] = record.tasks[0]
    meter, cores = UsageMeter(store, True), {task.workload: 1.0 for task in tasks}
    began = time.process_time()
    for _ in range(SAMPLES):
        # Time in which nothing passes is not measured.
        await asyncio.sleep(0.01)
        await meter.look(tasks, devices.sample(), {}, cores)
    meter.close()
    store.close()
    return (time.process_time() - began) * 1000


CASES = {"year": year, "transition": transition, "sampling": sampling}


if __name__ == "__main__":
    run_cases(__doc__, CASES)
