"""Plans, asked for from a process of their own: whoever binds pods meanwhile shares no interpreter with them."""

from __future__ import annotations

import asyncio
import struct
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from typing import cast

import msgspec
from msgspec import Struct

from scheduler_core.errors import EngineDefect
from scheduler_core.model import Plan, Snapshot

LENGTH = struct.Struct(">I")
"""What goes to the process, and what comes from it, is MessagePack after its length."""

_PROGRAM = "scheduler_core.kubernetes.scheduling.planner_process"
_BUFFER = 4 * 2**20


class Planned(Struct, frozen=True):
    """A plan with what is wrong with it, or, without one, why there can be none."""

    plan: Plan | None
    violations: tuple[str, ...] = ()
    refusal: str = ""


class Planner:
    """Asks the process for plans, one at a time; where it has ended there is a new one for the next."""

    def __init__(self) -> None:
        self._process: Process | None = None

    async def plan(self, snapshot: Snapshot) -> tuple[Plan, tuple[str, ...]]:
        """A plan, and in sentences what is wrong with it.

        Raises:
            EngineDefect: the snapshot contradicts itself, or the process has ended meanwhile.
        """
        process = await self._running()
        try:
            answer = _read_answer(await _asked(process, msgspec.msgpack.encode(snapshot)))
        except (OSError, asyncio.IncompleteReadError) as error:
            await self.close()
            raise EngineDefect("The process that plans has ended before it had a plan.") from error
        except BaseException:
            # Half an answer would be taken for the next one.
            await self.close()
            raise
        if answer.plan is None:
            raise EngineDefect(f"There can be no plan: {answer.refusal}")
        return answer.plan, answer.violations

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            program = [sys.executable, "-m", _PROGRAM]
            self._process = await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=PIPE, limit=_BUFFER)
        return self._process


_read_answer = msgspec.msgpack.Decoder(Planned).decode


async def _asked(process: Process, content: bytes) -> bytes:
    to_it, from_it = cast(StreamWriter, process.stdin), cast(StreamReader, process.stdout)
    to_it.write(LENGTH.pack(len(content)) + content)
    await to_it.drain()
    (length,) = LENGTH.unpack(await from_it.readexactly(LENGTH.size))
    return await from_it.readexactly(length)
