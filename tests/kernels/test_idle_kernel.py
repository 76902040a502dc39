"""A kernel that executes nothing is seen to be idle, and since when, with and without its server."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from jupyter_runai.client import Client
from scheduler_core.workload import Activity
from tests.helpers import kill_daemon, spec, until
from tests.kernels.jupyter import Jupyter, Kernel
from tests.local.test_activity import IDLE_SINCE_1000, is_idle

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
    assert re.search(r"digits-1 +\w+ +workspace +0.5 +running, idle \d+:\d\d  ", server.say("list").stdout)
    assert re.search(r"idle for +\d+:\d\d\n", server.say("describe", "digits-1").stdout)
    assert re.search(r"  \d+:\d\d\n", server.say("top").stdout)


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


NOTEBOOK = {
    "type": "notebook",
    "format": "json",
    "content": {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5},
}


async def save(server: Jupyter, name: str) -> None:
    """What JupyterLab does by itself while somebody changes a notebook."""
    answer = await server.ask("PUT", f"contents/{name}", NOTEBOOK)
    assert answer.code in (200, 201), answer.body


async def idle_kernel(server: Jupyter, client: Client) -> tuple[Kernel, float]:
    """A kernel with a browser connected to it, and since when it is idle."""
    kernel = await server.start("runai-half")
    await kernel.run("x = 1")
    idle_since = (await activity_when(client, idle)).idle_since
    assert idle_since is not None
    return kernel, idle_since


async def test_somebody_who_types_is_there(server: Jupyter, client: Client) -> None:
    kernel, before = await idle_kernel(server, client)
    asked = time.time()
    assert "x" in (await kernel.complete("x"))["matches"]
    seen = await activity_when(client, lambda activity: (activity.idle_since or 0.0) > before)
    assert seen.idle_since is not None and asked <= seen.idle_since <= time.time()
    assert (seen.executing, seen.since) == (False, before)


async def test_somebody_who_changes_the_notebook_is_there(server: Jupyter, client: Client) -> None:
    _, before = await idle_kernel(server, client)
    saved = time.time()
    await save(server, "digits.ipynb")
    seen = await activity_when(client, lambda activity: (activity.idle_since or 0.0) > before)
    assert seen.idle_since is not None and saved <= seen.idle_since <= time.time()


async def test_who_has_no_browser_open_or_saves_something_else_is_not_there(server: Jupyter, client: Client) -> None:
    kernel, before = await idle_kernel(server, client)
    await save(server, "other.ipynb")
    await kernel.close()
    await save(server, "digits.ipynb")
    # What runs is looked at together: this one was not there before.
    later = await asyncio.to_thread(client.submit, spec(IDLE_SINCE_1000, grace_s=0))
    await asyncio.to_thread(until, client, later.id, is_idle)
    activity = next(known.activity for known in client.list() if known.id != later.id)
    assert activity is not None and activity.idle_since == before
