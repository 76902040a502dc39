"""A week of random histories in the store of an engine that has not begun yet, with as much measured of it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from random import Random

from msgspec.structs import replace

from scheduler_core.accounting.amounts import DAY_MS, MINUTE_MS
from scheduler_core.accounting.cells import NOWHERE, Measured, cells
from scheduler_core.accounting.prices import Prices
from scheduler_core.accounting.timeline import intervals
from scheduler_core.accounts import usage_log
from scheduler_core.local.access.settings import Settings
from tests.accounting.histories import PROJECTS, Histories, live
from tests.conftest import SIMULATED

DAYS = 6
PRICES = Prices(currency="EUR", per_gpu_hour={"A100": 2.5})
QUOTAS = "".join(f"[projects.{name}]\nquota = {quota}\n" for name, quota in zip(PROJECTS, (1, 0.5, 0.25), strict=True))
_BUSY = (0.9, 0.6, 0.25, 0.05)
"""How much of its share a workload uses, by its number."""


def write_week(engine: Path) -> None:
    """Fill an engine's folder."""
    engine.mkdir(mode=0o700)
    settings = Settings(simulate=SIMULATED, prices=PRICES)
    settings.write(engine)
    (engine / "projects.toml").write_text(QUOTAS)
    store = settings.folder(engine)
    store.mkdir(mode=0o700)
    asyncio.run(_live(store / "store.sqlite"))


async def _live(path: Path) -> None:
    now = round(time.time() * 1000)
    histories = Histories(path, Random(7), now - DAYS * DAY_MS, longest_pause_ms=60 * MINUTE_MS)
    number = 0
    while histories.now_ms < now - DAY_MS // 2:
        await live(histories, range(number, number + 4), at_once=4, most_steps=1000)
        number += 4
    store = histories.store
    with store.reading() as connection:
        log = usage_log.read_log(connection, 0)
    held = cells(intervals(log.entries, log.projects, now), [], 0, now, MINUTE_MS)
    minutes = [
        Measured(at=at, workload=who.workload, device=where.device, measured=amounts.allocated)
        for (at, who, where), amounts in held.items()
        if where != NOWHERE
    ]
    used = [replace(each, used=round(each.measured * _BUSY[int(each.workload, 16) % len(_BUSY)])) for each in minutes]
    await store.account(lambda connection: usage_log.append_measured(connection, used))
    store.close()
