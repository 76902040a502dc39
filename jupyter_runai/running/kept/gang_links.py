"""How the keepers of a gang's tasks meet, and know each other.

That of task 0 listens: where tasks share a host at a private socket in their folder of results, in pods at the port
after RUNAI_DOOR. Each side proves, by an HMAC of what the other has made up, that it knows the token that came with the
first cell.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import secrets
import socket
from contextlib import suppress

from .door import LONGEST_LINE, say
from .private_sockets import connected, listening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, TypeVar

    T = TypeVar("T")

SOCKET = "gang.sock"
WITHIN_S = 600.0
"""So long others are waited for: an image may have to be pulled."""
_PROOF_WITHIN_S = 10.0
_TRIED_EVERY_S = 0.1
_MOST_UNKNOWN = 64
_PROBES = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))


class TaskLost(Exception):
    """Another task of the gang is not there, or not any more; the message says which."""


class Loss:
    """Whether a gang is still together."""

    def __init__(self) -> None:
        self._message = ""
        self._told = asyncio.Event()

    def tell(self, message: str) -> None:
        """Another task has gone; the first message counts."""
        self._message = self._message or message
        self._told.set()

    async def unless(self, awaited: Coroutine[Any, Any, T] | asyncio.Future[T]) -> T:
        """What comes of this; a future is left to itself.

        Raises:
            TaskLost: another task has gone before.
        """
        wanted, told = asyncio.ensure_future(awaited), asyncio.ensure_future(self._told.wait())
        try:
            await asyncio.wait((wanted, told), return_when=asyncio.FIRST_COMPLETED)
            if wanted.done():
                return wanted.result()
        finally:
            told.cancel()
            if wanted is not awaited:
                wanted.cancel()
        raise TaskLost(self._message)


class Meeting:
    """Where the tasks of one gang meet; `mine` is the number of this one."""

    def __init__(self, results: str, token: str, mine: int) -> None:
        self._results, self._token, self._mine = results, token, mine
        self._unknown = 0
        door = os.environ.get("RUNAI_DOOR")
        self._port = None if door is None else int(door) + 1

    async def listen(self, come: Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Any]) -> None:
        """Let the others come: `come` is called with the number of each."""

        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._unknown += 1
            try:
                index = await asyncio.wait_for(self._known(reader, writer), _PROOF_WITHIN_S)
            except (OSError, ValueError, KeyError, TypeError, TimeoutError):
                writer.close()
                return
            finally:
                self._unknown -= 1
            _watch_over(writer)
            come(index, reader, writer)

        if self._port is None:
            await asyncio.start_unix_server(meet, sock=listening(self._results, SOCKET), limit=LONGEST_LINE)
        else:
            await asyncio.start_server(meet, None, self._port, limit=LONGEST_LINE)

    async def join(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Come to task 0.

        Raises:
            TaskLost: it was not to be reached in time.
        """
        until = asyncio.get_running_loop().time() + WITHIN_S
        while True:
            try:
                reader, writer = await self._reached()
                await asyncio.wait_for(self._prove(reader, writer), _PROOF_WITHIN_S)
            except (OSError, ValueError, KeyError, TypeError, TimeoutError) as error:
                if asyncio.get_running_loop().time() > until:
                    where = "" if self._port is None else f" at {os.environ['MASTER_ADDR']}:{self._port}"
                    raise TaskLost(f"Task {self._mine} could not reach task 0{where}: {error}") from error
                await asyncio.sleep(_TRIED_EVERY_S)
            else:
                _watch_over(writer)
                return reader, writer

    async def _reached(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._port is None:
            return await asyncio.open_unix_connection(sock=connected(self._results, SOCKET), limit=LONGEST_LINE)
        reaching = asyncio.open_connection(os.environ["MASTER_ADDR"], self._port, limit=LONGEST_LINE)
        return await asyncio.wait_for(reaching, _PROOF_WITHIN_S)

    async def _known(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        """Whose connection this is; ValueError where it is nobody's of ours."""
        if self._unknown > _MOST_UNKNOWN:
            raise ValueError
        ours = secrets.token_hex(16)
        say(writer, {"nonce": ours})
        heard = await _heard(reader)
        index, theirs = int(heard["index"]), str(heard["nonce"])
        _check(heard["proof"], self._proof(f"task {index}", ours, theirs))
        say(writer, {"proof": self._proof("task 0", ours, theirs)})
        return index

    async def _prove(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            ours, theirs = secrets.token_hex(16), str((await _heard(reader))["nonce"])
            proof = self._proof(f"task {self._mine}", theirs, ours)
            say(writer, {"index": self._mine, "nonce": ours, "proof": proof})
            _check((await _heard(reader))["proof"], self._proof("task 0", theirs, ours))
        except BaseException:
            writer.close()
            raise

    def _proof(self, who: str, *nonces: str) -> str:
        return hmac.new(self._token.encode(), " ".join((who, *nonces)).encode(), "sha256").hexdigest()


def _check(proof: str, wanted: str) -> None:
    if not hmac.compare_digest(proof.encode(), wanted.encode()):
        raise ValueError("a wrong proof")


async def _heard(reader: asyncio.StreamReader) -> dict[str, Any]:
    line = await reader.readline()
    if not line:
        raise ConnectionResetError("it ended the connection")
    heard: dict[str, Any] = json.loads(line)
    return heard


def _watch_over(writer: asyncio.StreamWriter) -> None:
    """Let the kernel see to it that a host which is gone without a word is noticed."""
    end = writer.get_extra_info("socket")
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES if end.family != socket.AF_UNIX else ():
        if hasattr(socket, name):
            end.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
