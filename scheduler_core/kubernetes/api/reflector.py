"""Objects of one kind as they are now: listed in pages, then watched, and listed anew where the thread was lost."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Generic, TypeVar

import msgspec
from msgspec import Raw, Struct

from scheduler_core.errors import EngineUnavailable, RunaiError
from scheduler_core.kubernetes.api.connection import Connection, Expired

_log = logging.getLogger(__name__)

_PAGE = "500"
_WATCH_S = (240, 480)
"""A watch is begun anew after a time of its own, so that not all come at once."""
_LONGER_S = 30
_BACKOFF_S = (0.5, 30.0)

Record = TypeVar("Record")


class _ListMeta(Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    next_page: str = msgspec.field(name="continue", default="")


class _Page(Struct, frozen=True):
    metadata: _ListMeta
    items: list[Raw]


class _ObjectMeta(Struct, frozen=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""


class _Object(Struct, frozen=True):
    """What of an object the reflector itself reads; `code` is that of an error."""

    metadata: _ObjectMeta = _ObjectMeta()
    code: int = 0
    message: str = ""


class _Event(Struct, frozen=True):
    type: str
    object: Raw


class Reflector(Generic[Record]):
    """Keeps `records` of all objects at a path, each by its namespace and name.

    `read` makes a record of an object's JSON: slim, it is all that is kept. `changed` is called with what has changed,
    null for what has gone, once at the end of every list and for each event after it.
    """

    def __init__(
        self,
        connection: Connection,
        path: str,
        read: Callable[[bytes], Record],
        changed: Callable[[Mapping[str, Record | None]], object],
        selector: str = "",
    ) -> None:
        self.records: dict[str, Record] = {}
        self.synced = asyncio.Event()
        self._connection = connection
        self._path = path
        self._read = read
        self._changed = changed
        self._query = {"labelSelector": selector} if selector else {}
        self._version = ""

    async def run(self) -> None:
        """Follow the objects until cancelled.

        Raises:
            RunaiError: the API server refuses it: they may not be read, or their kind is not there.
        """
        pause = _BACKOFF_S[0]
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
                pause = _BACKOFF_S[0]
            except Expired:
                self._version = ""
            except EngineUnavailable as error:
                _log.info("%s is read again in %.1f s: %s", self._path, pause, error)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (only so that not all come at once)
                pause = min(2 * pause, _BACKOFF_S[1])

    async def _list(self) -> None:
        found: dict[str, Record] = {}
        query = {**self._query, "limit": _PAGE}
        while True:
            page = msgspec.json.decode(await self._connection.raw(self._path, **query), type=_Page)
            for item in page.items:
                self._take(found, _key(msgspec.json.decode(item, type=_Object).metadata), bytes(item))
            if not page.metadata.next_page:
                break
            query["continue"] = page.metadata.next_page
        gone = {key: None for key in self.records if key not in found}
        fresh = {key: record for key, record in found.items() if self.records.get(key) != record}
        self.records = found
        self._version = page.metadata.resource_version
        self._changed({**gone, **fresh})
        self.synced.set()

    async def _watch(self) -> None:
        seconds = random.randint(*_WATCH_S)  # noqa: S311
        query = {
            **self._query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(seconds),
        }
        async with aclosing(self._connection.lines(self._path, seconds + _LONGER_S, **query)) as lines:
            async for line in lines:
                self._follow(msgspec.json.decode(line, type=_Event))

    def _follow(self, event: _Event) -> None:
        seen = msgspec.json.decode(event.object, type=_Object)
        if event.type == "ERROR":
            raise Expired(seen.message) if seen.code == 410 else EngineUnavailable(seen.message)
        self._version = seen.metadata.resource_version
        key = _key(seen.metadata)
        if event.type == "DELETED":
            if self.records.pop(key, None) is not None:
                self._changed({key: None})
        elif event.type != "BOOKMARK":
            before = self.records.get(key)
            self._take(self.records, key, bytes(event.object))
            if self.records.get(key) != before:
                self._changed({key: self.records.get(key)})

    def _take(self, records: dict[str, Record], key: str, content: bytes) -> None:
        """What we cannot read is as if it were not there: one such object must not hide all others."""
        try:
            records[key] = self._read(content)
        except (msgspec.MsgspecError, ValueError, RunaiError) as error:
            records.pop(key, None)
            _log.warning("%s of %s is left aside: %s", key, self._path, error)


def _key(metadata: _ObjectMeta) -> str:
    return f"{metadata.namespace}/{metadata.name}"
