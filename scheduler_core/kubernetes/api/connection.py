"""The API server, asked with a user's own credentials: JSON in, JSON out, its refusals as errors of ours."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlencode
from urllib.request import getproxies

import aiohttp
import msgspec
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException, list_kube_config_contexts, load_incluster_config, load_kube_config
from msgspec import Struct

from scheduler_core.errors import (
    Conflict,
    EngineDefect,
    EngineUnavailable,
    InvalidRequest,
    NotAllowed,
    NotFound,
    RunaiError,
    TooLarge,
)

Json: TypeAlias = dict[str, Any]
Body: TypeAlias = Json | list[Json]

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
"""The whole object as we want it: what we set before and leave out now is removed, what others set is kept."""

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_CONNECT_S = 5.0
_ANSWER_S = 60.0
_HEARTBEAT_S = 20.0
_LARGEST_FRAME = 4 * 1024 * 1024
_TOO_MANY = 429
_TRIES = 5
_LONGEST_RETRY_S = 5.0


class Expired(Conflict):
    """What was asked for from some version on is no longer kept from there on."""


_REFUSALS: Mapping[int, type[RunaiError]] = {
    400: InvalidRequest,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    410: Expired,
    413: TooLarge,
    422: InvalidRequest,
    _TOO_MANY: EngineUnavailable,
}


class _Status(Struct, frozen=True):
    """What the API server answers where it refuses."""

    message: str = ""


class Frames:
    """An open WebSocket of which each message is bytes; iterate over it for those that come, until it is closed."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, data: bytes) -> None:
        await self._socket.send_bytes(data)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for message in self._socket:
            if message.type == aiohttp.WSMsgType.BINARY:
                yield message.data


class Connection:
    """One user of one cluster; `namespace` is theirs where they name none.

    Every call raises `EngineUnavailable` where nothing answers, and what the API server refuses as `NotAllowed`,
    `NotFound`, `Conflict`, `Expired`, `InvalidRequest` or `TooLarge`, with its own words.
    """

    def __init__(self, configuration: Configuration, namespace: str) -> None:
        self.namespace = namespace
        self._configuration = configuration
        # Proxies and a file of passwords are else looked up for each request, in a thread.
        configuration.client_session_kwargs = {"trust_env": bool(getproxies())}
        self._client = ApiClient(configuration)
        self._sockets: aiohttp.ClientSession | None = None

    @classmethod
    async def open(cls, context: str | None = None) -> Connection:
        """With the kubeconfig that KUBECONFIG names or a home has, else as the service account of this pod.

        Raises:
            EngineUnavailable: there is neither, or it cannot be read.
        """
        configuration = Configuration()
        path = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
        try:
            if context is None and not any(map(os.path.exists, path.split(os.pathsep))):
                load_incluster_config(configuration)
                return cls(configuration, (_ACCOUNT / "namespace").read_text().strip())
            await load_kube_config(path, context, configuration)
            return cls(configuration, _namespace(path, context))
        except (ConfigException, OSError, ValueError) as error:
            raise EngineUnavailable(
                f"There is no cluster to talk to: {error}.", "Name one: KUBECONFIG=FILE, or ~/.kube/config."
            ) from error

    @property
    def server(self) -> str:
        return str(self._configuration.host)

    async def get(self, path: str, **query: str) -> Any:
        async with self._answer("GET", path, query) as response:
            return _decoded(await response.read())

    async def send(
        self, method: str, path: str, body: Body | None = None, content: str = "application/json", **query: str
    ) -> Any:
        """Create, change or delete; the answer is the object as it is then."""
        async with self._answer(method, path, query, body, content) as response:
            return _decoded(await response.read())

    async def upload(self, path: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Put bytes to a service of the cluster."""
        async with self._answer("PUT", path, {}, content, "application/octet-stream", headers=headers) as response:
            await response.read()

    async def fetch(self, path: str, headers: Mapping[str, str], **query: str) -> bytes:
        """What a service of the cluster answers."""
        async with self._answer("GET", path, query, headers=headers) as response:
            return await response.read()

    async def raw(self, path: str, **query: str) -> bytes:
        async with self._answer("GET", path, query) as response:
            return await response.read()

    async def lines(self, path: str, silent_s: float, **query: str) -> AsyncGenerator[bytes, None]:
        """An answer that goes on, line by line; it ends where the server ends it.

        Raises:
            EngineUnavailable: it breaks off, or nothing came for `silent_s` seconds.
        """
        async with self._answer("GET", path, query, silent_s=silent_s) as response:
            async for line in response.content:
                yield line

    async def pieces(self, path: str, silent_s: float, **query: str) -> AsyncGenerator[bytes, None]:
        """As `lines`, as it comes."""
        async with self._answer("GET", path, query, silent_s=silent_s) as response:
            async for piece in response.content.iter_any():
                yield piece

    @asynccontextmanager
    async def frames(self, path: str, protocol: str, **query: str) -> AsyncGenerator[Frames, None]:
        """A connection that stays open both ways, as a WebSocket of this protocol.

        Raises:
            EngineUnavailable: it breaks off, be it while it is used.
        """
        headers: dict[str, str] = {}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
        rest = self._client.rest_client
        if self._sockets is None:
            # Each of them is a connection of its own for as long as it is open: they take none of those of requests.
            connector = aiohttp.TCPConnector(limit=0, ssl=rest.ssl_context)
            self._sockets = aiohttp.ClientSession(connector=connector, trust_env=bool(getproxies()))
        url = f"{self.server}{path}?{urlencode(query)}"
        try:
            async with self._sockets.ws_connect(
                url,
                headers=headers,
                protocols=(protocol,),
                heartbeat=_HEARTBEAT_S,
                max_msg_size=_LARGEST_FRAME,
                proxy=rest.proxy,
                proxy_headers=rest.proxy_headers,
            ) as socket:
                yield Frames(socket)
        except aiohttp.WSServerHandshakeError as error:
            raise _refusal(error.status, error.message.encode()) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            said = str(error) or type(error).__name__
            raise EngineUnavailable(f"The cluster at {self.server} does not answer: {said}.") from error

    async def close(self) -> None:
        if self._sockets is not None:
            await self._sockets.close()
        await self._client.close()

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Body | bytes | None = None,
        content: str = "application/json",
        silent_s: float = _ANSWER_S,
        headers: Mapping[str, str] = {},
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        try:
            async with await self._asked(method, path, query, body, content, silent_s, headers) as response:
                if response.status >= 400:
                    raise _refusal(response.status, await response.read())
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError, ConfigException) as error:
            said = str(error) or type(error).__name__
            raise EngineUnavailable(f"The cluster at {self.server} does not answer: {said}.") from error

    async def _asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Body | bytes | None,
        content: str,
        silent_s: float,
        more: Mapping[str, str],
    ) -> aiohttp.ClientResponse:
        """The answer, asked for again where the API server has too much to do and says when it may be."""
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=silent_s)
        for tries_left in range(_TRIES - 1, -1, -1):
            headers = {"Accept": "application/json", "Content-Type": content, **more}
            await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            answer = await self._client.rest_client.request(method, url, headers, body, _request_timeout=timeout)
            response: aiohttp.ClientResponse = answer.response
            if response.status != _TOO_MANY or not tries_left:
                break
            await response.read()
            await asyncio.sleep(_retry_after(response))
        return response


def _namespace(path: str, context: str | None) -> str:
    contexts, active = list_kube_config_contexts(path)
    chosen = active if context is None else next(one for one in contexts if one["name"] == context)
    return chosen["context"].get("namespace") or "default"


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """In seconds."""
    said = response.headers.get("Retry-After", "")
    return min(float(said), _LONGEST_RETRY_S) if said.isdecimal() else 1.0


def _decoded(content: bytes) -> Any:
    return msgspec.json.decode(content) if content else None


def _refusal(status: int, content: bytes) -> RunaiError:
    try:
        message = msgspec.json.decode(content, type=_Status).message
    except msgspec.MsgspecError:
        message = content[:200].decode(errors="replace")
    kind = _REFUSALS.get(status, EngineUnavailable if status >= 500 else EngineDefect)
    said = message.rstrip(". \n") or f"status {status}"
    return kind(f"The cluster refuses: {said}.")
