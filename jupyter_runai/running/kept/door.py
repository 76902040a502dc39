"""Where notebooks come to hand over cells to what keeps a task for them.

In a pod that is the port RUNAI_DOOR of its loopback, where nobody comes but by the leave of the cluster, elsewhere the
private socket `cells.sock` in the folder of results. Both sides speak JSON, one object a line, and bytes after those
that announce them. Whoever connects is told {busy: true} while a cell runs, and of the cell that ran last, at once or
when it ends: {id, report, ends, failed, seconds, fresh: true, files}. `ends` are the lengths of each task's output by
then, `failed` the task that the report is of where it was ended by that, `seconds` how long all of it is kept; `files`
says that files travel, which a pod has none of in common with the notebook. Orders:

{id, keep, folder}
    The next cell, its files in this folder of the results, which is removed after it.
{id, keep, inputs: {path: [[digest, size], ...]}}
    The next cell, its files by the pieces that they are made of. The answer {missing: [digest, ...]} asks for the bytes
    of those that are not here, which follow in that order.
{bring: [name, ...]}
    The answer {brought: [[path, size], ...]} is followed by the bytes of what the last cell has left under these names.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile

from .private_sockets import listening
from .stored_pieces import Refused, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOCKET = "cells.sock"
LONGEST_LINE = 16 * 1024 * 1024
_CHUNK = 65_536


class Door:
    """The visitors of one task, and the orders that they have left; `store` is null where no files travel."""

    def __init__(self, results: str, store: Store | None, own: str) -> None:
        self.orders: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._results = results
        self._store = store
        self._own = own
        self._visitors: set[asyncio.StreamWriter] = set()
        self._meetings: set[asyncio.Future[None]] = set()
        self._told: dict[str, Any] = {}
        self._until = 0.0

    async def open(self) -> None:
        port = os.environ.get("RUNAI_DOOR")
        if port is not None:
            await asyncio.start_server(self._come, "127.0.0.1", int(port), limit=LONGEST_LINE)
        else:
            await asyncio.start_unix_server(self._come, sock=listening(self._results, SOCKET), limit=LONGEST_LINE)

    def tell_all(self, told: dict[str, Any], seconds: float) -> None:
        """Tell of a cell that has ended, and that the next one is waited for."""
        self._until = asyncio.get_running_loop().time() + seconds
        self._told = {**told, "fresh": True, "files": self._store is not None}
        for visitor in list(self._visitors):
            self._tell(visitor)

    def close(self) -> None:
        """Tell whoever comes that a cell runs."""
        self._told = {}

    def _tell(self, visitor: asyncio.StreamWriter) -> None:
        left = max(0.0, self._until - asyncio.get_running_loop().time())
        say(visitor, {**self._told, "seconds": left} if self._told else {"busy": True})

    def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of the server's own would complain where it is ended with the pod.
        meeting = asyncio.ensure_future(self._meet(reader, writer))
        self._meetings.add(meeting)
        meeting.add_done_callback(self._meetings.discard)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._visitors.add(writer)
        try:
            self._tell(writer)
            while line := await reader.readline():
                order = json.loads(line)
                if "bring" in order:
                    await self._bring(order["bring"], writer)
                elif self._store is None:
                    self.orders.put_nowait({**order, "folder": f"{self._results}/{order['folder']}"})
                else:
                    folder = await take(self._store, self._own, order["inputs"], reader, writer)
                    self.orders.put_nowait({**order, "folder": folder})
        except Refused as refused:
            say(writer, {"refused": str(refused)})
        except (OSError, ValueError, KeyError, asyncio.IncompleteReadError):
            # Whoever says this is gone, or none of ours.
            pass
        finally:
            self._visitors.discard(writer)
            writer.close()

    async def _bring(self, names: list[str], writer: asyncio.StreamWriter) -> None:
        paths = [f"{name}.{suffix}" for name in names for suffix in ("pickle", "buffers")]
        there = [path for path in paths if "/" not in path and os.path.exists(f"{self._results}/{path}")]
        sizes = [(path, os.path.getsize(f"{self._results}/{path}")) for path in there]
        say(writer, {"brought": sizes})
        for path in there:
            with open(f"{self._results}/{path}", "rb") as file:
                while data := file.read(_CHUNK):
                    writer.write(data)
                    await writer.drain()


async def take(
    store: Store,
    own: str,
    inputs: dict[str, list[tuple[str, int]]],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> str:
    """A folder below `own` of a cell's inputs, once all of their pieces are here."""
    missing = store.missing(inputs)
    say(writer, {"missing": [digest for digest, _ in missing]})
    for digest, size in missing:
        store.add(digest, await reader.readexactly(size))
    folder = tempfile.mkdtemp(dir=own)
    store.write(folder, inputs)
    return folder


def say(writer: asyncio.StreamWriter, words: dict[str, Any]) -> None:
    """Say one line."""
    writer.write(json.dumps(words).encode() + b"\n")
