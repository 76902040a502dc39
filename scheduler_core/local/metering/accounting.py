"""Keeps the accounts of one engine: opens them at its start, and answers with what is not written down yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from scheduler_core.accounting.holding import Entry, changed
from scheduler_core.accounting.past import QueueHistory
from scheduler_core.accounting.prices import Prices
from scheduler_core.accounting.usage import MOST_GROUPS, Usage, UsageBy, UsageStep
from scheduler_core.accounts import usage_log
from scheduler_core.accounts.accounts import Accounts
from scheduler_core.accounts.queue_meter import QueueMeter
from scheduler_core.errors import RunaiError
from scheduler_core.local.access.projects import ProjectsFile
from scheduler_core.local.durable.store import Store
from scheduler_core.local.metering.usage_meter import UsageMeter
from scheduler_core.local.record.holding import holding_of
from scheduler_core.local.work.book import Book


class Accounting:
    """The accounts in one store. What runs is counted from when it was written down.

    An answer names `most_groups`, those with most; the others are one.
    """

    def __init__(
        self,
        book: Book,
        store: Store,
        projects: ProjectsFile,
        prices: Prices | None,
        simulated: bool,
        clock: Callable[[], float] = time.time,
        most_groups: int = MOST_GROUPS,
    ) -> None:
        self.meter = UsageMeter(store, simulated)
        self.queue_meter = QueueMeter(store)
        self._book = book
        self._store = store
        self._projects = projects
        self._accounts = Accounts(store, prices, simulated, clock, most_groups)

    async def open(self) -> None:
        """Bring the log in line with the records: it begins empty in a store from before there was one."""
        with self._store.reading() as connection:
            logged = usage_log.all_held(connection)
        live = {record.workload.id: holding_of(record) for record in self._book.live()}
        differing, now = [], self._accounts.now()
        for workload in logged | live:
            holding = live.get(workload) or logged[workload].emptied()
            change = holding if workload not in logged else changed(holding, replace(logged[workload], evictions=0), -1)
            if not change.is_nothing:
                differing.append(Entry(at=now, workload=workload, change=change))
        await self._store.account(lambda connection: usage_log.append(connection, differing))
        await self.note_projects()

    async def note_projects(self) -> None:
        """Note what projects deserve from now on."""
        await self._accounts.note_queues(self._projects.projects.queues)

    async def run(self) -> None:
        """For ever make sums of what is older than a day."""
        await self._accounts.run()

    async def sum_up(self, now: int) -> None:
        """Make sums of the whole hours of the log that are older than a day at `now` (milliseconds since the epoch)."""
        await self._accounts.sum_up(now)

    async def usage(
        self, by: UsageBy, since: float, until: float | None, step: UsageStep, most: int = MOST_GROUPS
    ) -> Usage:
        """Who used what, as `Accounts.usage` says it."""
        await self._written()
        return await self._accounts.usage(by, since, until, step, most, self.meter.pending())

    async def queue_history(self, since: float, until: float | None, step: UsageStep) -> QueueHistory:
        """What queues deserved, got and held, as `Accounts.queue_history` says it."""
        await self._written()
        return await self._accounts.queue_history(since, until, step, self.queue_meter.pending())

    async def _written(self) -> None:
        """Wait until what is shown already is in the log, too: what has ended must not count until now."""
        with suppress(RunaiError):
            await self._store.account(lambda connection: None)
