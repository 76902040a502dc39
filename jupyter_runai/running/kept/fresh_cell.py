"""Runs cells one after another, each in an interpreter of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from typing import NamedTuple

from .cell_output import own_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_GRACE_S = 30.0
_LAST_WORDS_S = 0.5


class Ended(NamedTuple):
    """How a cell ended: its exit status, its report, null where it left none, and the length of the output by then."""

    status: int
    said: dict[str, Any] | None
    end: int

    @property
    def failed(self) -> bool:
        """Whether it raised something, and says so."""
        return self.said is not None and self.said.get("error") is not None


class FreshCell:
    """The place of one task's cells; `runner` is the script that runs what lies in a folder."""

    def __init__(self, runner: str) -> None:
        self._runner = runner
        self._output = own_output()
        self._process: asyncio.subprocess.Process | None = None
        self._is_to_end = False

    def expect(self) -> None:
        """Another cell is to run: what was told to end was one before it."""
        self._is_to_end = False

    async def run(self, folder: str, variables: Mapping[str, str]) -> Ended:
        """Run the cell in this folder, with these variables beside this process's own."""
        report = os.environ["RUNAI_REPORT"]
        if os.path.exists(report):
            os.unlink(report)
        process = self._process = await asyncio.create_subprocess_exec(
            *_python(self._runner),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self._output.target,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **variables, "RUNAI_INPUTS": folder},
            # What it starts is told to end with it, and still of this task's session.
            process_group=0,
        )
        if self._is_to_end:
            self.end()
        passing = asyncio.ensure_future(self._output.pass_on(process.stdout))
        code = await process.wait()
        # What it has started may hold its output open for longer than it lives.
        await asyncio.wait((passing,), timeout=_LAST_WORDS_S)
        self._output.end_line()
        self._process = None
        said = None
        if os.path.exists(report):
            with open(report, encoding="utf-8") as file:
                said = json.load(file)
        return Ended(code if code >= 0 else 128 - code, said, self._output.end)

    def end(self) -> None:
        """Tell the cell that runs, or is about to, to end; after a while it has to."""
        self._is_to_end = True
        process = self._process
        if process is not None:
            _signal(process, signal.SIGTERM)
            asyncio.get_running_loop().call_later(_GRACE_S, lambda: _signal(process, signal.SIGKILL))


def _python(runner: str) -> tuple[str, ...]:
    if sys.flags.safe_path:
        return sys.executable, "-P", "-u", runner
    # Modules are looked for in the task's folder too, not where the runner lies.
    return sys.executable, "-u", "-c", f"import runpy; runpy.run_path({runner!r}, run_name='__main__')"


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
