"""Keeps a pod for the next cell of its name: each cell runs in an interpreter of its own, on what the pod has by then.

A pod's first process. It listens at the port RUNAI_DOOR of the pod's loopback, where nobody comes but by the leave of
the cluster. Both sides speak JSON, one object a line, and bytes after those that announce them. Whoever connects is
told {busy: true} while a cell runs, and of the cell that ran last, at once or when it ends: {id, report, end, seconds,
files: true}, `end` being the length of the output by then and `seconds` how long the pod is kept. Orders:

{id, keep, inputs: {path: [[digest, size], ...]}}
    The next cell, its files by the pieces that they are made of. The answer {missing: [digest, ...]} asks for the bytes
    of those that are not here, which follow in that order.
{bring: [name, ...]}
    The answer {brought: [[path, size], ...]} is followed by the bytes of what the last cell has left under these names.

`keeping.json` in the inputs describes the first cell in the same way. Pieces are named by their SHA-256; what is in
them is nobody's business here.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Pieces = dict[str, list[tuple[str, int]]]

KEEPING = "keeping.json"
LARGEST = 120_000_000
"""In bytes: so much of one cell's inputs is taken."""
_MOST_KEPT = 1_000_000_000
_LONGEST_LINE = 16 * 1024 * 1024
_CHUNK = 65_536
_LAST_WORDS_S = 0.5
_LOST = "It was taken off its devices, and what was kept there is gone. Run the cell again."


class Refused(Exception):
    """An order that cannot be carried out."""


class Store:
    """Pieces of files by their digests, in a folder of this pod."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._sizes: dict[str, int] = {}
        os.makedirs(folder)

    def missing(self, inputs: Pieces) -> list[tuple[str, int]]:
        """The pieces that are not here, each once."""
        wanted = {digest: size for pieces in inputs.values() for digest, size in pieces}
        if sum(wanted.values()) > LARGEST:
            raise Refused(f"more than {LARGEST // 1_000_000} MB")
        return [(digest, size) for digest, size in wanted.items() if digest not in self._sizes]

    def add(self, digest: str, content: bytes) -> None:
        if hashlib.sha256(content).hexdigest() != digest:
            raise Refused("a piece that is not what it is called")
        with open(f"{self._folder}/{digest}", "wb") as file:
            file.write(content)
        self._sizes[digest] = len(content)

    def add_files(self, folder: str, inputs: Pieces) -> None:
        """Take over what lies in a folder."""
        for path, pieces in inputs.items():
            with open(f"{folder}/{path}", "rb") as file:
                for digest, size in pieces:
                    self.add(digest, file.read(size))

    def write(self, folder: str, inputs: Pieces) -> None:
        """Make files of their pieces; where much is kept, only these pieces are from then on."""
        for path, pieces in inputs.items():
            if os.path.isabs(path) or ".." in path.split("/"):
                raise Refused(f"a file at {path!r}")
            os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
            with open(f"{folder}/{path}", "wb") as file:
                for digest, _ in pieces:
                    with open(f"{self._folder}/{digest}", "rb") as piece:
                        shutil.copyfileobj(piece, file)
        if sum(self._sizes.values()) > _MOST_KEPT:
            for digest in self._sizes.keys() - {digest for pieces in inputs.values() for digest, _ in pieces}:
                os.unlink(f"{self._folder}/{digest}")
                del self._sizes[digest]


class Output:
    """This pod's output: what its cells say, in order."""

    def __init__(self) -> None:
        self.length = 0
        self._ends_line = True

    async def pass_on(self, source: asyncio.StreamReader | None) -> None:
        while source is not None and (data := await source.read(_CHUNK)):
            self._say(data)

    def end_line(self) -> None:
        """The last line of a cell is read only once it has ended."""
        if not self._ends_line:
            self._say(b"\n")

    def _say(self, data: bytes) -> None:
        self.length += len(data)
        self._ends_line = data.endswith(b"\n")
        while data:
            data = data[os.write(1, data) :]


class Keeper:
    """One pod's loop over its cells."""

    def __init__(self, inputs: str, results: str, runner: str) -> None:
        self._first, self._results, self._runner = inputs, results, runner
        self._own = tempfile.mkdtemp(prefix="runai-kept-")
        self._store = Store(f"{self._own}/pieces")
        self._output = Output()
        self._orders: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._visitors: set[asyncio.StreamWriter] = set()
        self._meetings: set[asyncio.Future[None]] = set()
        self._told: dict[str, Any] = {}
        self._until = 0.0
        self._cell: asyncio.subprocess.Process | None = None
        self._goes = asyncio.Event()

    async def run(self) -> int:
        """Go on until nobody hands over a cell in time, or the pod is to go; the status of the last cell."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._go)
        await asyncio.start_server(self._come, "127.0.0.1", int(os.environ["RUNAI_DOOR"]), limit=_LONGEST_LINE)
        with open(f"{self._first}/{KEEPING}", encoding="utf-8") as file:
            order = json.load(file)
        self._store.add_files(self._first, order["inputs"])
        folder = self._first
        while True:
            status, said = await self._run_cell(folder)
            if folder != self._first:
                shutil.rmtree(folder, ignore_errors=True)
            if said is None or order["keep"] is None or self._goes.is_set():
                return status
            self._tell_all(order, said)
            following = await self._next_order(order["keep"])
            if following is None:
                if self._goes.is_set():
                    # Nothing is lost: its cells have ended, and told how.
                    _write_report({})
                    return 0
                return status
            order, self._told = following, {}
            folder = order["folder"]

    async def _run_cell(self, folder: str) -> tuple[int, dict[str, Any] | None]:
        """The status of a cell and its report; null where it has left none."""
        report = os.environ["RUNAI_REPORT"]
        if os.path.exists(report):
            os.unlink(report)
        self._cell = await asyncio.create_subprocess_exec(
            # Modules are looked for in its folder too, not where the runner lies.
            *(sys.executable, "-u", "-c", f"import runpy; runpy.run_path({self._runner!r}, run_name='__main__')"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "RUNAI_INPUTS": folder},
            start_new_session=True,
        )
        passing = asyncio.ensure_future(self._output.pass_on(self._cell.stdout))
        code = await self._cell.wait()
        # What it has started may hold its output open for longer than it lives.
        await asyncio.wait((passing,), timeout=_LAST_WORDS_S)
        self._output.end_line()
        self._cell = None
        said = None
        if os.path.exists(report):
            with open(report, encoding="utf-8") as file:
                said = json.load(file)
        return (code if code >= 0 else 128 - code), said

    def _go(self) -> None:
        """The pod is to go: at once where no cell runs."""
        self._goes.set()
        if self._cell is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._cell.pid, signal.SIGTERM)

    def _tell_all(self, order: dict[str, Any], said: dict[str, Any]) -> None:
        self._until = asyncio.get_running_loop().time() + order["keep"]
        self._told = {"id": order["id"], "report": said, "end": self._output.length, "files": True}
        for visitor in list(self._visitors):
            self._tell(visitor)

    def _tell(self, visitor: asyncio.StreamWriter) -> None:
        left = max(0.0, self._until - asyncio.get_running_loop().time())
        _say(visitor, {**self._told, "seconds": left} if self._told else {"busy": True})

    async def _next_order(self, seconds: float) -> dict[str, Any] | None:
        """What somebody hands over in the time there is; null where nobody does, or the pod is to go."""
        waits = (asyncio.ensure_future(self._orders.get()), asyncio.ensure_future(self._goes.wait()))
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        order = waits[0].result() if waits[0].done() else None
        for wait in waits:
            wait.cancel()
        return order

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
                else:
                    self._orders.put_nowait({**order, "folder": await self._take(order["inputs"], reader, writer)})
        except Refused as refused:
            _say(writer, {"refused": str(refused)})
        except (OSError, ValueError, KeyError, asyncio.IncompleteReadError):
            # Whoever says this is gone, or none of ours.
            pass
        finally:
            self._visitors.discard(writer)
            writer.close()

    async def _take(self, inputs: Pieces, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """The folder of a cell's inputs, once all of their pieces are here."""
        missing = self._store.missing(inputs)
        _say(writer, {"missing": [digest for digest, _ in missing]})
        for digest, size in missing:
            self._store.add(digest, await reader.readexactly(size))
        folder = tempfile.mkdtemp(dir=self._own)
        self._store.write(folder, inputs)
        return folder

    async def _bring(self, names: list[str], writer: asyncio.StreamWriter) -> None:
        paths = [f"{name}.{suffix}" for name in names for suffix in ("pickle", "buffers")]
        there = [path for path in paths if "/" not in path and os.path.exists(f"{self._results}/{path}")]
        sizes = [(path, os.path.getsize(f"{self._results}/{path}")) for path in there]
        _say(writer, {"brought": sizes})
        for path in there:
            with open(f"{self._results}/{path}", "rb") as file:
                while data := file.read(_CHUNK):
                    writer.write(data)
                    await writer.drain()


def _say(writer: asyncio.StreamWriter, words: dict[str, Any]) -> None:
    writer.write(json.dumps(words).encode() + b"\n")


def _write_report(said: dict[str, Any]) -> None:
    path = os.environ["RUNAI_REPORT"]
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(said, file)
    os.replace(f"{path}.new", path)


def main() -> int:
    """Keep this pod."""
    if os.environ.get("RUNAI_KEPT"):
        # Started anew it would run a cell that others came after.
        _write_report({"error": {"type": "KeptLost", "message": _LOST, "traceback": _LOST}})
        return 1
    inputs = os.environ["RUNAI_INPUTS"]
    runner = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "runner.py")
    return asyncio.run(Keeper(inputs, os.environ["RUNAI_RESULTS"], runner).run())


if __name__ == "__main__":
    sys.exit(main())
