"""A notebook's end of the connection to a kept process, on this host or in a pod."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from msgspec import Struct, convert

from jupyter_runai.client import Client
from jupyter_runai.client.runtime import runtime
from jupyter_runai.running.kept.keeping import SOCKET
from jupyter_runai.submission.pieces import content_of
from jupyter_runai.submission.travelling import for_another_host
from scheduler_core.errors import TooLarge
from scheduler_core.workload import Report


class Told(Struct, frozen=True):
    """What a kept process says of the cell that it ran last; `seconds` is for how long it waits for the next.

    `ends` are the lengths of each task's output by then, `names` the variables that are there; `failed` is the one of
    several tasks that has failed and that the report is of. With `fresh` each cell has an interpreter of its own. One
    that takes `files` is in a pod: what it runs is sent, and what it leaves is brought.
    """

    id: str
    report: Report
    ends: list[int]
    seconds: float
    names: list[str] = []
    failed: int | None = None
    fresh: bool = False
    files: bool = False


class Connection:
    """A connection to a kept process, on this host or in a pod.

    Raises:
        OSError: nothing is kept there, or not yet.
        RunaiError: it does not run, or its engine does not answer.
    """

    def __init__(self, client: Client, workload_id: str) -> None:
        self._reader, self._writer = client.dial(workload_id, SOCKET)
        self._heard: Future[bytes] | None = None

    def told(self, wait_s: float) -> Told | None:
        """The next that it says of a cell that has ended; null where it says nothing in this time.

        Raises:
            ConnectionError: it has ended.
        """
        line = self._line(wait_s)
        if line is None or "busy" in line:
            return None
        return convert(line, Told)

    def order(self, folder: str, words: Mapping[str, Any] | None = None) -> None:
        """Let it run the cell that lies in this folder of its results, with these words beside."""
        runtime().run(self._say({**(words or {}), "folder": folder}))

    def send(self, inputs: Path) -> None:
        """Let it run the cell in this folder of ours, and send it what it does not have.

        Raises:
            ConnectionError: it has ended.
        """
        order = for_another_host(inputs)
        content = content_of(inputs)
        runtime().run(self._say({**(order or {})}))
        answer = self._line(None) or {}
        if "refused" in answer:
            raise TooLarge(f"It does not take this cell: {answer['refused']}.", "Leave large values in a file.")
        runtime().run(self._send([content[digest] for digest in answer["missing"]]))

    def bring(self, names: list[str], folder: Path) -> None:
        """Bring what its last cell has left under these names into a folder.

        Raises:
            ConnectionError: it has ended.
        """
        runtime().run(self._say({"bring": names}))
        answer = self._line(None) or {}
        for path, size in answer["brought"]:
            (folder / path).write_bytes(runtime().run(self._reader.readexactly(size)))

    def close(self) -> None:
        runtime().run(self._close())

    def _line(self, wait_s: float | None) -> dict[str, Any] | None:
        if self._heard is None:
            self._heard = runtime().spawn(self._reader.readline())
        try:
            line = self._heard.result(wait_s)
        except TimeoutError:
            return None
        self._heard = None
        if not line:
            raise ConnectionResetError
        heard: dict[str, Any] = json.loads(line)
        return heard

    async def _say(self, words: dict[str, Any]) -> None:
        self._writer.write(json.dumps(words).encode() + b"\n")
        await self._writer.drain()

    async def _send(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def _close(self) -> None:
        if self._heard is not None:
            self._heard.cancel()
        self._writer.close()
