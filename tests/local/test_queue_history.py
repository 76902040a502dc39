"""What is kept of queues: what they deserved, got and held, and why work waited in them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from jupyter_runai.client import Client
from scheduler_core.accounting.amounts import DAY_MS, HOUR_MS, MINUTE_MS
from scheduler_core.accounting.past import QueueHistory, QueueStep, added, together
from scheduler_core.accounts import queue_log
from scheduler_core.errors import InvalidRequest
from scheduler_core.local.durable.store import Store
from tests.helpers import UNTIL_STOPPED, running, shut_down, spec, until, waits

PROJECTS = """
[departments.research]
quota = 2
[projects.vision]
department = "research"
quota = 1.5
[projects.nlp]
department = "research"
quota = 0.5
limit = 0.5
"""


def history_when(client: Client, wanted: Callable[[dict[str, QueueStep]], bool]) -> dict[str, QueueStep]:
    """The queues over all time, once they are as wanted."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        seen = {row.queue: row for row in client.queue_history().rows}
        if wanted(seen):
            return seen
    raise AssertionError(f"not within a minute: {seen}")


@pytest.fixture
def projects(simulated: Path) -> None:
    (simulated / "projects.toml").write_text(PROJECTS)


def test_shares_and_causes_of_waits_are_kept_by_project(projects: None, client: Client) -> None:
    before = time.time()
    for name, project, gpu in (("holder", "vision", 1), ("first", "nlp", "0.5"), ("second", "nlp", "0.5")):
        workload = client.submit(spec(UNTIL_STOPPED, gpu=gpu, name=name, queue=project, grace_s=0))
        until(client, workload.id, waits if name == "second" else running)
    seen = history_when(client, lambda rows: "nlp" in rows and rows["nlp"].waits.get("over_limit", 0) > 0)
    nlp, vision = seen["nlp"], seen["vision"]
    assert (nlp.parent, vision.parent, seen["research"].parent) == ("research", "research", None)
    assert set(nlp.waits) <= {"over_limit", "waiting_turn"}
    assert vision.waits == {}
    assert nlp.devices(nlp.quota) == 0.5 and vision.devices(vision.quota) == 1.5
    assert nlp.allocated <= 500 * nlp.observed
    waited = next(row.waiting for row in client.usage("project").rows if row.group == "nlp")
    assert sum(nlp.waits.values()) <= waited + 2000
    hours = client.queue_history(since=before - 3600, step="hour").rows
    assert sum(row.observed for row in hours if row.queue == "nlp") >= nlp.observed
    # Its minute may have begun before it did.
    assert client.queue_history(since=before - 80, until=before - 61).rows == ()
    with pytest.raises(InvalidRequest):
        client.queue_history(since=before, until=before - 1)


def test_what_was_seen_is_still_there_after_the_engine_was_shut_down(projects: None, client: Client) -> None:
    blocked = client.submit(spec(UNTIL_STOPPED, gpu=1, name="blocked", queue="nlp", grace_s=0))
    until(client, blocked.id, waits)
    before = history_when(client, lambda rows: "nlp" in rows and sum(rows["nlp"].waits.values()) > 0)["nlp"]
    shut_down()
    after = history_when(client, lambda rows: "nlp" in rows)["nlp"]
    assert after.observed >= before.observed
    assert all(after.waits[code] >= waited for code, waited in before.waits.items())


def test_no_sum_changes_when_minutes_become_hours_and_days(tmp_path: Path) -> None:
    random, now = Random(5), 80 * DAY_MS + 5 * HOUR_MS
    steps = [
        QueueStep(
            at=(at - at % MINUTE_MS) / 1000,
            queue=random.choice(("vision", "nlp")),
            parent="research",
            observed=random.randrange(1, 60_000),
            quota=None if 50 * DAY_MS < at < 50 * DAY_MS + HOUR_MS else random.randrange(10**8),
            fair_share=random.randrange(10**8),
            allocated=random.randrange(10**8),
            requested=random.randrange(10**8),
            waits={random.choice(("over_limit", "no_node_fits")): random.randrange(10**6)},
        )
        for at in [random.randrange(now - 60 * DAY_MS, now) for _ in range(2000)] + [50 * DAY_MS + MINUTE_MS]
    ]
    store = Store(tmp_path / "store.sqlite")
    for part in (steps[::2], steps[1::2]):
        asyncio.run(store.account(lambda connection, part=part: queue_log.append(connection, part)))  # type: ignore[misc]
        asyncio.run(store.account(lambda connection: queue_log.thin(connection, now)))
    with store.reading() as connection:
        kept = queue_log.read(connection, 0, now, None)
        lengths = {step for (step,) in connection.execute("SELECT DISTINCT step FROM queue_shares")}
        days = connection.execute("SELECT COUNT(*) FROM queue_shares WHERE step = ?", (DAY_MS,)).fetchone()[0]
    store.close()
    history = QueueHistory(step="minute", since=0.0, until=now / 1000, rows=added(steps))
    assert kept == together(history)
    assert any(row.quota is None for row in kept)
    assert lengths == {MINUTE_MS, HOUR_MS, DAY_MS}
    assert 0 < days <= 2 * 26
