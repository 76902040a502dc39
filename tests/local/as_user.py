"""Requests to the engine by whoever runs this: each `[method, arguments]` on standard input, the answers on output."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from scheduler_core.audit import AuditQuery
from scheduler_core.errors import RunaiError
from scheduler_core.local import LocalEngine
from scheduler_core.model import TaskRequest
from scheduler_core.workload import WorkloadSpec


async def answer(engine: LocalEngine, method: str, arguments: list[Any]) -> Any:
    if method == "logs":
        return b"".join([piece.data async for piece in engine.logs(*arguments)]).decode()
    if method == "watch":
        async for event in engine.watch():
            return event
    if method == "submit_with_inputs":
        with engine.staging() as folder:
            (folder / "value").write_text(arguments[1])
            return await engine.submit(msgspec.convert(arguments[0], WorkloadSpec), folder)
    if method == "submit_link":
        with engine.staging() as folder:
            link = folder.with_name(f"{folder.name}-link")
            link.symlink_to(arguments[1])
            return await engine.submit(msgspec.convert(arguments[0], WorkloadSpec), link)
    if method in ("submit", "preview"):
        arguments[0] = msgspec.convert(arguments[0], WorkloadSpec)
        arguments[1:] = map(Path, arguments[1:])
    if method == "audit":
        arguments = [msgspec.convert(asked, AuditQuery) for asked in arguments]
    if method == "resize":
        arguments[1] = msgspec.convert(arguments[1], TaskRequest)
    return await getattr(engine, method)(*arguments)


async def main() -> None:
    engine = LocalEngine()
    told = []
    for method, arguments in msgspec.json.decode(sys.stdin.buffer.read()):
        try:
            told.append({"answer": await answer(engine, method, arguments)})
        except RunaiError as error:
            told.append({"error": error.record()})
    sys.stdout.buffer.write(msgspec.json.encode(told, enc_hook=str))


asyncio.run(main())
