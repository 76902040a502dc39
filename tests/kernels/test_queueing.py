"""A kernel without a device is refused with the reason and its position, or waits where kernels may be pending."""

from __future__ import annotations

import json

import stamina
from tornado.httpclient import HTTPResponse

from jupyter_runai.client import Client
from scheduler_core.workload import Workload
from tests.helpers import UNTIL_STOPPED, running, spec, until
from tests.kernels.conftest import StartServer, offer
from tests.kernels.jupyter import Jupyter, Kernel

PENDING = "--AsyncMappingKernelManager.use_pending_kernels=True"


def fill(client: Client) -> Workload:
    """A workload that holds both devices."""
    workload = client.submit(spec(UNTIL_STOPPED, gpu=2, grace_s=0, priority=125))
    return until(client, workload.id, running)


def message(answer: HTTPResponse) -> str:
    return str(json.loads(answer.body)["message"])


async def test_a_start_without_a_device_says_why_and_leaves_nothing(server: Jupyter, client: Client) -> None:
    holder = fill(client)
    refused = await server.open("runai-half")
    assert refused.code == 500
    assert "The kernel got no device within 1 s: 1st in project default; " in message(refused)
    assert "See who holds what with jupyter runai devices" in message(refused)
    assert [workload.id for workload in client.list()] == [holder.id]
    assert await server.kernels() == []


async def test_the_kernels_resource_refuses_as_a_conflict(server: Jupyter, client: Client) -> None:
    fill(client)
    refused = await server.ask("POST", "kernels", {"name": "runai-half"})
    assert refused.code == 409
    assert message(refused).startswith("The kernel got no device within 1 s: 1st in project default; ")


async def test_what_never_fits_is_refused_at_once(start_server: StartServer, client: Client) -> None:
    server = start_server("--RunaiProvisioner.queue_timeout=600")
    assert server.say("kernelspec", "install", "--profile", "many", "--gpu", "8").returncode == 0
    refused = await server.open("runai-many")
    assert message(refused).startswith("The kernel cannot start: ")
    assert client.list() == ()


async def test_a_pending_kernel_says_its_position_and_starts_when_there_is_room(
    start_server: StartServer, client: Client
) -> None:
    server = start_server(PENDING, "--RunaiProvisioner.queue_timeout=0")
    offer(server)
    holder = fill(client)
    kernel = await server.start("runai-half")
    await says_its_position(server)
    client.stop(holder.id)
    assert await kernel.value("__import__('os').environ['RUNAI_GPU_PORTION']") == "'0.5'"
    (model,) = await server.kernels()
    assert "reason" not in model
    await kernel.shut_down()


async def test_a_pending_kernel_can_be_withdrawn(start_server: StartServer, client: Client) -> None:
    server = start_server(PENDING)
    offer(server)
    holder = fill(client)
    kernel: Kernel = await server.start("runai-half")
    await says_its_position(server)
    await kernel.shut_down()
    await is_withdrawn(client, holder)


@stamina.retry(on=(AssertionError, KeyError), attempts=20, timeout=20)
async def says_its_position(server: Jupyter) -> None:
    (model,) = await server.kernels()
    assert model["execution_state"] == "starting"
    assert model["reason"].startswith("digits-1 waits: 1st in project default; ")


@stamina.retry(on=AssertionError, attempts=20, timeout=20)
async def is_withdrawn(client: Client, holder: Workload) -> None:
    assert [workload.id for workload in client.list()] == [holder.id]
