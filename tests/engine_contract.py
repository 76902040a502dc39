"""What every engine does, whatever it runs on: mix `EngineContract` into a test class with an `engine` fixture.

The engine has two devices. Workloads run `/bin/echo WORDS`, `/bin/sleep 1000` or `/bin/false`, which every engine has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from scheduler_core.engine import Engine
from scheduler_core.errors import Conflict, InvalidRequest, NotFound
from scheduler_core.model import TaskRequest
from scheduler_core.workload import (
    TRANSITIONS,
    EngineState,
    Scale,
    State,
    WorkloadChanged,
    WorkloadDeleted,
)
from tests.engine_records import RecordsContract
from tests.engine_steps import FAILS, RUNS, asked, output, says, until, until_tasks


class EngineContract(RecordsContract):
    """Each engine passes all of it."""

    async def check_given_back(self, engine: Engine) -> None:
        """Nothing is held any more where all has ended."""
        assert not any(device.holders for device in await engine.devices())

    async def test_policies_are_checked_against_the_work_that_is_there(self, engine: Engine) -> None:
        assert (await engine.policy()).clauses == ()
        assert (await engine.catalog()).templates == ()
        large = await engine.submit(asked(RUNS, 1))
        small = await engine.submit(asked(RUNS, "0.5"))
        for workload in (large, small):
            await until(engine, workload.id, "running")
        (hit,) = (await engine.check_policies("cluster: {rules: {gpu: {max: 0.5}}}")).hits
        assert (hit.workload, hit.action, hit.is_new) == (large.id, "suspend", True)
        assert hit.message == "gpu is 1 and the cluster says at most 0.5"
        assert [(await engine.get(workload.id)).state for workload in (large, small)] == ["running", "running"]
        with pytest.raises(InvalidRequest, match="line 1: 'gpus' is no field"):
            await engine.check_policies("cluster: {rules: {gpus: {max: 1}}}")
        with pytest.raises(InvalidRequest):
            await engine.policy("nowhere")
        with pytest.raises(Conflict, match="not warned"):
            await engine.snooze(small.id)

    async def test_a_workload_runs_to_its_end_and_is_remembered(self, engine: Engine) -> None:
        workload = await engine.submit(asked(says("hello", "you"), "0.5", name="greeting"))
        assert (workload.name, workload.kind, workload.queue, workload.priority) == (
            "greeting",
            "training",
            "default",
            40,
        )
        ended = await until(engine, workload.id, "completed", "failed")
        assert (ended.state, ended.exit_code) == ("completed", 0)
        assert await output(engine, workload.id) == b"hello you\n"
        assert await engine.get(workload.id) == ended
        assert [known.id for known in await engine.list()] == [workload.id]

    async def test_one_that_fails_says_so(self, engine: Engine) -> None:
        workload = await engine.submit(asked(FAILS))
        ended = await until(engine, workload.id, "completed", "failed")
        assert (ended.state, ended.exit_code, ended.reason) == ("failed", 1, "exit status 1")

    async def test_one_that_fails_is_tried_again_as_often_as_asked(self, engine: Engine) -> None:
        workload = await engine.submit(asked(FAILS, retries=2))
        ended = await until(engine, workload.id, "completed", "failed")
        assert (ended.state, ended.restarts) == ("failed", 2)

    async def test_the_same_key_is_the_same_workload(self, engine: Engine) -> None:
        first, again = [await engine.submit(asked(says("x"), key="once")) for _ in range(2)]
        assert first.id == again.id
        assert len(await engine.list()) == 1

    async def test_what_it_holds_is_shown_and_given_back(self, engine: Engine) -> None:
        workload = await engine.submit(asked(RUNS, "0.5"))
        running = await until(engine, workload.id, "running")
        assert running.allocation is not None
        assert [held.portion_milli for held in running.allocation.devices] == [500]
        holders = [holder for device in await engine.devices() for holder in device.holders]
        assert [(holder.workload, holder.portion_milli) for holder in holders] == [(workload.id, 500)]
        await engine.stop(workload.id)
        ended = await until(engine, workload.id, "stopped")
        assert ended.stop_requested is not None
        await self.check_given_back(engine)

    async def test_one_that_finds_no_room_waits_says_why_and_starts_when_there_is(self, engine: Engine) -> None:
        first = await engine.submit(asked(RUNS, 2))
        await until(engine, first.id, "running")
        second = await engine.submit(asked(RUNS, 1))
        while (verdict := (await engine.get(second.id)).verdict) is None:
            await asyncio.sleep(0)
        assert (verdict.state, verdict.position) == ("pending", 1)
        assert verdict.message
        explained = await engine.explain(second.id)
        assert explained.workload.id == second.id
        assert explained.queue is not None
        assert explained.queue.name == "default"
        assert explained.remedies == ()
        await engine.stop(first.id)
        await until(engine, second.id, "running")

    async def test_what_would_let_it_start_does(self, engine: Engine) -> None:
        for gpu in (1, "0.6"):
            held = await engine.submit(asked(RUNS, gpu, priority=150))
            await until(engine, held.id, "running")
        waits = await engine.submit(asked(RUNS, "0.5"))
        remedy = (await engine.explain(waits.id, remedies=True)).remedies[0]
        assert (remedy.change, remedy.min_tasks, remedy.priority) == ("gpu 0.5 to 0.4", None, None)
        assert remedy.request is not None
        await engine.resize(waits.id, remedy.request)
        await until(engine, waits.id, "running")

    async def test_a_gang_that_could_start_with_fewer_is_told_so(self, engine: Engine) -> None:
        waits = await engine.submit(asked(RUNS, 1, tasks=4, min_tasks=3))
        remedies = (await engine.explain(waits.id, remedies=True)).remedies
        assert [remedy.min_tasks for remedy in remedies if remedy.min_tasks] == [2]

    async def test_a_higher_priority_that_helps_is_the_lowest_that_has_a_name(self, engine: Engine) -> None:
        held = await engine.submit(asked(RUNS, 2))
        await until(engine, held.id, "running")
        waits = await engine.submit(asked(RUNS, 2))
        remedies = (await engine.explain(waits.id, remedies=True)).remedies
        named = [(remedy.change, remedy.priority) for remedy in remedies if remedy.priority]
        assert named == [("priority low to medium-low", 65)]

    async def test_what_was_submitted_can_be_submitted_again(self, engine: Engine) -> None:
        first = await engine.submit(asked(RUNS, "0.5", key="once"))
        await engine.resize(first.id, TaskRequest(gpu="0.25"))
        specification = await engine.specification(first.id)
        assert (specification.command, specification.request) == (RUNS, TaskRequest(gpu="0.25"))
        assert (await engine.submit(specification)).id != first.id

    async def test_what_changes_at_its_next_start_is_in_what_can_be_submitted_again(self, engine: Engine) -> None:
        gang = await engine.submit(asked(RUNS, 1, tasks=2))
        await until_tasks(engine, gang.id, "running", "running")
        assert (await engine.resize(gang.id, TaskRequest(gpu="0.25"))).applied == "next_start"
        assert (await engine.scale(gang.id, Scale(tasks=3, min_tasks=2))).applied == "next_start"
        specification = await engine.specification(gang.id)
        assert specification.request == TaskRequest(gpu="0.25")
        assert (specification.tasks, specification.min_tasks) == (3, 2)

    async def test_a_preview_submits_nothing(self, engine: Engine) -> None:
        assert (await engine.preview(asked(RUNS, "0.5"))).state == "placed"
        assert (await engine.preview(asked(RUNS, 3))).code == "never_fits"
        assert await engine.list() == ()

    async def test_a_suspended_one_gives_all_back_and_starts_again(self, engine: Engine) -> None:
        workload = await engine.submit(asked(RUNS, 2))
        await until(engine, workload.id, "running")
        await engine.suspend(workload.id)
        suspended = await until(engine, workload.id, "suspended")
        assert (suspended.allocation, suspended.ended) == (None, None)
        assert not any(device.holders for device in await engine.devices())
        await engine.resume(workload.id)
        assert (await until(engine, workload.id, "running")).restarts == 1

    async def test_urgent_work_takes_the_place_of_other_work_which_comes_back(self, engine: Engine) -> None:
        training = await engine.submit(asked(RUNS, 2))
        await until(engine, training.id, "running")
        urgent = await engine.submit(asked(RUNS, 2, kind="interactive"))
        await until(engine, urgent.id, "running")
        evicted = await engine.get(training.id)
        assert evicted.state == "pending"
        assert evicted.reason.startswith("preempt: ")
        await engine.stop(urgent.id)
        assert (await until(engine, training.id, "running")).restarts == 1

    async def test_a_gang_starts_together_and_is_one_workload(self, engine: Engine) -> None:
        gang = await engine.submit(asked(RUNS, 1, tasks=2))
        running = await until(engine, gang.id, "running")
        assert (running.tasks, running.min_tasks, running.gang) == (2, 2, True)
        await until_tasks(engine, gang.id, "running", "running")
        whole = await engine.get(gang.id)
        assert whole.allocation is not None
        assert len({held.id for held in whole.allocation.devices}) == 2
        assert whole.task_states == {"running": 2}
        await engine.stop(gang.id)
        await until(engine, gang.id, "stopped")
        assert [task.state for task in await engine.tasks(gang.id)] == ["stopped", "stopped"]

    async def test_a_gang_waits_until_all_of_it_finds_room(self, engine: Engine) -> None:
        first = await engine.submit(asked(RUNS, 1))
        await until(engine, first.id, "running")
        gang = await engine.submit(asked(RUNS, 1, tasks=2))
        while (verdict := (await engine.get(gang.id)).verdict) is None:
            await asyncio.sleep(0)
        assert verdict.state == "pending"
        assert [task.state for task in await engine.tasks(gang.id)] == ["pending", "pending"]
        await engine.stop(first.id)
        await until(engine, gang.id, "running")

    async def test_a_gang_fails_as_one(self, engine: Engine) -> None:
        gang = await engine.submit(asked(FAILS, "0.5", tasks=3, retries=1))
        ended = await until(engine, gang.id, "failed", "completed")
        assert (ended.state, ended.exit_code, ended.restarts) == ("failed", 1, 1)
        assert ended.reason.endswith("exit status 1")
        assert {task.state for task in await engine.tasks(gang.id)} <= {"failed", "stopped"}

    async def test_more_of_an_elastic_gang_starts_when_there_is_room(self, engine: Engine) -> None:
        first = await engine.submit(asked(RUNS, 1))
        await until(engine, first.id, "running")
        gang = await engine.submit(asked(RUNS, 1, tasks=2, min_tasks=1))
        assert (await until(engine, gang.id, "running")).task_states == {"pending": 1, "running": 1}
        await engine.stop(first.id)
        await until_tasks(engine, gang.id, "running", "running")

    async def test_what_an_elastic_gang_has_beyond_its_minimum_gives_way(self, engine: Engine) -> None:
        gang = await engine.submit(asked(RUNS, 1, tasks=2, min_tasks=1))
        await until_tasks(engine, gang.id, "running", "running")
        urgent = await engine.submit(asked(RUNS, 1, kind="interactive"))
        await until(engine, urgent.id, "running")
        await until_tasks(engine, gang.id, "running", "pending")
        assert (await engine.get(gang.id)).state == "running"

    async def test_an_elastic_gang_is_done_without_those_that_found_no_room(self, engine: Engine) -> None:
        first = await engine.submit(asked(RUNS, 1))
        await until(engine, first.id, "running")
        gang = await engine.submit(asked(says("x"), 1, tasks=3, min_tasks=1))
        ended = await until(engine, gang.id, "completed", "failed")
        assert (ended.state, ended.task_states) == ("completed", {"completed": 1, "stopped": 2})

    async def test_the_tasks_of_an_array_run_as_room_comes_up(self, engine: Engine) -> None:
        array = await engine.submit(asked(says("x"), 1, tasks=5, gang=False))
        ended = await until(engine, array.id, "completed", "failed")
        assert (ended.state, ended.task_states, ended.exit_code) == ("completed", {"completed": 5}, 0)
        for index in range(5):
            assert await output(engine, array.id, task=index) == b"x\n"
        for reading in (engine.results(array.id, 5), output(engine, array.id, task=5)):
            with pytest.raises(NotFound):
                await reading

    async def test_an_array_counts_what_failed(self, engine: Engine) -> None:
        array = await engine.submit(asked(FAILS, "0.5", tasks=3, gang=False, retries=1))
        ended = await until(engine, array.id, "completed", "failed")
        assert (ended.state, ended.restarts) == ("failed", 3)
        assert ended.reason == "3 of 3 tasks failed: 0, 1, 2"

    async def test_an_array_goes_on_when_some_of_it_failed_before_the_rest_had_room(self, engine: Engine) -> None:
        array = await engine.submit(asked(FAILS, 2, tasks=3, gang=False))
        ended = await until(engine, array.id, "completed", "failed")
        assert (ended.reason, ended.task_states) == ("3 of 3 tasks failed: 0, 1, 2", {"failed": 3})

    async def test_a_suspended_array_goes_on_with_what_is_left(self, engine: Engine) -> None:
        array = await engine.submit(asked(RUNS, 1, tasks=3, gang=False))
        await until_tasks(engine, array.id, "running", "running", "pending")
        await engine.suspend(array.id)
        suspended = await until(engine, array.id, "suspended")
        assert suspended.task_states == {"pending": 3}
        await engine.resume(array.id)
        await until_tasks(engine, array.id, "running", "running", "pending")

    async def test_what_waits_or_is_suspended_asks_for_something_else_at_once(self, engine: Engine) -> None:
        first = await engine.submit(asked(RUNS, "0.5"))
        await until(engine, first.id, "running")
        second = await engine.submit(asked(RUNS, 2))
        answer = await engine.resize(second.id, TaskRequest(gpu=1))
        assert (answer.applied, answer.workload.request.gpu) == ("now", 1)
        await until(engine, second.id, "running")

    async def test_a_running_share_changes_its_size_on_its_device(self, engine: Engine) -> None:
        one, other = [await engine.submit(asked(RUNS, "0.5")) for _ in range(2)]
        for workload in (one, other):
            await until(engine, workload.id, "running")
        answer = await engine.resize(one.id, TaskRequest(gpu="0.6"))
        assert (answer.applied, answer.reason) == ("next_start", "device 0 has no room for more now")
        assert (answer.workload.request.gpu, answer.workload.next_request) == ("0.5", TaskRequest(gpu="0.6"))
        assert (await engine.resize(other.id, TaskRequest(gpu="0.25"))).applied == "now"
        answer = await engine.resize(one.id, TaskRequest(gpu="0.75"))
        assert (answer.applied, answer.workload.next_request) == ("now", None)
        held = {holder.workload: holder.portion_milli for device in await engine.devices() for holder in device.holders}
        assert held == {one.id: 750, other.id: 250}

    async def test_what_cannot_change_while_it_runs_changes_at_its_next_start(self, engine: Engine) -> None:
        workload = await engine.submit(asked(RUNS, 1))
        await until(engine, workload.id, "running")
        answer = await engine.resize(workload.id, TaskRequest(gpu="0.5"))
        assert (answer.applied, answer.workload.request.gpu) == ("next_start", 1)
        await engine.suspend(workload.id)
        suspended = await until(engine, workload.id, "suspended")
        assert (suspended.request, suspended.next_request) == (TaskRequest(gpu="0.5"), None)
        await engine.resume(workload.id)
        running = await until(engine, workload.id, "running")
        assert running.allocation is not None
        assert running.allocation.devices[0].portion_milli == 500
        await engine.stop(workload.id)
        await until(engine, workload.id, "stopped")
        with pytest.raises(Conflict):
            await engine.resize(workload.id, TaskRequest(gpu=1))

    async def test_what_waits_is_of_more_or_fewer_tasks_at_once(self, engine: Engine) -> None:
        gang = await engine.submit(asked(RUNS, 1, tasks=3))
        while (await engine.get(gang.id)).verdict is None:
            await asyncio.sleep(0)
        answer = await engine.scale(gang.id, Scale(tasks=2))
        assert (answer.applied, answer.workload.tasks, answer.workload.min_tasks) == ("now", 2, 2)
        await until_tasks(engine, gang.id, "running", "running")

    async def test_a_gang_that_runs_is_of_another_number_from_its_next_start_on(self, engine: Engine) -> None:
        gang = await engine.submit(asked(RUNS, "0.5", tasks=2))
        await until_tasks(engine, gang.id, "running", "running")
        answer = await engine.scale(gang.id, Scale(tasks=3, min_tasks=1))
        assert (answer.applied, answer.workload.tasks, answer.workload.next_scale) == (
            "next_start",
            2,
            Scale(tasks=3, min_tasks=1),
        )
        assert answer.reason
        await engine.suspend(gang.id)
        suspended = await until(engine, gang.id, "suspended")
        assert (suspended.tasks, suspended.min_tasks, suspended.next_scale) == (3, 1, None)
        await engine.resume(gang.id)
        await until_tasks(engine, gang.id, "running", "running", "running")

    async def test_an_elastic_gang_gives_up_tasks_while_it_runs(self, engine: Engine) -> None:
        gang = await engine.submit(asked(RUNS, "0.5", tasks=3, min_tasks=1))
        await until_tasks(engine, gang.id, "running", "running", "running")
        assert (await engine.scale(gang.id, Scale(tasks=2))).applied == "now"
        await until_tasks(engine, gang.id, "running", "running")
        assert (await engine.get(gang.id)).state == "running"
        assert (await engine.scale(gang.id, Scale(tasks=4))).applied == "next_start"

    async def test_an_array_grows_and_shrinks_while_it_runs(self, engine: Engine) -> None:
        array = await engine.submit(asked(RUNS, 1, tasks=3, gang=False))
        await until_tasks(engine, array.id, "running", "running", "pending")
        assert (await engine.scale(array.id, Scale(tasks=1))).applied == "now"
        await until_tasks(engine, array.id, "running")
        answer = await engine.scale(array.id, Scale(tasks=2))
        assert (answer.applied, answer.workload.tasks) == ("now", 2)
        await until_tasks(engine, array.id, "running", "running")
        with pytest.raises(InvalidRequest):
            await engine.scale(array.id, Scale(tasks=2, min_tasks=1))
        await engine.stop(array.id)
        await until(engine, array.id, "stopped")
        with pytest.raises(Conflict):
            await engine.scale(array.id, Scale(tasks=2))

    async def test_stopping_is_final(self, engine: Engine) -> None:
        workload = await engine.submit(asked(RUNS))
        await until(engine, workload.id, "running")
        await engine.stop(workload.id)
        await until(engine, workload.id, "stopped")
        assert (await engine.stop(workload.id)).state == "stopped"
        for change in (engine.suspend, engine.resume):
            with pytest.raises(Conflict):
                await change(workload.id)

    async def test_only_what_has_ended_is_deleted(self, engine: Engine) -> None:
        workload = await engine.submit(asked(RUNS))
        with pytest.raises(Conflict):
            await engine.delete(workload.id)
        await engine.stop(workload.id)
        await until(engine, workload.id, "stopped")
        await engine.delete(workload.id)
        with pytest.raises(NotFound):
            await engine.get(workload.id)
        assert await engine.list() == ()

    async def test_what_is_deleted_can_be_had_back_until_it_is_purged(self, engine: Engine) -> None:
        workload = await engine.submit(asked(says("kept"), key="once"))
        ended = await until(engine, workload.id, "completed")
        await engine.delete(workload.id)
        (deleted,) = await engine.list(deleted=True)
        assert (deleted.id, deleted.deleted is None) == (workload.id, False)
        other = await engine.submit(asked(says("x"), key="once"))
        assert other.id != workload.id
        restored = await engine.restore(workload.id)
        assert restored.restored is not None
        assert replace(restored, restored=None) == ended
        assert await engine.get(workload.id) == restored
        assert await output(engine, workload.id) == b"kept\n"
        assert await engine.list(deleted=True) == ()
        await engine.delete(workload.id)
        await engine.delete(workload.id, purge=True)
        assert await engine.list(deleted=True) == ()
        for call in (engine.restore, engine.delete):
            with pytest.raises(NotFound):
                await call(workload.id)
        await until(engine, other.id, "completed")
        await engine.delete(other.id, purge=True)
        assert await engine.list(deleted=True) == ()

    async def test_a_log_is_read_from_anywhere_and_followed_to_the_end(self, engine: Engine) -> None:
        workload = await engine.submit(asked(says("0123456789")))
        assert await output(engine, workload.id, follow=True) == b"0123456789\n"
        assert await output(engine, workload.id, offset=8) == b"89\n"
        assert await output(engine, workload.id, offset=1000) == b""
        assert await output(engine, workload.id, offset=-1000) == b"0123456789\n"

    async def test_what_it_uses_is_followed_to_its_end(self, engine: Engine) -> None:
        workload = await engine.submit(asked(says("x"), "0.5"))
        told = {each.at: each async for piece in engine.follow_measurements(workload.id, "second") for each in piece}
        assert (await engine.get(workload.id)).has_ended
        assert tuple(told.values()) == await engine.measurements(workload.id, "second")

    async def test_each_change_is_an_event_and_none_is_missed(self, engine: Engine) -> None:
        states: list[State] = []
        async with aclosing(engine.watch()) as events:
            first = await anext(events)
            assert isinstance(first, EngineState)
            workload = await engine.submit(asked(says("x"), "0.5"))
            last = first.seq
            async for event in events:
                assert event.epoch == first.epoch
                assert event.seq in (last, last + 1)
                last = event.seq
                if isinstance(event, WorkloadChanged) and event.workload.id == workload.id:
                    states.append(event.workload.state)
                    if event.workload.has_ended:
                        break
        passed = list(dict.fromkeys(states))
        assert passed[0] == "pending"
        assert passed[-1] == "completed"
        assert all(after in TRANSITIONS[before] for before, after in pairwise(passed))
        await self._resumes_a_stream(engine, (first.epoch, first.seq))

    async def _resumes_a_stream(self, engine: Engine, since: tuple[str, int]) -> None:
        async with aclosing(engine.watch(since)) as events:
            missed = await anext(events)
        assert not isinstance(missed, EngineState)
        assert (missed.epoch, missed.seq) == (since[0], since[1] + 1)

    async def test_a_deletion_is_an_event(self, engine: Engine) -> None:
        workload = await engine.submit(asked(says("x")))
        await until(engine, workload.id, "completed")
        async with aclosing(engine.watch()) as events:
            await anext(events)
            await engine.delete(workload.id)
            async for event in events:
                if isinstance(event, WorkloadDeleted):
                    assert event.id == workload.id
                    return

    async def test_inputs_travel_and_results_have_a_place(self, engine: Engine) -> None:
        with engine.staging() as folder:
            (folder / "value").write_text("1")
            workload = await engine.submit(asked(says("x")), folder)
        assert not folder.exists()
        await until(engine, workload.id, "completed")
        assert isinstance(await engine.results(workload.id), Path)

    async def test_what_is_not_there_is_not_found(self, engine: Engine) -> None:
        calls: list[Callable[[str], object]] = [engine.get, engine.stop, engine.suspend, engine.resume]
        for call in (
            *calls,
            engine.delete,
            engine.explain,
            engine.specification,
            engine.results,
            engine.tasks,
            engine.measurements,
        ):
            with pytest.raises(NotFound):
                await call("0badc0de")  # type: ignore[misc]
        with pytest.raises(NotFound):
            await output(engine, "0badc0de")
        with pytest.raises(NotFound):
            await anext(engine.follow_measurements("0badc0de"))

    async def test_a_project_that_is_not_there_is_refused(self, engine: Engine) -> None:
        for call in (engine.submit, engine.preview):
            with pytest.raises(InvalidRequest, match="There is no project 'nobody'"):
                await call(asked(says("x"), queue="nobody"))

    async def test_it_says_what_it_is(self, engine: Engine) -> None:
        info = await engine.info()
        assert info.simulated == "2xA100-80GB"
        assert [device.simulated for device in await engine.devices()] == [True, True]
        assert [queue.name for queue in await engine.queues()] == ["default"]
