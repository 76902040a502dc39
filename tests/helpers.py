"""What several tests need to say."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_runai.client import Client
from scheduler_core.local import LocalEngine
from scheduler_core.local.machine.identity import Process, start_of
from scheduler_core.local.record.runs import ended
from scheduler_core.model import TaskRequest
from scheduler_core.workload import Device, DevicesChanged, EngineState, Workload, WorkloadSpec

UNTIL_STOPPED = "import signal; print('up'); signal.pause()"


def spec(code: str = "print('hello')", gpu: float | str | None = None, **fields: Any) -> WorkloadSpec:
    """A workload that runs this code in this Python, on this share."""
    return WorkloadSpec(
        command=(sys.executable, "-u", "-c", code),
        cwd=fields.pop("cwd", "/"),
        env=fields.pop("env", dict(os.environ)),
        request=fields.pop("request", TaskRequest(gpu=gpu or 0)),
        **fields,
    )


def until(client: Client, workload_id: str, reached: Callable[[Workload], bool]) -> Workload:
    """Follow a workload until it is as wanted; fails when it ends otherwise."""
    last = None
    for update in client.follow(workload_id):
        if isinstance(update, Workload):
            last = update
            if reached(update):
                return update
    raise AssertionError(f"ended before: {last}")


def devices_when(client: Client, reached: Callable[[tuple[Device, ...]], bool]) -> tuple[Device, ...]:
    """Watch until the devices are as wanted."""

    async def watch() -> tuple[Device, ...]:
        async for event in client._engine.watch():
            if isinstance(event, EngineState | DevicesChanged) and reached(event.devices):
                return event.devices
        raise AssertionError("the stream ended")

    return client._runtime.run(watch())


def until_said(client: Client, workload_id: str, text: str) -> str:
    """Follow a workload's output until the text has come; all that has come by then."""
    said = ""
    for update in client.follow(workload_id):
        if isinstance(update, bytes):
            said += update.decode()
            if text in said:
                return said
    raise AssertionError(f"ended before it said {text!r}: {said!r}")


def running(workload: Workload) -> bool:
    return workload.state == "running"


def waits(workload: Workload) -> bool:
    return workload.state == "pending" and workload.verdict is not None


def outcome(client: Client, workload_id: str) -> tuple[Workload, str]:
    """The workload at its end, and all its output."""
    output = b""
    last = None
    for update in client.follow(workload_id):
        if isinstance(update, bytes):
            output += update
        elif update is not None:
            last = update
    assert last is not None
    return last, output.decode()


def kill_daemon(client: Client) -> None:
    """Kill the engine's daemon and wait until it is gone."""
    pid = client.info().pid
    process = Process(pid, start_of(pid) or "")
    os.kill(pid, signal.SIGKILL)
    asyncio.run(ended(process))


def shut_down() -> None:
    """Let the engine's daemon end in its own way."""

    async def shut() -> None:
        engine = LocalEngine()
        await engine.shutdown()
        await engine.close()

    asyncio.run(shut())


def stop_everything() -> None:
    """Stop every workload of this process's engine directory and its daemon."""

    async def stop() -> None:
        engine = LocalEngine()
        workloads = [workload for workload in await engine.list() if not workload.has_ended]
        for workload in workloads:
            await engine.stop(workload.id)
        for workload in workloads:
            async for _ in engine.logs(workload.id, follow=True):
                pass
        await engine.shutdown()
        await engine.close()

    if (Path(os.environ["RUNAI_ENGINE_DIR"]) / "endpoint.json").exists():
        asyncio.run(stop())
