"""What accounts need of the store that they are kept in."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from sqlite3 import Connection
from typing import Protocol


class AccountStore(Protocol):
    """A store with the tables of accounts. What it cannot do it says as an error of `scheduler_core.errors`."""

    def reading(self) -> AbstractContextManager[Connection]:
        """The store as it is at one moment, for whatever thread asks."""
        ...

    async def account(self, change: Callable[[Connection], None]) -> None:
        """Make a change, whole or not at all; it is durable then."""
        ...

    def account_later(self, change: Callable[[Connection], None]) -> Future[None]:
        """The same; the change is made before the store closes at the latest."""
        ...
