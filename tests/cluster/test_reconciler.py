"""What is wanted of a workload comes to be, whatever happens meanwhile to pods, Jobs and the reconciler itself.

Which pods start is said by each test; KWOK plays them.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from kubernetes import client

from scheduler_core.kubernetes.engine import KubernetesEngine
from scheduler_core.model import TaskRequest
from scheduler_core.workload import Scale, State, Workload
from tests.cluster.binding import Binding
from tests.cluster.control_plane import wait_until
from tests.cluster.reconcilers import Reconcilers
from tests.engine_steps import FAILS, RUNS, asked, says, until, until_tasks


async def running(
    engine: KubernetesEngine, binding: Binding, workload: Workload, tasks: int = 1, run: int | None = None
) -> None:
    """Let it start, where given in this run of it."""
    labels = {} if run is None else {"run": str(run)}
    binding.bind(*binding.waiting(tasks, workload=workload.id, **labels))
    await until_tasks(engine, workload.id, *["running"] * tasks)


async def test_it_runs_to_its_end(engine: KubernetesEngine, binding: Binding) -> None:
    workload = await engine.submit(asked(says("x"), 1))
    binding.bind(*binding.waiting(1))
    ended = await until(engine, workload.id, "completed", "failed")
    assert (ended.state, ended.exit_code, ended.restarts, ended.allocation) == ("completed", 0, 0, None)
    assert ended.started is not None
    assert ended.ended is not None
    failing = await engine.submit(asked(FAILS, 1))
    binding.bind(*binding.waiting(1))
    ended = await until(engine, failing.id, "completed", "failed")
    assert (ended.state, ended.exit_code, ended.reason) == ("failed", 1, "exit status 1")


async def test_one_of_a_gang_may_end_before_another_has_begun(engine: KubernetesEngine, binding: Binding) -> None:
    gang = await engine.submit(asked(says("x"), 1, tasks=2))
    first, second = binding.waiting(2)
    binding.bind(first)
    await until_tasks(engine, gang.id, "completed", "pending")
    assert (await engine.get(gang.id)).state == "running"
    binding.bind(second)
    ended = await until(engine, gang.id, "completed", "failed")
    assert (ended.state, ended.restarts) == ("completed", 0)


async def test_what_it_was_given_is_shown_while_it_runs(engine: KubernetesEngine, binding: Binding) -> None:
    workload = await engine.submit(asked(RUNS, 1, tasks=2))
    await running(engine, binding, workload, 2)
    seen = await engine.get(workload.id)
    assert seen.allocation is not None
    assert [held.id for held in seen.allocation.devices] == ["node-0-0", "node-0-1"]
    assert seen.task_states == {"running": 2}
    services = binding.core.list_namespaced_service(binding.namespace).items
    assert [service.metadata.name for service in services] == [workload.id]


async def test_a_gang_fails_as_one_and_starts_over(engine: KubernetesEngine, binding: Binding) -> None:
    gang = await engine.submit(asked(FAILS, 1, tasks=3, retries=1))
    binding.bind(*binding.waiting(3, run="0"))
    binding.bind(*binding.waiting(3, run="1"))
    ended = await until(engine, gang.id, "failed", "completed")
    assert (ended.state, ended.exit_code, ended.restarts) == ("failed", 1, 1)
    assert ended.reason.endswith("exit status 1")
    assert {task.state for task in await engine.tasks(gang.id)} <= {"failed", "stopped"}
    wait_until("the first run is gone", lambda: not binding.pods(run="0"))


async def test_it_is_suspended_goes_on_and_is_stopped(engine: KubernetesEngine, binding: Binding) -> None:
    workload = await engine.submit(asked(RUNS, 1, tasks=2))
    await running(engine, binding, workload, 2)
    await engine.suspend(workload.id)
    suspended = await until(engine, workload.id, "suspended")
    assert (suspended.allocation, suspended.ended) == (None, None)
    assert binding.pods() == []
    await engine.resume(workload.id)
    await running(engine, binding, workload, 2, run=1)
    assert (await engine.get(workload.id)).restarts == 1
    await engine.stop(workload.id)
    stopped = await until(engine, workload.id, "stopped")
    assert stopped.stop_requested is not None
    assert [task.state for task in await engine.tasks(workload.id)] == ["stopped", "stopped"]
    waits = await engine.submit(asked(RUNS, 1))
    binding.waiting(1)
    await engine.stop(waits.id)
    assert (await until(engine, waits.id, "stopped")).stop_requested is None
    wait_until("its pod is gone", lambda: not binding.pods(workload=waits.id))


async def test_what_is_evicted_waits_and_starts_over(engine: KubernetesEngine, binding: Binding) -> None:
    gang = await engine.submit(asked(RUNS, 1, tasks=2))
    await running(engine, binding, gang, 2)
    binding.evict(binding.pods()[1], "preempt: for urgent")
    binding.waiting(2, run="1")
    waits = await until(engine, gang.id, "pending")
    assert (waits.reason, waits.started, waits.allocation) == ("preempt: for urgent", None, None)
    await running(engine, binding, gang, 2)
    assert (await engine.get(gang.id)).restarts == 1


async def test_why_a_pod_was_taken_is_known_also_where_it_has_gone_before_anybody_looked(
    engine: KubernetesEngine, binding: Binding, reconcilers: Reconcilers
) -> None:
    gang = await engine.submit(asked(RUNS, 1, tasks=2))
    await running(engine, binding, gang, 2)
    taken = binding.pods()[1]
    with reconcilers.paused():
        binding.evict(taken, "preempt: for urgent")
        wait_until("it has gone", lambda: taken.metadata.name not in binding.names())
    binding.waiting(2, run="1")
    assert (await until(engine, gang.id, "pending")).reason == "preempt: for urgent"


async def test_a_gang_says_why_one_was_taken_also_where_all_have_gone_before_anybody_looked(
    engine: KubernetesEngine, binding: Binding, reconcilers: Reconcilers
) -> None:
    gang = await engine.submit(asked(RUNS, 1, tasks=2))
    await running(engine, binding, gang, 2)
    first, taken = binding.pods()
    with reconcilers.paused():
        binding.evict(taken, "preempt: for urgent")
        # Its Job may have been faster.
        with suppress(client.exceptions.NotFoundException):
            binding.core.delete_namespaced_pod(first.metadata.name, binding.namespace)
        wait_until("both have gone", lambda: binding.names().isdisjoint({first.metadata.name, taken.metadata.name}))
    binding.waiting(2, run="1")
    assert (await until(engine, gang.id, "pending")).reason == "preempt: for urgent"


async def test_an_elastic_gang_loses_a_task_and_gets_it_back(engine: KubernetesEngine, binding: Binding) -> None:
    gang = await engine.submit(asked(RUNS, 1, tasks=3, min_tasks=1))
    await running(engine, binding, gang, 3)
    binding.evict(binding.pods()[1], "reclaim: for others")
    (waits,) = binding.waiting(1)
    await until_tasks(engine, gang.id, "running", "pending", "running")
    assert (await engine.get(gang.id)).state == "running"
    binding.bind(waits)
    await until_tasks(engine, gang.id, "running", "running", "running")
    assert (await engine.scale(gang.id, Scale(tasks=2))).applied == "now"
    await until_tasks(engine, gang.id, "running", "running")
    wait_until("one is gone", lambda: len(binding.pods()) == 2)
    assert (await engine.scale(gang.id, Scale(tasks=4))).applied == "next_start"
    assert (await engine.get(gang.id)).state == "running"


async def test_an_elastic_gang_is_done_without_those_that_found_no_room(
    engine: KubernetesEngine, binding: Binding
) -> None:
    gang = await engine.submit(asked(says("x"), 1, tasks=3, min_tasks=1))
    binding.bind(binding.waiting(3)[0])
    ended = await until(engine, gang.id, "completed", "failed")
    assert (ended.state, ended.task_states) == ("completed", {"completed": 1, "stopped": 2})
    wait_until("nothing of it waits", lambda: len(binding.pods()) == 1)


async def test_the_tasks_of_an_array_come_and_go_by_themselves(engine: KubernetesEngine, binding: Binding) -> None:
    array = await engine.submit(asked(RUNS, 1, tasks=3, gang=False))
    binding.bind(*binding.waiting(3)[:2])
    await until_tasks(engine, array.id, "running", "running", "pending")
    assert (await engine.scale(array.id, Scale(tasks=1))).applied == "now"
    await until_tasks(engine, array.id, "running")
    wait_until("the others are gone", lambda: len(binding.pods()) == 1)
    answer = await engine.scale(array.id, Scale(tasks=2))
    assert (answer.applied, answer.workload.tasks) == ("now", 2)
    binding.bind(*binding.waiting(1))
    await until_tasks(engine, array.id, "running", "running")
    binding.evict(binding.pods()[0], "preempt: for urgent")
    await until_tasks(engine, array.id, "pending", "running")
    await engine.suspend(array.id)
    assert (await until(engine, array.id, "suspended")).task_states == {"pending": 2}
    await engine.resume(array.id)
    await running(engine, binding, array, 2)


async def test_an_array_counts_what_failed(engine: KubernetesEngine, binding: Binding) -> None:
    array = await engine.submit(asked(FAILS, 1, tasks=3, gang=False))
    binding.bind(*binding.waiting(3))
    ended = await until(engine, array.id, "failed", "completed")
    assert (ended.reason, ended.task_states) == ("3 of 3 tasks failed: 0, 1, 2", {"failed": 3})


async def test_what_waits_asks_for_something_else_at_once(engine: KubernetesEngine, binding: Binding) -> None:
    workload = await engine.submit(asked(RUNS, 8, tasks=2))
    binding.waiting(2)
    answer = await engine.resize(workload.id, TaskRequest(gpu="0.5"))
    assert (answer.applied, answer.workload.request.gpu) == ("now", "0.5")
    (pod, _) = binding.waiting(2, run="1")
    assert pod.metadata.annotations["gpu-fraction"] == "0.5"
    assert (await engine.scale(workload.id, Scale(tasks=3))).applied == "now"
    await running(engine, binding, workload, 3)
    assert (await engine.get(workload.id)).restarts == 0


async def test_what_runs_asks_for_something_else_from_its_next_start_on(
    engine: KubernetesEngine, binding: Binding
) -> None:
    workload = await engine.submit(asked(RUNS, 1))
    await running(engine, binding, workload)
    answer = await engine.resize(workload.id, TaskRequest(gpu="0.5"))
    assert (answer.applied, answer.workload.request.gpu) == ("next_start", 1)
    assert answer.workload.next_request == TaskRequest(gpu="0.5")
    scaled = await engine.scale(workload.id, Scale(tasks=2))
    assert (scaled.applied, scaled.workload.tasks, scaled.workload.next_scale) == ("next_start", 1, Scale(tasks=2))
    await engine.suspend(workload.id)
    suspended = await until(engine, workload.id, "suspended")
    assert (suspended.request, suspended.next_request, suspended.tasks) == (TaskRequest(gpu="0.5"), None, 2)
    await engine.resume(workload.id)
    await running(engine, binding, workload, 2)


async def test_what_has_run_long_enough_is_stopped(engine: KubernetesEngine, binding: Binding) -> None:
    workload = await engine.submit(asked(RUNS, 1, max_run_s=1.5))
    await running(engine, binding, workload)
    stopped = await until(engine, workload.id, "stopped")
    assert stopped.reason == "reached its maximum run time of 1.5 s"


async def test_what_is_not_to_be_kept_is_put_out_of_sight(engine: KubernetesEngine, binding: Binding) -> None:
    workload = await engine.submit(asked(says("x"), 1, delete_after_s=0.5))
    binding.bind(*binding.waiting(1))
    async for _ in engine.watch():
        if await engine.list() == ():
            break
    (deleted,) = await engine.list(deleted=True)
    assert (deleted.id, deleted.state) == (workload.id, "completed")


@pytest.mark.parametrize("what", ["pod", "job"])
async def test_what_somebody_deletes_by_hand_starts_over(engine: KubernetesEngine, binding: Binding, what: str) -> None:
    workload = await engine.submit(asked(RUNS, 1))
    await running(engine, binding, workload)
    (pod,) = binding.pods()
    if what == "pod":
        binding.core.delete_namespaced_pod(pod.metadata.name, binding.namespace)
    else:
        jobs = client.BatchV1Api(binding.core.api_client)
        jobs.delete_namespaced_job(workload.id, binding.namespace, propagation_policy="Background")
    binding.waiting(1, run="1")
    await running(engine, binding, workload)
    assert (await engine.get(workload.id)).restarts == 1


async def test_what_cannot_be_made_says_why(engine: KubernetesEngine, binding: Binding) -> None:
    workload = await engine.submit(asked(("/bin/sleep", "1"), TaskRequest().gpu, env={}, name="x" * 60, tasks=2))
    binding.waiting(2, workload=workload.id)
    odd = await engine.submit(asked(RUNS, TaskRequest().gpu, kind="training", queue="default"))
    custom = client.CustomObjectsApi(binding.core.api_client)
    body = {
        "apiVersion": "jupyter-runai.io/v1alpha1",
        "kind": "GpuWorkload",
        "metadata": {"name": "no.label.of.dns"},
        "spec": {"command": ["/bin/sleep", "1"], "cwd": "/", "image": "x", "tasks": 2},
    }
    custom.create_namespaced_custom_object("jupyter-runai.io", "v1alpha1", binding.namespace, "gpuworkloads", body)
    failed = await until(engine, "no.label.of.dns", "failed")
    assert failed.reason.startswith("could not start: The cluster refuses: ")
    assert odd.state == "pending"


async def test_a_reconciler_that_was_killed_is_missed_by_nobody(
    engine: KubernetesEngine, binding: Binding, reconcilers: Reconcilers
) -> None:
    gang = await engine.submit(asked(RUNS, 1, tasks=2))
    goes = await engine.submit(asked(RUNS, 1))
    pods = binding.waiting(3)
    reconcilers.kill()
    binding.bind(*pods)
    later = await engine.submit(asked(RUNS, 1))
    await engine.stop(goes.id)
    reconcilers.start()
    await until_tasks(engine, gang.id, "running", "running")
    await until(engine, goes.id, "stopped")
    reconcilers.kill()
    for pod in binding.pods(workload=gang.id):
        binding.core.delete_namespaced_pod(pod.metadata.name, binding.namespace)
    wait_until("its pods are gone", lambda: all(pod.spec.node_name is None for pod in binding.pods(workload=gang.id)))
    reconcilers.start()
    await running(engine, binding, later)
    await running(engine, binding, gang, 2, run=1)
    assert (await engine.get(gang.id)).restarts == 1


async def test_two_at_once_make_nothing_twice(
    engine: KubernetesEngine, binding: Binding, reconcilers: Reconcilers
) -> None:
    reconcilers.start()
    try:
        made = [await engine.submit(asked(RUNS, 1, tasks=2)) for _ in range(5)]
        binding.bind(*binding.waiting(10))
        for workload in made:
            await until_tasks(engine, workload.id, "running", "running")
        binding.evict(binding.pods(workload=made[0].id)[0], "preempt: for urgent")
        await running(engine, binding, made[0], 2, run=1)
        assert len(binding.pods()) == 10
        assert (await engine.get(made[0].id)).restarts == 1
        states: set[State] = {workload.state for workload in await engine.list()}
        assert states == {"running"}
    finally:
        reconcilers.kill()
