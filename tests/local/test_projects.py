"""Projects and their quotas: what the file may say, and what it does to work."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path

import pytest

from jupyter_runai.client import Client
from scheduler_core.errors import EngineUnavailable, InvalidRequest, NotAllowed, RunaiError
from scheduler_core.local import LocalEngine
from scheduler_core.local.access.projects import BadProjects, parse_projects
from scheduler_core.workload import EngineState
from tests.helpers import UNTIL_STOPPED, running, spec, until, waits

TWO = """
[projects.vision]
quota = 1

[projects.nlp]
quota = 1
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[projects.a", "projects.toml is not TOML: Expected ']' at the end of a table declaration"),
        ("", "projects.toml names no project: write a [projects.NAME]."),
        ("[projects]\n", "projects.toml names no project"),
        ("quota = 1\n[projects.a]\n", "line 1: 'quota' is no setting; there are default_project, departments"),
        ("projects = 3\n", "line 1: 'projects' holds tables: write [projects.NAME]."),
        ("[projects]\na = 1\n", "line 2: 'a' is a table: write [projects.a]."),
        ("[projects.A]\n", "line 1: a name has lower-case letters, digits and '-', at most 63, not 'A'."),
        ("[projects.a]\n\nquotas = 1\n", "line 3: 'quotas' is no setting; did you mean quota?"),
        ("[projects.a]\nquota = -1\n", "line 2: quota: expected `float` >= 0.0."),
        ("[projects.a]\nquota = nan\n", "line 2: quota: expected `float` >= 0.0."),
        ("[projects.a]\nlimit = 'all'\n", "line 2: limit: expected `float | null`, got `str`."),
        ("[projects.a]\nquota = 'all'\n", """line 2: quota: a number of devices, or "unlimited", not 'all'."""),
        ("[projects.a]\nusers = 'ana'\n", "line 2: users: expected `array | null`, got `str`."),
        ("[projects.a]\nusers = [1]\n", "line 2: users: expected `str`, got `int`."),
        ("[projects.a]\ndepartment = 'b'\n", "line 2: there is no department 'b'."),
        ("[departments.a]\n[projects.a]\n", "line 2: 'a' is a department and a project."),
        ("default_project = 'b'\n[projects.a]\n", "line 1: there is no project 'b'."),
        ("default_project = []\n[projects.a]\n", "line 1: there is no project []."),
        ("[projects.a]\n[time_based_fair_share]\nk = -1\n", "line 3: k: expected `float` >= 0.0."),
        ("[projects.a]\n[time_based_fair_share]\nwindow = 'soon'\n", "line 3: window: a time is written like 30s"),
        ("[projects.a]\n[time_based_fair_share]\nhalf = 2\n", "line 3: 'half' is no setting; did you mean half_life?"),
        ("time_based_fair_share = 1\n[projects.a]\n", "line 1: 'time_based_fair_share' is a table"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(BadProjects) as refused:
        parse_projects(text)
    assert message in refused.value.message


def test_the_tree_is_as_it_was_written() -> None:
    found = parse_projects(
        """
        [departments.research]
        quota = 4
        [projects.vision]
        department = "research"
        quota = "unlimited"
        limit = 3.5
        weight = 2
        cpu_limit = 1.5
        memory_limit_gib = 2
        reclaim_min_runtime_s = 60
        """
    )
    research, vision = found.queues
    assert (research.name, research.parent, research.gpu.quota) == ("research", None, 4)
    assert (vision.name, vision.parent) == ("vision", "research")
    assert (vision.gpu.quota, vision.gpu.limit, vision.gpu.weight) == (None, 3.5, 2)
    assert (vision.cpu_milli.limit, vision.memory_mib.limit, vision.reclaim_min_runtime_s) == (1500, 2048, 60)
    assert found.default == "vision"


@pytest.fixture
def file(simulated: Path) -> Path:
    """The engine's file of projects: two, with a quota of one device each."""
    path = simulated / "projects.toml"
    path.write_text(TWO)
    return path


def test_a_project_takes_back_its_share(file: Path, client: Client) -> None:
    borrowed = [client.submit(spec(UNTIL_STOPPED, gpu=1, queue="vision", grace_s=0)) for _ in range(2)]
    for workload in borrowed:
        until(client, workload.id, running)
    owed = client.submit(spec(UNTIL_STOPPED, gpu=1, queue="nlp"))
    until(client, owed.id, running)
    evicted = until(client, borrowed[1].id, waits)
    assert evicted.reason.startswith("reclaim: ")
    assert client.list()[0].state == "running"
    assert [(queue.name, queue.quota, queue.allocated) for queue in client.queues()] == [
        ("nlp", 1, 1),
        ("vision", 1, 1),
    ]


@pytest.mark.parametrize(
    ("queue", "error", "message"),
    [
        ("speech", InvalidRequest, "There is no project 'speech'. This engine has: nlp, vision."),
        ("default", InvalidRequest, "The submission names no project, and there is no default."),
    ],
)
def test_a_project_that_is_not_there_is_refused(
    file: Path, client: Client, queue: str, error: type[RunaiError], message: str
) -> None:
    for attempt in (client.submit, client.preview):
        with pytest.raises(error, match=message):
            attempt(spec(queue=queue))
    assert client.list() == ()


def test_a_project_is_its_members_alone(file: Path, client: Client) -> None:
    file.write_text('[projects.mine]\n[projects.theirs]\nusers = ["somebody-else"]\n')
    assert client.submit(spec(queue="mine")).queue == "mine"
    with pytest.raises(
        NotAllowed, match=rf"{getpass.getuser()} may not submit to project theirs: .* Choose one of: mine\."
    ):
        client.submit(spec(queue="theirs"))


def test_what_is_written_later_holds_without_a_restart(file: Path, client: Client) -> None:
    workload = client.submit(spec(UNTIL_STOPPED, gpu=2, queue="vision", priority=100))
    until(client, workload.id, waits)
    file.write_text(TWO.replace("quota = 1", "quota = 2", 1))
    assert until(client, workload.id, running).queue == "vision"


async def notice_of_projects() -> str:
    """Wait until the engine says something of its file of projects."""
    async for event in LocalEngine().watch():
        if isinstance(event, EngineState) and "projects.toml" in event.info.notice:
            return event.info.notice
    raise AssertionError("the stream has ended")


def test_what_is_not_valid_changes_nothing_and_is_told(file: Path, client: Client) -> None:
    pid = client.info().pid
    file.write_text("[projects.vision]\nquota = none\n")
    assert "projects.toml is not TOML" in asyncio.run(notice_of_projects())
    assert {queue.name for queue in client.queues()} <= {"vision", "nlp"}
    assert client.submit(spec(queue="nlp")).queue == "nlp"
    assert client.info().pid == pid


def test_an_engine_does_not_start_without_knowing_its_projects(file: Path, client: Client) -> None:
    file.write_text("[projects.vision]\nquota = -1\n")
    with pytest.raises(EngineUnavailable, match="line 2: quota"):
        client.info()
