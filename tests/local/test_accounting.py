"""What an engine with real processes counts, whatever becomes of its daemon."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from scheduler_core.accounting.prices import Prices
from scheduler_core.accounting.usage import UsageBy, UsageRow
from scheduler_core.errors import EngineUnavailable, InvalidRequest
from scheduler_core.local import LocalEngine
from scheduler_core.local.access.settings import Settings
from tests.conftest import SIMULATED
from tests.driver import GIB, Driver
from tests.helpers import UNTIL_STOPPED, kill_daemon, outcome, running, spec, until
from tests.local.older import made_older

UNTIL_PID = "import os, signal; print(os.getpid(), flush=True); signal.pause()"


def used(
    client: Client, group: str, by: UsageBy = "workload", since: float = 0.0, end: float | None = None
) -> UsageRow:
    return next(row for row in client.usage(by, since, end).rows if row.group == group)


def test_a_killed_daemon_costs_nobody_a_millisecond(client: Client) -> None:
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.5", grace_s=1))
    until(client, workload.id, running)
    begin = time.time()
    kill_daemon(client)
    again = Client()
    until(again, workload.id, running)
    end = time.time()
    row = used(again, workload.id, since=begin, end=end)
    assert row.allocated == 500 * (round(end * 1000) - round(begin * 1000))
    again.close()


def test_what_ends_while_no_daemon_is_there_is_counted_up_to_its_end(
    client: Client, simulated: Path, tmp_path: Path
) -> None:
    file = tmp_path / "end"
    code = f"import pathlib, time\nwhile not pathlib.Path({str(file)!r}).exists(): time.sleep(0.01)"
    workload = client.submit(spec(code, gpu="0.5"))
    begun = until(client, workload.id, running)
    seen = time.time()
    kill_daemon(client)
    file.touch()
    while not list((simulated / "simulated" / "workloads" / workload.id).rglob("ended")):
        pass
    restarted = time.time()
    again = Client()
    ended, _ = outcome(again, workload.id)
    assert ended.ended is not None and begun.started is not None
    assert ended.ended <= restarted
    row = used(again, workload.id)
    end_ms = round(ended.ended * 1000)
    assert 500 * (end_ms - round(seen * 1000)) <= row.allocated <= 500 * (end_ms - int(begun.started * 1000))
    again.close()


def test_what_has_ended_counts_no_more_while_its_end_is_being_written_down(
    client: Client, simulated: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "end")
    workload = client.submit(spec(f"print('up'); open({str(tmp_path / 'end')!r}).read()", gpu="0.5"))
    until(client, workload.id, running)
    client.submit(spec())  # What is written down one after the other is now written up to here.
    with closing(sqlite3.connect(simulated / "simulated" / "store.sqlite", isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        (tmp_path / "end").write_text("")
        until(client, workload.id, lambda shown: shown.has_ended)
        with ThreadPoolExecutor() as beside:
            asked = beside.submit(used, Client(), workload.id)
            for _ in range(20):
                client.info()
            store.execute("ROLLBACK")
            first = asked.result()
    assert first.allocated == used(client, workload.id).allocated


def test_what_is_beyond_a_projects_quota_is_told_apart_and_belongs_to_its_department(simulated: Path) -> None:
    (simulated / "projects.toml").write_text(
        '[departments.research]\nquota = 1\n[projects.vision]\ndepartment = "research"\nquota = 0.25\n'
    )
    client = Client()
    workload = client.submit(spec(UNTIL_STOPPED, gpu=1, grace_s=1))
    until(client, workload.id, running)
    client.stop(workload.id)
    outcome(client, workload.id)
    row = used(client, "research", "department")
    assert row.allocated > 0
    assert row.over_quota * 4 == row.allocated * 3
    assert used(client, "vision", "project").over_quota == row.over_quota
    client.close()


def test_of_what_is_measured_a_part_is_used_and_energy_goes_by_shares(on_devices: Client, driver: Driver) -> None:
    client = on_devices
    workload = client.submit(spec(UNTIL_PID, gpu="0.5", grace_s=1))
    pid = int(next(update for update in client.follow(workload.id) if isinstance(update, bytes)))
    driver.process(0, pid, GIB)
    millijoules = 1000
    while True:
        millijoules += 100_000
        lines = [line for line in driver.path.read_text().splitlines() if not line.startswith(("energy", "busy"))]
        driver.write("\n".join([*lines, f"busy 0 {pid} 20", f"energy 0 {millijoules}", ""]))
        row = used(client, workload.id)
        if row.used and row.energy:
            break
    client.stop(workload.id)
    outcome(client, workload.id)
    row = used(client, workload.id)
    assert 0 < row.used <= row.measured <= row.allocated
    assert row.idle + row.used == row.measured
    assert row.energy is not None and 0 < row.energy <= millijoules / 2
    assert used(client, "GPU-aaaa", "device").energy == row.energy


def test_simulated_devices_tell_no_energy(client: Client) -> None:
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.5", grace_s=1))
    until(client, workload.id, running)
    while not used(client, workload.id).used:
        pass
    assert used(client, workload.id).energy is None
    assert client.usage().simulated


def test_hours_cost_what_the_settings_say(engine_directory: Path) -> None:
    Settings(simulate=SIMULATED, prices=Prices(currency="EUR", per_gpu_hour={"A100 80GB": 36})).write(engine_directory)
    client = Client()
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.5", grace_s=1))
    until(client, workload.id, running)
    client.stop(workload.id)
    outcome(client, workload.id)
    usage = client.usage("workload")
    assert (usage.currency, usage.unpriced) == ("EUR", ())
    (row,) = usage.rows
    assert row.cost == pytest.approx(row.allocated_gpu_hours * 36)
    client.close()


def test_who_has_gone_is_remembered(client: Client) -> None:
    workload = client.submit(spec("pass", gpu="0.5"))
    outcome(client, workload.id)
    before = used(client, workload.id)
    client.delete(workload.id, purge=True)
    assert used(client, workload.id) == before


def test_a_store_from_before_there_were_accounts_counts_from_its_upgrade_on(client: Client, simulated: Path) -> None:
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.5", grace_s=1))
    until(client, workload.id, running)
    asyncio.run(LocalEngine().shutdown())
    made_older(simulated / "simulated" / "store.sqlite", 3)
    upgraded = time.time()
    again = Client()
    while not used(again, workload.id).allocated:
        pass
    assert again.usage("workload", until=upgraded).rows == ()
    again.close()


def test_damage_in_the_sums_of_years_ends_reports_and_nothing_else(client: Client, simulated: Path) -> None:
    workload = client.submit(spec("pass", gpu="0.5"))
    outcome(client, workload.id)
    asyncio.run(LocalEngine().shutdown())
    path = simulated / "simulated" / "store.sqlite"
    with closing(sqlite3.connect(path)) as store:
        (page,) = store.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'usage'").fetchone()
        (size,) = store.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    again = Client()
    assert [known.id for known in again.list()] == [workload.id]
    with pytest.raises(EngineUnavailable, match="cannot be read"):
        again.usage()
    again.close()


def test_what_cannot_be_asked_is_refused(client: Client) -> None:
    for refused in (
        lambda: client.usage("colour"),  # type: ignore[arg-type]
        lambda: client.usage(step="year"),  # type: ignore[arg-type]
        lambda: client.usage(since=float("nan")),
        lambda: client.usage(since=2.0, until=1.0),
        lambda: client.usage(step="minute"),
    ):
        with pytest.raises(InvalidRequest):
            refused()
