"""What `%runai policy ...`, `%runai snooze` and the lists of templates and environments say."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path
from typing import get_args

from msgspec.structs import asdict

from jupyter_runai.client import Client
from jupyter_runai.verbs.answer import Answer
from jupyter_runai.words.figures import elapsed
from jupyter_runai.words.tables import Table
from scheduler_core.errors import InvalidRequest, NotAllowed
from scheduler_core.policies.clauses import Hit, PolicyClauses
from scheduler_core.policies.templates import Template
from scheduler_core.quantities import time_text
from scheduler_core.workload import Kind, Workload

_KINDS: tuple[Kind, ...] = get_args(Kind)
_DONE = {"release": "release its devices", "suspend": "suspend it", "stop": "stop it"}
_NOTHING = "Nothing is restricted."


def show(client: Client, options: Namespace) -> Answer:
    """What holds in each project of one's own."""
    queues = client.queues()
    departments = {queue.parent for queue in queues}
    found = []
    for name in (queue.name for queue in queues if queue.name not in departments):
        try:
            found += _policies(client, name, options.kind)
        except NotAllowed:
            # Somebody else's project: what holds there is theirs to look at.
            continue
    return Answer("\n\n".join(filter(None, _texts(found))) or _NOTHING, found)


def explain(client: Client, options: Namespace) -> Answer:
    """What holds in one project."""
    found = _policies(client, options.project, options.kind)
    return Answer("\n\n".join(filter(None, _texts(found))) or _NOTHING, found)


def check(client: Client, options: Namespace) -> Answer:
    """Whom a file would hit.

    Raises:
        InvalidRequest: it cannot be read, or says what cannot be.
    """
    try:
        text = Path(options.file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{options.file} cannot be read: {error}.") from None
    found = client.check_policies(text)
    if not found.hits:
        return Answer("The file is valid, and no workload breaks it now.", found)
    now = time.time()
    rows = [(hit.name, hit.owner, hit.project, hit.message, _then(hit, now)) for hit in found.hits]
    head = f"The file is valid. It hits {len(rows)} workload{'s' if len(rows) > 1 else ''}:"
    return Answer.of(found, head, Table(("name", "owner", "project", "because", "then"), tuple(rows)))


def snooze(client: Client, options: Namespace) -> Answer:
    """Put off what is to become of an idle workload."""
    workload = client.snooze(client.find(options.workload).id)
    notice = workload.notice
    left = "" if notice is None or notice.acts_at is None else f" for {elapsed(notice.acts_at - time.time())}"
    return Answer(f"{workload.name} is left alone{left}, as if it had been used now. That can be done once.", workload)


def templates(client: Client, options: Namespace) -> Answer:
    """The templates there are."""
    found = client.catalog().templates
    rows = [(one.name, _parts(one)) for one in found]
    return Answer.of(found, Table(("template", "stands for"), tuple(rows)) if rows else "There is no template.")


def environments(client: Client, options: Namespace) -> Answer:
    """The environments there are."""
    found = client.catalog().environments
    rows = [(one.name, one.python or "-", one.folder or "-", ", ".join(one.packages) or "-") for one in found]
    header = ("environment", "python", "folder", "packages")
    return Answer.of(found, Table(header, tuple(rows)) if rows else "There is no environment.")


def notice_words(workload: Workload, now: float) -> str:
    """What a rule has to say to a workload's owner, and what follows when; empty for nothing."""
    notice = workload.notice
    if notice is None or notice.acts_at is None:
        return "" if notice is None else f"{notice.message}."
    once = f" Put it off once: %runai snooze {workload.name}" if notice.can_snooze else ""
    return f"{notice.message}. In {elapsed(notice.acts_at - now)} the rule is to {_DONE[notice.action]}.{once}"


def _policies(client: Client, project: str, kind: Kind | None) -> list[PolicyClauses]:
    """Of each kind; those that say the same as the first once."""
    return [client.policy(project, one) for one in (_KINDS if kind is None else (kind,))]


def _texts(found: list[PolicyClauses]) -> list[str]:
    """A paragraph for each project and the kinds for which the same holds."""
    same: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for policy in found:
        lines = tuple(clause.sentence for clause in policy.clauses)
        same.setdefault((policy.project, lines), []).append(policy.kind)
    return [
        "\n".join([f"{project}, {', '.join(kinds)}:", *(f"  {line}" for line in lines)]) if lines else ""
        for (project, lines), kinds in same.items()
    ]


def _then(hit: Hit, now: float) -> str:
    when = "at once" if hit.acts_at is None or hit.acts_at <= now else f"in {time_text(round(hit.acts_at - now))}"
    return f"{when}: {_DONE[hit.action]}" + ("" if hit.is_new else " (as it is now)")


def _parts(template: Template) -> str:
    given = {name: value for name, value in asdict(template).items() if name != "name" and value is not None}
    if template.max_time is not None:
        given["max_time"] = time_text(template.max_time)
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in given.items())
