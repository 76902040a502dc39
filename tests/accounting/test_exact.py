"""The accounts equal what a witness of every change adds up by itself, to the millisecond and the thousandth.

`RUNAI_ACCOUNTED_WORKLOADS=10000 pytest tests/accounting` does it with more.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from scheduler_core.accounting.holding import Deserved, Entry, Holding, Projects, Share
from scheduler_core.accounting.usage import MOST_GROUPS, OTHERS, Usage, UsageBy, UsageStep
from scheduler_core.accounts import usage_log
from scheduler_core.local.access.projects import ProjectsFile
from scheduler_core.local.metering.accounting import Accounting
from tests.accounting.histories import PROJECTS, Histories, live
from tests.accounting.witness import Quotas, Witness, recount

WORKLOADS = int(os.environ.get("RUNAI_ACCOUNTED_WORKLOADS", "300"))
HOUR, DAY = 3_600_000, 86_400_000
START = 1_700_000_000_000 // DAY * DAY
pytestmark = pytest.mark.timeout(7200)

COUNTED = ("allocated", "over_quota", "gpu_memory", "cpu", "waiting", "preemptions")


class Engine:
    """The book, the store and the accounts of an engine, at a time that is made up."""

    def __init__(self, folder: Path, seed: int, longest_pause_ms: int, most_groups: int = MOST_GROUPS) -> None:
        self.random = Random(seed)
        self.histories = Histories(folder / "store.sqlite", self.random, START, longest_pause_ms)
        self.quotas: Quotas = []
        self._most_groups = most_groups
        self._file = folder / "projects.toml"

    async def open(self) -> None:
        self.accounting = Accounting(
            self.histories.book,
            self.histories.store,
            ProjectsFile(self._file),
            None,
            True,
            lambda: self.histories.now_ms / 1000,
            self._most_groups,
        )
        await self.accounting.open()

    async def change_quotas(self) -> None:
        given = {name: self.random.choice((None, 0, 1500, 4000)) for name in PROJECTS}
        text = "".join(
            f"[projects.{name}]\nquota = {quota / 1000 if quota is not None else chr(34) + 'unlimited' + chr(34)}\n"
            for name, quota in given.items()
        )
        self._file.write_text(text)
        self.quotas.append((self.histories.now_ms, given))
        await self.open()

    async def restart(self) -> None:
        self.histories.restart()
        await self.open()

    async def used(self, by: UsageBy, since: int, until: int, step: UsageStep = "all") -> Usage:
        return await self.accounting.usage(by, since / 1000, until / 1000, step)

    @property
    def witness(self) -> Witness:
        return self.histories.witness

    async def live(self, count: int, parts: int) -> None:
        for part in range(parts):
            await self.change_quotas()
            await live(self.histories, range(part * count // parts, (part + 1) * count // parts), at_once=20)
            await self.restart()
        self.histories.now_ms += 1000


def counted(usage: Usage) -> dict[str, dict[str, int]]:
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in usage.rows:
        for name in COUNTED:
            sums[row.group][name] += getattr(row, name)
    return {group: some for group, of_it in sums.items() if (some := {name: n for name, n in of_it.items() if n})}


def grouped(
    recounted: dict[tuple[str, str], dict[str, int]], key: Callable[[str, str], str]
) -> dict[str, dict[str, int]]:
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (workload, device), of_it in recounted.items():
        for name, value in of_it.items():
            sums[key(workload, device)][name] += value
    return {group: dict(of_it) for group, of_it in sums.items() if group}


async def compare(engine: Engine, since: int, until: int, step: UsageStep = "all") -> None:
    recounted = recount(engine.witness, engine.quotas, since, until)
    whose = engine.witness.whose
    keys: dict[UsageBy, Callable[[str, str], str]] = {
        "workload": lambda workload, device: workload,
        "user": lambda workload, device: whose[workload].owner,
        "project": lambda workload, device: whose[workload].project,
        "department": lambda workload, device: "none",
        "device": lambda workload, device: device,
        "pool": lambda workload, device: "default" if device else "",
    }
    for by, key in keys.items():
        usage = counted(await engine.used(by, since, until, step))
        if by == "department":
            usage = {group or "none": of_it for group, of_it in usage.items()}
        assert usage == grouped(recounted, key), by


@pytest.mark.parametrize("seed", range(3))
async def test_every_millisecond_of_random_histories_is_counted_for_whom_it_was(tmp_path: Path, seed: int) -> None:
    engine = Engine(tmp_path, seed, longest_pause_ms=2000)
    await engine.live(WORKLOADS // 3, parts=3)
    end = engine.histories.now_ms
    await compare(engine, START, end)
    await compare(engine, START, end, "minute")
    for _ in range(5):
        since = engine.random.randint(START, end)
        await compare(engine, since, engine.random.randint(since, end))


@pytest.mark.parametrize("seed", range(3))
async def test_sums_by_hours_and_days_are_exact_and_go_on_where_work_does(tmp_path: Path, seed: int) -> None:
    engine = Engine(tmp_path, seed, longest_pause_ms=2 * HOUR)
    for part in range(4):
        await engine.change_quotas()
        await live(engine.histories, range(part * 40, (part + 1) * 40), at_once=10, most_steps=15)
        await engine.accounting.sum_up(engine.histories.now_ms)
        await engine.restart()
        engine.histories.now_ms += 11 * DAY
    end = engine.histories.now_ms
    log_begins = (end - DAY) // HOUR * HOUR
    hours_begin = (end - 35 * DAY) // DAY * DAY
    await compare(engine, START, end)
    await compare(engine, START, end, "hour")
    await compare(engine, START, log_begins)
    await compare(engine, log_begins - 7 * HOUR, log_begins - 3 * HOUR)
    await compare(engine, log_begins - 7 * HOUR, end - 12_345)
    assert hours_begin > START + 3 * DAY
    await compare(engine, START + DAY, START + 3 * DAY, "day")


async def test_what_was_logged_is_cut_off_once_it_is_summed_up(tmp_path: Path) -> None:
    engine = Engine(tmp_path, 1, longest_pause_ms=HOUR)
    await engine.live(60, parts=1)
    with engine.histories.store.reading() as connection:
        before = connection.execute("SELECT COUNT(*) FROM holdings").fetchone()[0]
    engine.histories.now_ms += 3 * DAY
    await engine.accounting.sum_up(engine.histories.now_ms)
    with engine.histories.store.reading() as connection:
        after = connection.execute("SELECT COUNT(*) FROM holdings").fetchone()[0]
    going_on = {record.workload.id for record in engine.histories.book.live()}
    assert before > 60
    assert after <= len(going_on)
    await compare(engine, START, engine.histories.now_ms)


async def test_who_holds_longest_stays_within_the_quota_when_the_log_is_cut_off(tmp_path: Path) -> None:
    engine = Engine(tmp_path, 1, longest_pause_ms=1)
    await engine.open()
    quota = Projects(at=START, deserved={"vision": Deserved(quota_milli=1000)})
    holding = Holding(name="w", owner="ana", project="vision", shares=(Share(device="gpu-0", milli=1000),))
    begun = [Entry(at=START, workload="second", change=holding), Entry(at=START + 1, workload="first", change=holding)]
    await engine.histories.store.account(lambda connection: usage_log.append_projects(connection, quota))
    await engine.histories.store.account(lambda connection: usage_log.append(connection, begun))
    for days in (2, 3):
        engine.histories.now_ms = START + days * DAY
        await engine.accounting.sum_up(engine.histories.now_ms)
    usage = counted(await engine.used("workload", START, engine.histories.now_ms))
    assert "over_quota" not in usage["second"]
    assert usage["first"]["over_quota"] == usage["first"]["allocated"] == 1000 * (3 * DAY - 1)


@pytest.mark.parametrize("step", ["all", "day"])
async def test_beyond_the_workloads_with_most_all_others_are_one(tmp_path: Path, step: UsageStep) -> None:
    named = 30
    engine = Engine(tmp_path, 4, longest_pause_ms=2 * HOUR, most_groups=named)
    for part in range(3):
        await engine.change_quotas()
        await live(engine.histories, range(part * 40, (part + 1) * 40), at_once=10, most_steps=15)
        await engine.accounting.sum_up(engine.histories.now_ms)
        await engine.restart()
        engine.histories.now_ms += 15 * DAY
    await live(engine.histories, range(120, 160), at_once=10, most_steps=15)
    end = engine.histories.now_ms
    expected = grouped(recount(engine.witness, engine.quotas, START, end), lambda workload, device: workload)
    found = counted(await engine.used("workload", START, end, step))
    others = found.pop(OTHERS)
    assert len(found) == named
    assert found == {workload: expected.pop(workload) for workload in found}
    assert min(_much(of_it) for of_it in found.values()) >= max(_much(of_it) for of_it in expected.values())
    rest = grouped({(OTHERS, name): of_it for name, of_it in expected.items()}, lambda all_others, name: all_others)
    assert others == rest[OTHERS]


def _much(of_it: dict[str, int]) -> tuple[int, int]:
    return of_it.get("allocated", 0), of_it.get("waiting", 0)
