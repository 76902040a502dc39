"""The daemon is killed again and again at random moments while work is submitted, stopped, suspended and ends.

`RUNAI_CRASH_ROUNDS=300 pytest tests/crash` does it more often.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from jupyter_runai.client import Client
from scheduler_core.errors import EngineUnavailable, RunaiError
from scheduler_core.local.machine.identity import mark_of, start_of
from scheduler_core.local.wire.protocol import ENDPOINT_FILE, Endpoint
from scheduler_core.workload import Workload
from tests.helpers import spec

ROUNDS = int(os.environ.get("RUNAI_CRASH_ROUNDS", "20"))
LONGEST_ROUND_S = 0.4
SHARES = ("0.25", "0.5", "0.5", 1)
LINES = 40
CODE = f"""
import os, signal, sys, time
name = os.environ['RUNAI_WORKLOAD_ID'] + ' ' + os.environ['RUNAI_RESTARTS']
held = os.environ['RUNAI_GPU_IDS'] + ' ' + os.environ['RUNAI_GPU_PORTION']
runs = os.open(os.environ['RUNS'], os.O_WRONLY | os.O_APPEND)

def note(what):
    os.write(runs, f'{{what}} {{name}} {{held}} {{time.time()}}\\n'.encode())

signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
note('began')
try:
    for number in range({LINES}):
        print(number, flush=True)
        time.sleep(float(os.environ['PACE']))
finally:
    note('over')
"""

pytestmark = pytest.mark.timeout(7200)


class Run(NamedTuple):
    """One run as its process has written it down; `portion` of one device, which it left when it was over."""

    workload: str
    restarts: int
    device: str
    portion: float
    began: float
    over: float


class Load(threading.Thread):
    """Submits, and stops, suspends or resumes what it has submitted, until it is told to end."""

    def __init__(self, seed: int, runs: Path) -> None:
        super().__init__()
        self._chance = random.Random(seed)
        self._runs = runs
        self._over = threading.Event()
        self.acknowledged: list[str] = []

    def run(self) -> None:
        client = Client()
        while not self._over.is_set():
            with suppress(RunaiError):
                self._act(client)
        client.close()

    def end(self) -> None:
        self._over.set()
        self.join()

    def _act(self, client: Client) -> None:
        what = self._chance.random()
        if what < 0.5 or not self.acknowledged:
            environment = {"RUNS": str(self._runs), "PACE": str(self._chance.choice((0, 0.002, 0.01)))}
            asked = spec(
                CODE, gpu=self._chance.choice(SHARES), env=environment, key=f"{self._chance.random()}", grace_s=5
            )
            self.acknowledged.append(_insist(client, asked))
            return
        chosen = self._chance.choice(self.acknowledged[-8:])
        (client.stop if what < 0.7 else client.suspend if what < 0.85 else client.resume)(chosen)


def _insist(client: Client, asked: object) -> str:
    """Submit until it is acknowledged; the key makes that one workload."""
    while True:
        with suppress(EngineUnavailable):
            return client.submit(asked).id  # type: ignore[arg-type]


def _kill_daemon(directory: Path) -> bool:
    with suppress(OSError, msgspec.MsgspecError):
        pid = msgspec.json.decode((directory / ENDPOINT_FILE).read_bytes(), type=Endpoint).pid
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def _end_all(client: Client) -> dict[str, Workload]:
    """Let everything come to its end: what is suspended is stopped, all else runs on."""
    for workload in client.list():
        if workload.state in ("suspending", "suspended"):
            client.stop(workload.id)
    for workload in client.list():
        for _ in client.follow(workload.id):
            pass
    return {workload.id: workload for workload in client.list()}


def _read(runs: Path) -> list[Run]:
    """The runs in the order in which they began; one that began twice is there twice."""
    lines = [line.split() for line in runs.read_text().splitlines()]
    over = {(name, again): float(at) for what, name, again, _, _, at in lines if what == "over"}
    return [
        Run(name, int(again), device, float(part), float(at), over[name, again])
        for what, name, again, device, part, at in lines
        if what == "began"
    ]


def _crowded(runs: Iterable[Run]) -> Iterator[str]:
    """Moments at which a device was held more than once over."""
    by_device: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_device[run.device].append(run)
    for device, held in by_device.items():
        for run in held:
            beside = [other for other in held if other.began <= run.began < other.over]
            if sum(other.portion for other in beside) > 1:
                yield f"{device} at {run.began}: {beside}"


@pytest.fixture
def survivors(simulated: Path, tmp_path: Path) -> Iterator[tuple[list[str], list[Run], dict[str, Workload], Client]]:
    """What was acknowledged, every run, all workloads at their end, and a client, after many rounds."""
    runs, chance, kills = tmp_path / "runs", random.Random(1), 0
    runs.touch()
    load = Load(2, runs)
    load.start()
    while kills < ROUNDS:
        time.sleep(chance.uniform(0, LONGEST_ROUND_S))  # the moment is what is random
        kills += _kill_daemon(simulated)
    load.end()
    client = Client()
    ended = _end_all(client)
    print(f"{kills} kills, {len(load.acknowledged)} workloads: {Counter(w.state for w in ended.values())}")
    yield load.acknowledged, _read(runs), ended, client
    client.close()


def test_nothing_is_lost_run_twice_left_behind_or_booked_twice(
    survivors: tuple[list[str], list[Run], dict[str, Workload], Client],
) -> None:
    acknowledged, runs, ended, client = survivors
    assert set(acknowledged) <= ended.keys()
    assert all(workload.has_ended for workload in ended.values())
    twice = [key for key, count in Counter((run.workload, run.restarts) for run in runs).items() if count > 1]
    assert twice == []
    assert list(_crowded(runs)) == []
    assert not any(device.holders for device in client.devices())
    alive = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if start_of(int(entry.name)) is not None]
    assert [pid for pid in alive if (mark_of(pid) or "").rpartition("-")[0] in ended] == []
    ran = {run.workload for run in runs}
    for identifier, workload in ended.items():
        log = b"".join(client.logs(identifier)).decode().split()
        if workload.state == "completed":
            assert identifier in ran
            assert log[-LINES:] == [str(number) for number in range(LINES)]
        # What was ended in the middle has all it had said by then: each run counts up from 0.
        assert all(now in (str(int(before) + 1), "0") for before, now in pairwise(log)), log
        assert workload.state in ("completed", "stopped")
