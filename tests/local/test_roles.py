"""What the roles of people in a project let them do, in a shared engine with its daemon."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from jupyter_runai.client import Client
from jupyter_runai.words.roles import roles_text
from scheduler_core.audit import AuditPage
from scheduler_core.errors import InvalidRequest, NotAllowed
from scheduler_core.local.access.projects import parse_projects
from scheduler_core.roles import Roles
from scheduler_core.workload import EngineInfo, Workload, WorkloadSpec
from tests.helpers import UNTIL_STOPPED, outcome, until_said
from tests.local.shared_engine import Shared
from tests.local.users import Answer, User

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="a shared engine takes root")

ANA, BEN = 64001, 64002
FILE = """
default_project = "vision"

[{table}.roles]
{role} = ["{ben}"]

[departments.research]

[projects.vision]
users = ["{ana}"]
department = "research"

[projects.nlp]
users = ["{ana}"]
"""
ROLES = ("none", "viewer", "researcher", "manager", "administrator")
TABLE = [
    # (what, whose work, who may of those with this role in its project)
    ("see", "own", ROLES),
    ("see", "other's", ROLES),
    ("submit", "own", ("researcher", "manager", "administrator")),
    ("read", "own", ROLES),
    ("read", "other's", ("viewer", "administrator")),
    ("audit", "own", ROLES),
    ("audit", "other's", ("viewer", "manager", "administrator")),
    ("decide", "own", ROLES),
    ("decide", "other's", ("manager", "administrator")),
]
CALLS: dict[str, Callable[[User, Workload], tuple[Any, ...]]] = {
    "see": lambda user, workload: ("get", workload.id),
    "submit": lambda user, workload: ("preview", user.spec(queue=workload.queue)),
    "read": lambda user, workload: ("logs", workload.id),
    "audit": lambda user, workload: ("audit", {"workload": workload.id, "action": "submit"}),
    "decide": lambda user, workload: ("suspend", workload.id),
}


def was_allowed(action: str, told: Answer) -> bool:
    """Whether it was; whoever may not read an audit log is told of nothing."""
    if told.error is not None:
        assert told.error.code == NotAllowed.code
        return False
    return action != "audit" or bool(msgspec.json.decode(told.answer, type=AuditPage).entries)


@pytest.mark.parametrize(
    ("role", "place"), [*((role, "projects.vision") for role in ROLES), ("manager", "departments.research")]
)
def test_the_table(configured: Shared, users: tuple[User, User], role: str, place: str) -> None:
    ana, ben = users
    text = FILE.format(table=place, role=role, ana=ANA, ben=BEN)
    everybody = text.replace(f'[{place}.roles]\n{role} = ["{BEN}"]', "").replace(f'"{ANA}"', f'"{ANA}", "{BEN}"')
    configured.projects.write_text(everybody)
    configured.configure(f'projects = "{configured.projects}"')
    configured.start()
    client = Client()
    works = {
        (who, project): user.submit(UNTIL_STOPPED, queue=project)
        for who, user in (("own", ben), ("other's", ana))
        for project in ("vision", "nlp")
    }
    for workload in works.values():
        until_said(client, workload.id, "up")
    configured.projects.write_text(text if role != "none" else text.replace(f'none = ["{BEN}"]', ""))
    until_taken_over(ben, role)
    rows = [(action, whose, project) for action, whose, _ in TABLE for project in ("vision", "nlp")]
    told = ben.ask_all(*(CALLS[action](ben, works[whose, project]) for action, whose, project in rows))
    allowed = {row: was_allowed(row[0], answer) for row, answer in zip(rows, told, strict=True)}
    assert allowed == {
        (action, whose, project): (role if project == "vision" else "none") in roles
        for action, whose, roles in TABLE
        for project in ("vision", "nlp")
    }
    client.close()


def until_taken_over(user: User, role: str) -> None:
    roles = () if role == "none" else (role,)
    while (info := user.ask(EngineInfo, "info")).roles != {"vision": roles, "nlp": ()}:
        assert not info.notice


def test_a_refusal_names_the_role_that_it_takes_and_who_has_it(configured: Shared, users: tuple[User, User]) -> None:
    ana, ben = users
    configured.projects.write_text(
        f'[roles]\nadministrator = ["eva"]\n[projects.vision]\nusers = ["{ANA}"]\n'
        'roles.manager = ["dora"]\nroles.viewer = ["carl"]\n'
    )
    configured.configure(f'projects = "{configured.projects}"', 'administrators = ["games"]')
    configured.start()
    workload = ana.submit(UNTIL_STOPPED)
    for method, what, takes, who in (
        ("stop", "decide on it", "manager or administrator", "dora, eva, games, root"),
        ("logs", "read what it says", "viewer or administrator", "carl, eva, root"),
    ):
        with pytest.raises(NotAllowed) as refused:
            ben.ask(object, method, workload.id)
        assert refused.value.message == (
            f"{workload.name} is {ANA}'s: to {what} takes the role {takes} in project vision."
        )
        assert refused.value.hint == f"Ask {ANA}, or who may: {who}."
    with pytest.raises(NotAllowed) as refused:
        ben.submit()
    assert refused.value.message == (
        f"{BEN} may not submit to project vision: that takes the role researcher, manager or administrator there."
    )
    assert refused.value.hint == f"{ANA}, dora, eva may. Choose one of: none."


def test_who_may_read_sees_reports_and_no_environment(configured: Shared, users: tuple[User, User]) -> None:
    ana, ben = users
    configured.projects.write_text(f'[projects.all]\nroles.viewer = ["{BEN}"]\n')
    configured.configure(f'projects = "{configured.projects}"')
    configured.start()
    report = '{"error": {"type": "E", "message": "seen", "traceback": "t"}}'
    code = f"import os; open(os.environ['RUNAI_REPORT'], 'w').write({report!r}); raise SystemExit(1)"
    waiting = ana.submit(UNTIL_STOPPED, env={"SECRET": "x"})
    failed = ana.submit(code)
    client = Client()
    outcome(client, failed.id)
    seen = ben.ask(Workload, "get", failed.id).report
    assert seen is not None and seen.error is not None and seen.error.message == "seen"
    assert ana.ask(WorkloadSpec, "specification", waiting.id).env == {"SECRET": "x"}
    assert ben.ask(WorkloadSpec, "specification", waiting.id).env == {}
    client.close()


def test_whoami_says_the_roles(configured: Shared, users: tuple[User, User]) -> None:
    ana, ben = users
    configured.projects.write_text(f'[projects.all]\nroles.manager = ["{BEN}"]\n[projects.ben]\nusers = ["{BEN}"]\n')
    configured.configure(f'projects = "{configured.projects}"', f'administrators = ["{ANA}"]')
    configured.start()
    said: dict[Any, list[str]] = {user: roles_text(user.ask(EngineInfo, "info")) for user in users}
    assert said[ana] == [
        "In project all: researcher.",
        "In project ben: no role.",
        "Administrator of this engine.",
    ]
    assert said[ben] == ["In project all: researcher, manager.", "In project ben: researcher."]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("[projects.a]\n[projects.a.roles]\nvisitor = []\n", 2, "unknown field `visitor`"),
        ('[projects.a]\nroles.manager = "ana"\n', 2, "expected `array`"),
        ("[roles]\nviewer = [1]\n[projects.a]\n", 2, "expected `str`"),
        ("roles = 1\n[projects.a]\n", 1, "write \\[roles\\]"),
    ],
)
def test_what_is_not_valid_is_refused_with_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(InvalidRequest, match=f"line {line}: .*{why}"):
        parse_projects(text)


def test_roles_of_a_department_and_of_all_hold_below() -> None:
    projects = parse_projects(
        '[roles]\nviewer = ["v"]\n[departments.d.roles]\nmanager = ["m"]\n'
        '[projects.a]\ndepartment = "d"\nroles.researcher = ["r"]\nusers = ["u"]\n[projects.b]\n'
    )
    assert projects.roles == {
        "a": Roles(viewer=("v",), researcher=("r", "u"), manager=("m",)),
        "b": Roles(viewer=("v",)),
    }
    assert projects.users == {"a": ("r", "u", "m"), "b": None}
