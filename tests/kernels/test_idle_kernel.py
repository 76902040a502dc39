"""A kernel that executes nothing is seen to be idle, and since when, with and without its server."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from jupyter_runai.client import Client
from scheduler_core.workload import Activity
from tests.helpers import kill_daemon, until
from tests.kernels.jupyter import Jupyter

UNTIL_TOLD = "print('up', flush=True); told = open('told').read()"
"""A cell that executes until something is written into a pipe."""


async def activity_when(client: Client, wanted: Callable[[Activity], bool]) -> Activity:
    (workload,) = client.list()
    seen = await asyncio.to_thread(
        until, client, workload.id, lambda known: known.activity is not None and wanted(known.activity)
    )
    assert seen.activity is not None
    return seen.activity


def idle(activity: Activity) -> bool:
    return activity.idle_since is not None


async def test_a_kernel_is_idle_since_its_last_cell(server: Jupyter, client: Client, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "told")
    before = time.time()
    kernel = await server.start("runai-half")
    fresh = await activity_when(client, idle)
    assert before < fresh.since < time.time()
    cell = await kernel.send(UNTIL_TOLD)
    busy = await activity_when(client, lambda activity: activity.executing)
    assert (busy.idle_since, busy.since > fresh.since) == (None, True)
    (tmp_path / "told").write_text("go")
    await kernel.reply(cell)
    after = await activity_when(client, idle)
    assert after.idle_since == after.since > busy.since


async def test_the_end_of_a_cell_is_seen_without_a_server(server: Jupyter, client: Client, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "told")
    kernel = await server.start("runai-half")
    await kernel.send(UNTIL_TOLD)
    await activity_when(client, lambda activity: activity.executing)
    server.kill()
    await asyncio.to_thread(kill_daemon, client)
    (tmp_path / "told").write_text("go")
    assert not (await activity_when(client, idle)).executing


async def test_a_restarted_kernel_is_idle_anew(server: Jupyter, client: Client, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "told")
    kernel = await server.start("runai-half")
    await kernel.send(UNTIL_TOLD)
    busy = await activity_when(client, lambda activity: activity.executing)
    await kernel.restart()
    assert (await activity_when(client, idle)).since > busy.since
