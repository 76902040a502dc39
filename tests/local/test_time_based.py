"""Time-based fair share: who held most lately gets less of what is beyond quotas, and is told why."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from jupyter_runai.verbs.line import run_verb
from jupyter_runai.verbs.options import verb_parsers
from scheduler_core.accounting.amounts import DAY_MS
from scheduler_core.accounting.holding import Entry, Holding, Share
from scheduler_core.accounts import usage_log
from scheduler_core.local.access.settings import Settings
from scheduler_core.local.durable.store import Store
from scheduler_core.workload import QueueStatus
from tests.conftest import SIMULATED
from tests.helpers import UNTIL_STOPPED, running, spec, until, waits

PROJECTS = (
    '[departments.research]\n[projects.vision]\ndepartment = "research"\n[projects.nlp]\ndepartment = "research"\n'
)


def hold(since_ms: int, until_ms: int, devices: int, project: str = "vision") -> list[Entry]:
    """A workload that held so many devices."""
    shares = tuple(Share(device=f"old-{index}", index=index, milli=1000) for index in range(devices))
    back = tuple(Share(device=share.device, index=share.index, milli=-1000) for share in shares)
    held = Holding(name="old", owner="ana", project=project)
    return [
        Entry(
            at=at,
            workload=f"old-{project}",
            change=Holding(name=held.name, owner=held.owner, project=project, shares=of),
        )
        for at, of in ((since_ms, shares), (until_ms, back))
    ]


def write_past(directory: Path, projects: str, entries: Iterable[Entry]) -> None:
    settings = Settings(simulate=SIMULATED)
    settings.write(directory)
    (directory / "projects.toml").write_text(projects)
    folder = settings.folder(directory)
    folder.mkdir(mode=0o700)
    store = Store(folder / "store.sqlite")
    asyncio.run(store.account(lambda connection: usage_log.append(connection, entries)))
    store.close()


def queue(client: Client, name: str) -> QueueStatus:
    """A queue once the engine has planned."""
    (only,) = [known for known in client.queues() if known.name == name]
    return only


def blocked(client: Client) -> None:
    """Both projects ask for all devices."""
    for name in ("nlp", "vision"):
        client.submit(spec(UNTIL_STOPPED, gpu=1, tasks=2, gang=False, name=f"of-{name}", queue=name, grace_s=0))


def shares(client: Client) -> dict[str, float | None]:
    """The fair shares once both ask for both devices."""
    while True:
        found = {known.name: known for known in client.queues()}
        if all(name in found and found[name].requested == 2 for name in ("vision", "nlp")):
            return {name: found[name].fair_share for name in ("vision", "nlp")}


def test_who_held_all_lately_gets_nothing_beyond_its_quota_and_is_told_why(engine_directory: Path) -> None:
    now = round(time.time() * 1000)
    write_past(engine_directory, PROJECTS, hold(now - 2 * DAY_MS, now, 2))
    client = Client()
    blocked(client)
    # Off by default: the past does not count.
    assert shares(client) == {"vision": 1, "nlp": 1}
    assert queue(client, "vision").past_use is None
    (engine_directory / "projects.toml").write_text(PROJECTS + "[time_based_fair_share]\nk = 1\n")
    while queue(client, "vision").fair_share:
        pass
    assert shares(client) == {"vision": 0, "nlp": 2}
    workload = next(known for known in client.list() if known.name == "of-vision")
    until(client, workload.id, waits)
    told = run_verb(client, "explain", verb_parsers("%runai")["explain"].parse(["of-vision"]))
    assert re.search(r"past use +project vision held \d+% of all devices over the last 7d: weighs 1; ", told)
    assert re.search(
        r"vision +\S+ +2 +0 +0 +\d+%", run_verb(client, "queues", verb_parsers("%runai")["queues"].parse([]))
    )
    client.close()


@pytest.mark.parametrize(
    ("said", "part"), [('window = "7d"', 3 / 8), ('window = "2d"', 1 / 4), ('half_life = "1d"', 7 / 30)]
)
def test_the_past_counts_as_far_and_as_much_as_is_said(engine_directory: Path, said: str, part: float) -> None:
    now = round(time.time() * 1000)
    entries = hold(now - 4 * DAY_MS, now - DAY_MS, 1)
    write_past(engine_directory, f"{PROJECTS}[time_based_fair_share]\n{said}\n", entries)
    client = Client()
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.1", queue="nlp", grace_s=0))
    until(client, workload.id, running)
    past = queue(client, "vision").past_use
    assert past is not None and past.part == pytest.approx(part, rel=1e-3)
    assert queue(client, "research").past_use == past
    nothing = queue(client, "nlp").past_use
    assert nothing is not None and nothing.part == pytest.approx(0, abs=1e-3)
    client.close()
