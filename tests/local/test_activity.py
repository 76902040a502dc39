"""Since when a workload is idle, as it says itself (RUNAI_ACTIVITY) and as its devices show."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from scheduler_core.local.durable.store import Store
from scheduler_core.workload import Activity, Workload
from tests.driver import GIB, Driver
from tests.helpers import kill_daemon, outcome, spec, until, until_said
from tests.local.test_measurements import measured, pid_of

TELLS = """
import json, os, signal
path = os.environ['RUNAI_ACTIVITY']
def tell(executing, since):
    with open(path + '.new', 'w') as file:
        json.dump({'executing': executing, 'since': since}, file)
    os.replace(path + '.new', path)
"""
IDLE_SINCE_1000 = TELLS + "tell(False, 1000.0)\nprint(os.getpid(), flush=True)\nsignal.pause()"


def is_idle(workload: Workload) -> bool:
    return workload.activity is not None and workload.activity.idle_since is not None


def end(client: Client, workload: Workload) -> Workload:
    client.stop(workload.id)
    return outcome(client, workload.id)[0]


def test_a_workload_that_does_not_tell_has_no_activity(client: Client) -> None:
    silent = client.submit(spec("import signal; signal.pause()", gpu="0.5", grace_s=0))
    idle = client.submit(spec(IDLE_SINCE_1000, gpu="0.5", grace_s=0))
    seen = until(client, idle.id, is_idle)
    assert seen.activity == Activity(executing=False, since=1000.0, idle_since=1000.0)
    assert client.find(silent.id).activity is None
    assert end(client, idle).activity is None


def test_what_executes_is_not_idle(client: Client) -> None:
    code = TELLS + "tell(True, 1000.0)\nprint('up', flush=True)\nsignal.sigwait([signal.SIGUSR1])\ntell(False, 1e12)\n"
    code = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n" + code + "signal.pause()"
    workload = client.submit(spec(code.replace("'up'", "os.getpid()"), grace_s=0))
    pid = pid_of(client, workload)
    seen = until(client, workload.id, lambda known: known.activity is not None)
    assert seen.activity == Activity(executing=True, since=1000.0, idle_since=None)
    before = time.time()
    os.kill(pid, signal.SIGUSR1)
    told = until(
        client, workload.id, lambda known: known.activity is not None and not known.activity.executing
    ).activity
    # What is told of the future is of now.
    assert told is not None
    assert before <= told.since == told.idle_since <= time.time()


def test_the_use_of_a_device_is_no_idleness(on_devices: Client, driver: Driver) -> None:
    client = on_devices
    workload = client.submit(spec(IDLE_SINCE_1000, gpu="0.25", grace_s=0))
    pid = pid_of(client, workload)
    until(client, workload.id, is_idle)
    quiet = driver.path.read_text()
    driver.process(0, pid, GIB)
    driver.write(driver.path.read_text() + f"busy 0 {pid} 20\n")
    used = until(client, workload.id, lambda known: not is_idle(known))
    assert used.activity == Activity(executing=False, since=1000.0, idle_since=None)
    driver.write(quiet)
    after = until(client, workload.id, is_idle).activity
    assert after is not None
    assert after.idle_since is not None
    assert time.time() - 60 < after.idle_since < time.time()


def test_an_earlier_use_is_remembered_when_the_engine_starts_anew(on_devices: Client, engine_directory: Path) -> None:
    client = on_devices
    workload = client.submit(spec(IDLE_SINCE_1000, gpu="0.25", grace_s=0))
    until(client, workload.id, is_idle)
    kill_daemon(client)
    before = time.time() - 600
    (path,) = engine_directory.rglob("store.sqlite")
    store = Store(path)
    asyncio.run(store.measure([(workload.id, measured(before, gpu_utilization=0.2))]))
    store.close()
    seen = until(client, workload.id, is_idle)
    assert seen.activity == Activity(executing=False, since=1000.0, idle_since=before + 60)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"executing": 1, "since": 0}', '{"executing": true}', "{}" * 999])
def test_what_is_no_activity_is_not_taken_for_one(client: Client, content: str) -> None:
    bad = f"import os, signal\nopen(os.environ['RUNAI_ACTIVITY'], 'w').write({content!r})\nprint('up')\nsignal.pause()"
    workload = client.submit(spec(bad, grace_s=0))
    until_said(client, workload.id, "up")
    # Both are looked at together.
    good = client.submit(spec(IDLE_SINCE_1000, grace_s=0))
    until(client, good.id, is_idle)
    assert client.find(workload.id).activity is None
