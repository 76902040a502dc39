"""HTTP to one daemon over its Unix socket, on connections that are kept for the next request."""

from __future__ import annotations

import asyncio
import socket

from msgspec import Struct
from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream, StreamClosedError

from scheduler_core.errors import EngineUnavailable

_TIMEOUT_S = 60.0
_MOST_CONNECTIONS = 64
_LARGEST_ANSWER = 512 * 1024 * 1024
_CHUNK = 256 * 1024
"""In bytes: a long list comes in a few dozen pieces."""
_PARAMETERS = HTTP1ConnectionParameters(max_body_size=_LARGEST_ANSWER, chunk_size=_CHUNK)


class NothingSent(EngineUnavailable):
    """The connection was refused: whatever was to be asked can be asked again."""


class Answer(Struct, frozen=True):
    """The status and the body of an answer."""

    status: int
    body: bytes | bytearray


class Connections:
    """Connections to the socket at `path`, as many as there are requests at once, up to a bound; the others wait."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._free = asyncio.Semaphore(_MOST_CONNECTIONS)
        self._kept: list[IOStream] = []
        self._is_closed = False

    async def ask(self, method: str, target: str, body: bytes = b"") -> Answer:
        """One request.

        Raises:
            NothingSent: nobody listens.
            EngineUnavailable: the connection broke off, or no answer came in time; it may have been carried out.
        """
        try:
            async with asyncio.timeout(_TIMEOUT_S), self._free:
                stream = self._take() or await self._open()
                return await self._exchange(stream, method, target, body)
        except (ConnectionRefusedError, FileNotFoundError) as error:
            raise NothingSent("The engine has just left.", "Try again.") from error
        except TimeoutError as error:
            raise EngineUnavailable(f"The engine did not answer for {_TIMEOUT_S:.0f} seconds.", "Try again.") from error
        except OSError as error:
            raise EngineUnavailable(f"The engine did not answer: {error}.", "Try again.") from error

    def close(self) -> None:
        """Keep none any more; what was asked is still answered."""
        self._is_closed = True
        while self._kept:
            self._kept.pop().close()

    def _take(self) -> IOStream | None:
        """One that the daemon has not closed meanwhile."""
        while self._kept:
            stream = self._kept.pop()
            if _is_open(stream):
                return stream
            stream.close()
        return None

    async def _open(self) -> IOStream:
        unconnected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream = IOStream(unconnected, max_buffer_size=_LARGEST_ANSWER, read_chunk_size=_CHUNK)
        try:
            await stream.connect(self._path)
        except StreamClosedError as error:
            raise error.real_error or error from None
        return stream

    async def _exchange(self, stream: IOStream, method: str, target: str, body: bytes) -> Answer:
        connection, reading = HTTP1Connection(stream, True, _PARAMETERS), _Reading()
        headers = HTTPHeaders({"Host": "engine", "Content-Length": str(len(body))})
        is_whole = False
        try:
            written = connection.write_headers(RequestStartLine(method, target, ""), headers, body)
            connection.finish()
            await written
            is_whole = await connection.read_response(reading) and reading.finished
        finally:
            if is_whole and not self._is_closed:
                self._kept.append(stream)
            else:
                stream.close()
        if not is_whole:
            raise StreamClosedError(stream.error)
        return Answer(reading.status, reading.body)


class _Reading(HTTPMessageDelegate):
    """An answer as it comes in."""

    def __init__(self) -> None:
        self.status = 0
        self.body = bytearray()
        self.finished = False

    def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        if isinstance(start_line, ResponseStartLine):
            self.status = start_line.code

    def data_received(self, chunk: bytes) -> None:
        self.body += chunk

    def finish(self) -> None:
        self.finished = True


def _is_open(stream: IOStream) -> bool:
    if stream.closed():
        return False
    try:
        # Nobody speaks unasked here: what can be read is the end.
        stream.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False
