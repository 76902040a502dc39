"""A workload that is suspended, resumed and stopped as fast as one can ask."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until

CYCLES = 6
OTHERS = 800


@pytest.fixture
def crowd() -> Iterator[None]:
    """So many other processes that it takes a while to look for those of a workload."""
    others = [subprocess.Popen(["/bin/sleep", "300"]) for _ in range(OTHERS)]
    yield
    for each in others:
        each.kill()
    for each in others:
        each.wait()


def test_what_ended_one_run_does_not_reach_the_next(crowd: None, client: Client) -> None:
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.5", grace_s=0))
    for cycle in range(CYCLES):
        until(client, workload.id, lambda seen, cycle=cycle: running(seen) and seen.restarts == cycle)
        client.suspend(workload.id)
        until(client, workload.id, lambda seen: seen.state == "suspended")
        client.resume(workload.id)
    until(client, workload.id, running)
    client.stop(workload.id)
    assert outcome(client, workload.id)[0].state == "stopped"
