"""A kernel under a lease: what it sees, and that the lease lives as long as the kernel is wanted."""

from __future__ import annotations

import os
import signal

import stamina

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until, waits
from tests.kernels.jupyter import Jupyter

DEVICES = "__import__('os').environ['RUNAI_GPU_IDS']"
PID = "__import__('os').getpid()"


async def test_a_kernel_is_a_workspace_on_its_share(server: Jupyter, client: Client) -> None:
    kernel = await server.start("runai-half")
    (workload,) = client.list()
    assert (workload.kind, workload.priority, workload.preemptible) == ("workspace", 125, False)
    assert (workload.name, workload.state, workload.request.gpu) == ("digits-1", "running", "0.5")
    assert await kernel.value("__import__('os').environ['RUNAI_GPU_PORTION']") == "'0.5'"
    assert await kernel.value("__import__('os').environ['RUNAI_WORKLOAD_ID']") == f"'{workload.id}'"
    assert await kernel.value("__import__('os').environ['JPY_SESSION_NAME'].endswith('digits.ipynb')") == "True"
    (holder,) = [holder for device in client.devices() for holder in device.holders]
    assert (holder.workload, holder.portion_milli) == (workload.id, 500)


async def test_an_interrupt_reaches_the_cell_and_nothing_else(server: Jupyter, client: Client) -> None:
    kernel = await server.start("runai-half")
    await kernel.run("kept = 1")
    running_cell = await kernel.send("import time\nprint('up', flush=True)\ntime.sleep(600)")
    await kernel.until_printed("up")
    await kernel.interrupt()
    assert (await kernel.reply(running_cell))["ename"] == "KeyboardInterrupt"
    assert await kernel.value("kept") == "1"


async def test_a_restart_keeps_the_device_though_others_wait_for_it(server: Jupyter, client: Client) -> None:
    kernel = await server.start("runai-one")
    (workload,) = client.list()
    other = client.submit(spec(UNTIL_STOPPED, gpu=1, grace_s=0, priority=125))
    until(client, other.id, running)
    envious = client.submit(spec(UNTIL_STOPPED, gpu=1, grace_s=0, priority=125))
    until(client, envious.id, waits)
    held, pid = await kernel.value(DEVICES), await kernel.value(PID)
    await kernel.run("lost = 1")
    await kernel.restart()
    assert await kernel.value(DEVICES) == held
    assert await kernel.value(PID) != pid
    assert await kernel.value("'lost' in globals()") == "False"
    assert (client.find(workload.id).state, client.find(workload.id).restarts) == ("running", 0)
    assert client.find(envious.id).started is None


async def test_a_killed_kernel_is_restarted_within_its_lease(server: Jupyter, client: Client) -> None:
    kernel = await server.start("runai-half")
    (workload,) = client.list()
    pid = int(await kernel.value(PID))
    os.kill(pid, signal.SIGKILL)
    await kernel.until_status("restarting")
    await kernel.reconnect()
    assert int(await kernel.value(PID)) != pid
    assert [known.id for known in client.list()] == [workload.id]
    assert await kernel.value("__import__('os').environ['RUNAI_WORKLOAD_ID']") == f"'{workload.id}'"


async def test_a_shutdown_frees_the_lease(server: Jupyter, client: Client) -> None:
    kernel = await server.start("runai-half")
    (workload,) = client.list()
    await kernel.shut_down()
    ended = client.find(workload.id)
    assert (ended.state, ended.exit_code) == ("completed", 0)
    assert not any(device.holders for device in client.devices())


async def test_a_workload_that_is_stopped_is_a_dead_kernel_and_stays_so(server: Jupyter, client: Client) -> None:
    kernel = await server.start("runai-half")
    (workload,) = client.list()
    await kernel.value("1")
    client.stop(workload.id)
    await kernel.until_status("dead")
    assert outcome(client, workload.id)[0].state == "stopped"
    assert await server.kernels() == []
    assert len(client.list()) == 1


async def test_an_evicted_kernel_waits_and_comes_back_on_the_same_connection(server: Jupyter, client: Client) -> None:
    kernel = await server.start("runai-both")
    (workload,) = client.list()
    pid = await kernel.value(PID)
    urgent = client.submit(spec(UNTIL_STOPPED, gpu=2, grace_s=0, priority=150))
    await kernel.until_status("restarting")
    until(client, urgent.id, running)
    waiting = until(client, workload.id, waits)
    assert waiting.verdict is not None

    @stamina.retry(on=AssertionError, attempts=20, timeout=20)
    async def says_why() -> None:
        (model,) = await server.kernels()
        assert model["execution_state"] == "restarting"
        assert "digits-1 waits: 1st in project default" in model["reason"]

    await says_why()
    client.stop(urgent.id)
    assert until(client, workload.id, running).restarts == 1
    assert await kernel.value(PID) != pid
    assert "restarting kernel (" not in server.said()
    await kernel.shut_down()
    assert client.find(workload.id).state == "completed"


async def test_a_kernel_that_waits_again_can_be_shut_down(server: Jupyter, client: Client) -> None:
    kernel = await server.start("runai-both")
    (workload,) = client.list()
    await kernel.value("1")
    client.submit(spec(UNTIL_STOPPED, gpu=2, grace_s=0, priority=150))
    await kernel.until_status("restarting")
    until(client, workload.id, waits)
    await kernel.shut_down()
    assert client.find(workload.id).state == "stopped"


async def test_a_kernel_that_waits_again_can_be_restarted(server: Jupyter, client: Client) -> None:
    kernel = await server.start("runai-both")
    (workload,) = client.list()
    pid = await kernel.value(PID)
    urgent = client.submit(spec(UNTIL_STOPPED, gpu=2, grace_s=0, priority=150))
    await kernel.until_status("restarting")
    until(client, workload.id, waits)
    await kernel.restart()
    client.stop(urgent.id)
    assert await kernel.value(PID) != pid
    assert client.find(workload.id).restarts == 1


async def test_a_suspended_kernel_starts_again_where_it_is_resumed(server: Jupyter, client: Client) -> None:
    kernel = await server.start("runai-half")
    (workload,) = client.list()
    pid = await kernel.value(PID)
    client.suspend(workload.id)
    await kernel.until_status("restarting")
    until(client, workload.id, lambda known: known.state == "suspended")
    assert not any(device.holders for device in client.devices())
    client.resume(workload.id)
    assert await kernel.value(PID) != pid


async def test_a_kernel_resizes_its_own_lease(server: Jupyter, client: Client) -> None:
    kernel = await server.start("runai-half")
    (workload,) = client.list()
    reply = await kernel.run("%load_ext jupyter_runai\n%runai resize 0.25")
    assert reply["status"] == "ok", reply
    assert client.find(workload.id).request.gpu == "0.25"
    (holder,) = [holder for device in client.devices() for holder in device.holders]
    assert holder.portion_milli == 250
    assert (await kernel.run("%runai resize lots"))["ename"] == "UsageError"
