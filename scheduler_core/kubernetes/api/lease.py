"""One leader: whoever holds the Lease acts, and stops well before anybody else may."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

from scheduler_core.errors import Conflict, NotFound, RunaiError
from scheduler_core.kubernetes.api.connection import Connection, Json

_LASTS_S = 15
_RENEWED_WITHIN_S = 8.0
"""Together with the longest that a request of the old leader may take this is less than a lease lasts."""
_PAUSE_S = 2.0
_ANSWER_S = 3.0
_log = logging.getLogger(__name__)


class Lease:
    """A Lease of this name, for which this process is one of those that want it."""

    def __init__(self, connection: Connection, namespace: str, name: str) -> None:
        self._connection = connection
        self._name = name
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._identity = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._seen: tuple[object, object] = ("", "")
        self._seen_at = 0.0

    async def lead(self, act: Callable[[], Awaitable[None]]) -> None:
        """Act while the lease is held, and whenever it is held again, until cancelled.

        Raises:
            RunaiError: `act` does.
        """
        while True:
            while not await self._took():
                await asyncio.sleep(_PAUSE_S)
            _log.info("%s leads", self._identity)
            acting = asyncio.ensure_future(act())
            try:
                await self._keep(acting)
            finally:
                acting.cancel()
                await asyncio.wait((acting,))
                await asyncio.shield(self._give_back())
            if not acting.cancelled():
                acting.result()
            _log.warning("%s leads no more", self._identity)
            # What was asked for at the end is done, or refused, by then.
            await asyncio.sleep(_LASTS_S - _RENEWED_WITHIN_S)

    async def _keep(self, acting: asyncio.Future[None]) -> None:
        """Renew it, until that failed for too long or acting has ended."""
        renewed = time.monotonic()
        while time.monotonic() - renewed < _RENEWED_WITHIN_S:
            asked = time.monotonic()
            if await self._took():
                renewed = asked
            left = renewed + _RENEWED_WITHIN_S - time.monotonic()
            done, _ = await asyncio.wait((acting,), timeout=max(0.0, min(_PAUSE_S, left)))
            if done:
                return

    async def _took(self) -> bool:
        """Whether it is ours now."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await self._take()
        except (RunaiError, TimeoutError) as error:
            _log.info("The lease %s could not be had: %s", self._name, error)
            return False

    async def _take(self) -> bool:
        try:
            found: Json = await self._connection.get(f"{self._path}/{self._name}")
        except NotFound:
            await self._write("POST", self._path, {"metadata": {"name": self._name}, "spec": {}})
            return True
        spec = found["spec"]
        if spec.get("holderIdentity") not in ("", None, self._identity) and not self._has_expired(spec):
            return False
        # Where another was faster the version is not this one any more.
        with suppress(Conflict):
            await self._write("PUT", f"{self._path}/{self._name}", found)
            return True
        return False

    def _has_expired(self, spec: Json) -> bool:
        """By our own clock: nothing was renewed for as long as it lasts, whatever the holder's clock says."""
        seen = (spec.get("holderIdentity"), spec.get("renewTime"))
        if seen != self._seen:
            self._seen, self._seen_at = seen, time.monotonic()
        return time.monotonic() - self._seen_at > float(spec.get("leaseDurationSeconds") or _LASTS_S)

    async def _give_back(self) -> None:
        """Let the next one begin at once."""
        with suppress(RunaiError, TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                found: Json = await self._connection.get(f"{self._path}/{self._name}")
                if found["spec"].get("holderIdentity") == self._identity:
                    found["spec"]["holderIdentity"] = ""
                    await self._connection.send("PUT", f"{self._path}/{self._name}", found)

    async def _write(self, method: str, path: str, body: Json) -> None:
        before = body["spec"]
        if before.get("holderIdentity") != self._identity:
            before["acquireTime"] = _now()
            before["leaseTransitions"] = int(before.get("leaseTransitions") or 0) + 1
        before |= {"holderIdentity": self._identity, "renewTime": _now(), "leaseDurationSeconds": _LASTS_S}
        kind = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        await self._connection.send(method, path, {**kind, **body})


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
