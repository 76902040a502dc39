"""The client's calls for many workloads and tasks at once."""

from __future__ import annotations

from jupyter_runai.client import Client
from tests.helpers import spec, until, waits


def test_the_results_of_a_thousand_tasks_are_asked_for_at_once(engine: Client) -> None:
    workload = engine.submit(spec(gpu=2, tasks=1000, gang=False, priority=25))
    engine.stop(workload.id)
    folders = engine.all_results(workload)
    assert len(set(folders)) == 1000


def test_hundreds_may_wait_at_once(engine: Client) -> None:
    workload = engine.submit(spec(gpu=64))
    until(engine, workload.id, waits)
    waiting = [engine.settled(workload.id) for _ in range(500)]
    assert {settled.result().id for settled in waiting} == {workload.id}
