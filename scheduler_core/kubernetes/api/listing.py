"""All objects at a path, as they are now."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec
from msgspec import Raw, Struct

from scheduler_core.kubernetes.api.connection import Connection

_PAGE = "500"


class _ListMeta(Struct, frozen=True):
    next_page: str = msgspec.field(name="continue", default="")


class _Page(Struct, frozen=True):
    metadata: _ListMeta
    items: list[Raw]


async def listed(connection: Connection, path: str, **query: str) -> AsyncGenerator[Raw, None]:
    """The JSON of each object, read in pages."""
    asked = {**query, "limit": _PAGE}
    while True:
        page = msgspec.json.decode(await connection.raw(path, **asked), type=_Page)
        for item in page.items:
            yield item
        if not page.metadata.next_page:
            return
        asked["continue"] = page.metadata.next_page
