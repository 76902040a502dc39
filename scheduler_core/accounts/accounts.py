"""Keeps the accounts in a store: makes sums of the log, and answers who used what and what queues held."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from sqlite3 import Connection

from msgspec.structs import replace

from scheduler_core.accounting.amounts import DAY_MS, HOUR_MS
from scheduler_core.accounting.cells import Cells, Measured, cells
from scheduler_core.accounting.holding import Deserved, Projects
from scheduler_core.accounting.past import QueueHistory, QueueStep, added
from scheduler_core.accounting.prices import Prices
from scheduler_core.accounting.timeline import intervals
from scheduler_core.accounting.usage import MOST_GROUPS, STEP_MS, Usage, UsageBy, UsageStep, rows, unpriced
from scheduler_core.accounts import queue_log, usage_log, usage_sums
from scheduler_core.accounts.kept_in import AccountStore
from scheduler_core.accounts.usage_kept import Kept, Period, kept_of, kept_sums
from scheduler_core.accounts.usage_log import Log
from scheduler_core.errors import InvalidRequest, RunaiError
from scheduler_core.model import MILLI, Queue

_log = logging.getLogger(__name__)
LOG_KEPT_MS = DAY_MS
_SUM_INTERVAL_S = 600.0
_MOST_STEPS = 20_000


class Accounts:
    """The accounts in one store. An answer names `most_groups`, those with most; the others are one."""

    def __init__(
        self,
        store: AccountStore,
        prices: Prices | None,
        simulated: bool,
        clock: Callable[[], float] = time.time,
        most_groups: int = MOST_GROUPS,
    ) -> None:
        self._store = store
        self._prices = prices
        self._simulated = simulated
        self._clock = clock
        self._most_groups = most_groups

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return round(self._clock() * 1000)

    async def note_queues(self, queues: Iterable[Queue]) -> None:
        """Note what projects deserve from now on."""
        projects = Projects(at=self.now(), deserved=_deserved(queues))
        await self._store.account(lambda connection: usage_log.append_projects(connection, projects))

    async def run(self) -> None:
        """For ever make sums of what is older than a day."""
        while True:
            # At a start the ends of what ended meanwhile are still on their way into the log.
            await asyncio.sleep(_SUM_INTERVAL_S)
            try:
                await self.sum_up(self.now())
            except RunaiError as error:
                _log.warning("The accounts cannot be summed up yet: %s", error)

    async def sum_up(self, now: int) -> None:
        """Make sums of the whole hours of the log that are older than a day at `now` (milliseconds since the epoch)."""
        up_to = (now - LOG_KEPT_MS) // HOUR_MS * HOUR_MS
        with self._store.reading() as connection:
            if usage_sums.summed_up_to(connection) >= up_to:
                return
        log, hours = await asyncio.to_thread(self._hours, up_to)

        def write(connection: Connection) -> None:
            usage_sums.add_hours(connection, hours, up_to)
            usage_log.cut_off(connection, log, up_to)
            usage_sums.thin(connection, now)

        await self._store.account(write)

    def _hours(self, up_to: int) -> tuple[Log, Cells]:
        with self._store.reading() as connection:
            log = usage_log.read_log(connection, usage_sums.summed_up_to(connection))
        parts = intervals(log.entries, log.projects, up_to)
        return log, cells(parts, log.measured, log.begins, up_to, HOUR_MS)

    async def usage(
        self,
        by: UsageBy,
        since: float,
        until: float | None,
        step: UsageStep,
        most: int = MOST_GROUPS,
        pending: Iterable[Measured] = (),
        prefix: str = "",
    ) -> Usage:
        """Who used what in [since, until), in seconds since the epoch; until now where that is null.

        It names the `most` groups with most, the others as one. `pending` was measured and is not in the store yet.
        With a `prefix` only workloads whose ids begin so count, as long as these are kept one by one.

        Raises:
            InvalidRequest: no time, an end before its beginning, too many steps, or devices of some workloads alone.
        """
        if prefix and by == "device":
            raise InvalidRequest("Who used which device is not kept.", "Ask for it by workload, user or project.")
        period = _period(since, until, step, self._clock())
        most = max(1, min(most, self._most_groups))
        if prefix:
            found = await asyncio.to_thread(self._found_of, prefix, period, pending)
        else:
            found = await asyncio.to_thread(self._found, by, period, most, pending)
        return Usage(
            by=by,
            step=step,
            since=period.since / 1000,
            until=period.until / 1000,
            rows=rows(found, by, self._prices, most),
            simulated=self._simulated,
            currency=None if self._prices is None else self._prices.currency,
            unpriced=unpriced(found, self._prices),
        )

    async def queue_history(
        self, since: float, until: float | None, step: UsageStep, pending: Iterable[QueueStep] = ()
    ) -> QueueHistory:
        """What queues deserved, got and held, and why work waited in them; times and errors as those of `usage`."""
        period = _period(since, until, step, self._clock())
        kept = await asyncio.to_thread(self._queue_steps, period)
        fresh = (
            replace(seen, at=(period.since if period.step is None else at - at % period.step) / 1000)
            for seen in pending
            if period.since <= (at := round(seen.at * 1000)) < period.until
        )
        return QueueHistory(
            step=step,
            since=period.since / 1000,
            until=period.until / 1000,
            rows=added((*kept, *fresh)),
            simulated=self._simulated,
        )

    def _queue_steps(self, period: Period) -> tuple[QueueStep, ...]:
        with self._store.reading() as connection:
            return queue_log.read(connection, period.since, period.until, period.step)

    def _found(self, by: UsageBy, period: Period, most: int, pending: Iterable[Measured]) -> list[Kept]:
        with self._store.reading() as connection:
            _, logged = _logged(connection, period, pending)
            workloads = {subject.workload for _, subject, _ in logged}
            kept = list(kept_sums(connection, by, period, workloads, most))
        return [*kept, *logged.items()]

    def _found_of(self, prefix: str, period: Period, pending: Iterable[Measured]) -> list[Kept]:
        with self._store.reading() as connection:
            log, logged = _logged(connection, period, pending)
            kept = list(kept_of(connection, prefix, period))
        deserved = log.projects[-1].deserved if log.projects else {}
        departments = {name: known.department for name, known in deserved.items()}
        told = (
            ((at, replace(who, department=departments.get(who.project, "")), where), sums)
            for (at, who, where), sums in kept
        )
        return [*told, *(cell for cell in logged.items() if cell[0][1].workload.startswith(prefix))]


def _logged(connection: Connection, period: Period, pending: Iterable[Measured]) -> tuple[Log, Cells]:
    log = usage_log.read_log(connection, usage_sums.summed_up_to(connection))
    parts = intervals(log.entries, log.projects, period.until)
    return log, cells(parts, [*log.measured, *pending], period.since, period.until, period.step)


def _period(since: float, until: float | None, step: UsageStep, now: float) -> Period:
    """What is asked about, as far as it is past; until now where `until` is null.

    Raises:
        InvalidRequest: no time, an end before its beginning, or too many steps.
    """
    end = now if until is None else min(until, now)
    if not (math.isfinite(since) and math.isfinite(end)):
        raise InvalidRequest("A time is a number of seconds since 1970.")
    begin_ms, end_ms = round(max(0.0, since) * 1000), round(end * 1000)
    step_ms = STEP_MS[step]
    if until is not None and until < since:
        raise InvalidRequest("The time that is asked about ends before it begins.")
    if step_ms is not None and (end_ms - begin_ms) / step_ms > _MOST_STEPS:
        raise InvalidRequest(f"That are more than {_MOST_STEPS:,} steps.", "Ask for longer ones, or a shorter time.")
    return Period(begin_ms, end_ms, step_ms)


def _deserved(queues: Iterable[Queue]) -> Mapping[str, Deserved]:
    return {
        queue.name: Deserved(
            department=queue.parent or "",
            quota_milli=None if queue.gpu.quota is None else round(queue.gpu.quota * MILLI),
        )
        for queue in queues
    }
