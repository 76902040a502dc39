"""Time-based fair share: what projects held lately, from the accounts, as the planner takes it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from sqlite3 import Connection

import msgspec
from msgspec.structs import replace

from scheduler_core.accounting.amounts import DAY_MS, HOUR_MS
from scheduler_core.accounting.decay import Decay
from scheduler_core.accounting.holding import Holding
from scheduler_core.accounts.usage_sums import USERS, summed_up_to
from scheduler_core.errors import RunaiError
from scheduler_core.local.access.projects import ProjectsFile
from scheduler_core.local.durable.store import Store
from scheduler_core.local.work.snapshot import Machine
from scheduler_core.model import MILLI, Config, Queue, Usage
from scheduler_core.workload import PastUse

_log = logging.getLogger(__name__)
_REFRESH_S = 60.0
_change = msgspec.json.Decoder(Holding)


class PastUses:
    """What each queue held of all devices in the time that counts; nothing while projects do not ask for it."""

    def __init__(self, store: Store, projects: ProjectsFile, machine: Callable[[], Machine]) -> None:
        self._store = store
        self._projects = projects
        self._machine = machine
        self._parts: Mapping[str, float] = {}

    @property
    def config(self) -> Config:
        asked = self._projects.projects.time_based_fair_share
        return Config() if asked is None else Config(usage_weight_k=asked.k)

    @property
    def queues(self) -> tuple[Queue, ...]:
        """All queues, with what they held."""
        known = self._parts
        return tuple(
            replace(queue, usage=Usage(gpu=known[queue.name])) if queue.name in known else queue
            for queue in self._projects.projects.queues
        )

    def of(self, queue: str) -> PastUse | None:
        """What counts for a queue; null where the past does not."""
        asked = self._projects.projects.time_based_fair_share
        if asked is None or queue not in self._parts:
            return None
        return PastUse(part=self._parts[queue], k=asked.k, window_s=asked.window_s, half_life_s=asked.half_life_s)

    async def run(self, changed: Callable[[], None]) -> None:
        """For ever follow what is held; say so where it counts."""
        while True:
            await asyncio.sleep(_REFRESH_S)
            if await self.refresh():
                changed()

    async def refresh(self) -> bool:
        """Look at the accounts anew; whether that has changed anything."""
        projects = self._projects.projects
        asked, devices = projects.time_based_fair_share, len(self._machine().physical)
        found: Mapping[str, float] = {}
        if asked is not None and devices:
            try:
                held, counted_ms = await asyncio.to_thread(self._held, asked.decay, time.time() * 1000)
            except RunaiError as error:
                _log.warning("What projects held lately cannot be read yet: %s", error)
                return False
            found = _parts(projects.queues, held, counted_ms * devices * MILLI)
        before, self._parts = self._parts, found
        return found != before

    def _held(self, decay: Decay, now: float) -> tuple[dict[str, float], float]:
        with self._store.reading() as connection:
            return held_lately(connection, decay, now)


def held_lately(connection: Connection, decay: Decay, now: float) -> tuple[dict[str, float], float]:
    """(thousandths of a device times milliseconds that still count, by project; for how long anything is known)."""
    begins, first = summed_up_to(connection), now
    held: dict[str, float] = {}
    sums = connection.execute(
        "SELECT step, at, project, SUM(allocated) FROM usage JOIN subjects ON subjects.id = subject"
        " WHERE account = ? AND step IN (?, ?) AND at >= ? GROUP BY step, at, project",
        (USERS, HOUR_MS, DAY_MS, round(now - decay.window_ms) - DAY_MS),
    )
    for step, at, project, allocated in sums:
        first = min(first, at)
        held[project] = held.get(project, 0.0) + allocated / step * decay.weight(at, at + step, now)
    for at, content in connection.execute("SELECT at, change FROM holdings"):
        change, since = _change.decode(content), max(at, begins)
        first = min(first, since)
        milli = sum(share.milli for share in change.shares)
        held[change.project] = held.get(change.project, 0.0) + milli * decay.weight(since, now, now)
    for (at,) in connection.execute("SELECT MIN(at) FROM deserved"):
        first = min(first, now if at is None else max(at, begins))
    return held, decay.weight(first, now, now)


def _parts(queues: Iterable[Queue], held: Mapping[str, float], capacity: float) -> dict[str, float]:
    """What each queue held, with those below it, as a part of all that there was."""
    parents = {queue.name: queue.parent for queue in queues}
    sums = dict.fromkeys(parents, 0.0)
    for project, amount in held.items():
        name: str | None = project
        while name is not None and name in sums:
            sums[name] += amount
            name = parents[name]
    # Floating-point remainders of what came and went again are nothing.
    return {name: round(min(1.0, max(0.0, amount / capacity)), 6) if capacity else 0.0 for name, amount in sums.items()}
