"""What becomes of leased kernels whose server was killed."""

from __future__ import annotations

import asyncio
import os
import signal

from jupyter_runai.client import Client
from scheduler_core.local.machine.identity import Process, start_of
from scheduler_core.local.record.runs import ended
from tests.helpers import kill_daemon, outcome
from tests.kernels.conftest import StartServer, offer
from tests.kernels.jupyter import Jupyter
from tests.kernels.test_leased_kernel import PID


async def test_a_kernel_outlives_its_server_in_sight(server: Jupyter, client: Client) -> None:
    kernel = await server.start("runai-half")
    pid = int(await kernel.value(PID))
    process = Process(pid, start_of(pid) or "")
    server.kill()
    assert "digits-1" in server.say("list").stdout
    assert "told to stop" in server.say("stop", "digits-1").stdout
    assert process.is_known() or start_of(pid) is None
    await ended(process)
    assert outcome(client, client.list()[0].id)[0].state == "stopped"


async def test_it_ends_by_itself_after_its_time(start_server: StartServer, client: Client) -> None:
    server = start_server("--RunaiProvisioner.without_server=0.5")
    offer(server)
    await server.start("runai-half")
    (workload,) = client.list()
    server.kill()
    last, _ = await asyncio.to_thread(outcome, client, workload.id)
    assert (last.state, last.exit_code) == ("completed", 0)


async def test_a_kernel_that_ends_without_a_server_ends_its_workload(server: Jupyter, client: Client) -> None:
    kernel = await server.start("runai-half")
    (workload,) = client.list()
    pid = int(await kernel.value(PID))
    server.kill()
    os.kill(pid, signal.SIGKILL)
    last, _ = await asyncio.to_thread(outcome, client, workload.id)
    assert (last.state, last.exit_code) == ("failed", 128 + signal.SIGKILL)


async def test_a_server_that_is_asked_to_leave_frees_its_leases(server: Jupyter, client: Client) -> None:
    await server.start("runai-half")
    (workload,) = client.list()
    server.process.terminate()
    await asyncio.to_thread(server.process.wait)
    last, _ = await asyncio.to_thread(outcome, client, workload.id)
    assert last.state == "completed"


async def test_a_kernel_goes_on_without_its_engine(server: Jupyter, client: Client) -> None:
    kernel = await server.start("runai-half")
    await kernel.run("kept = 1")
    await asyncio.to_thread(kill_daemon, client)
    assert await kernel.value("kept") == "1"
    await kernel.restart()
    assert await kernel.value("'kept' in globals()") == "False"
    await kernel.shut_down()
    (workload,) = client.list()
    assert workload.state == "completed"
