"""`%runai audit` and `jupyter runai audit`: who did what, and when."""

from __future__ import annotations

import re
from argparse import Namespace
from datetime import datetime
from typing import get_args

from jupyter_runai.client import Client
from jupyter_runai.reports.period import EXAMPLES
from jupyter_runai.verbs.answer import Answer
from jupyter_runai.verbs.option_types import past_moment
from jupyter_runai.verbs.parser import Parser
from jupyter_runai.words.tables import Table
from scheduler_core.audit import AuditAction, AuditEntry, AuditQuery

_MOST_SHOWN = 100
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def add_options(parser: Parser) -> None:
    """Which entries are asked for."""
    when = f"such as {EXAMPLES}"
    parser.add_argument("--from", dest="since", type=past_moment, default="7d", metavar="TIME", help=when)
    parser.add_argument("--to", dest="until", type=past_moment, metavar="TIME", help="up to then; now")
    parser.add_argument("--user", metavar="NAME", help="who did it; (engine) where nobody asked for it")
    parser.add_argument("--workload", metavar="NAME", help="to which workload, or for its sake: its name or id")
    parser.add_argument("-p", "--project", metavar="NAME", help="to work of which project")
    parser.add_argument("--action", choices=get_args(AuditAction), help="what was done")


def audit(client: Client, options: Namespace) -> Answer:
    """The newest for people, all that is asked for as JSON lines."""
    asked = AuditQuery(
        since=options.since,
        until=options.until,
        user=options.user,
        workload=options.workload,
        project=options.project,
        action=options.action,
        newest_first=not options.json,
    )
    entries = client.audit(asked)
    if options.json:
        return Answer("", entries, as_lines=True)
    newest = [entry for entry, _ in zip(entries, range(_MOST_SHOWN + 1), strict=False)]
    return Answer.of(newest, *_parts(newest, options.prefix))


def _parts(newest: list[AuditEntry], prefix: str) -> list[str | Table]:
    if not newest:
        return ["Nothing of that kind was done, as far as you may see."]
    shown = newest[:_MOST_SHOWN][::-1]
    rows = tuple((_moment(entry.at), entry.user, entry.action, _object(entry), _told(entry)) for entry in shown)
    lines: list[str | Table] = [Table(("when", "who", "did", "to", ""), rows)]
    if len(newest) > _MOST_SHOWN:
        lines.insert(0, f"The newest {_MOST_SHOWN}; all of them: {prefix} audit --json, with the same options")
    return lines


def _object(entry: AuditEntry) -> str:
    return f"{entry.name} ({entry.owner}, {entry.project})" if entry.name else entry.project or "-"


def _told(entry: AuditEntry) -> str:
    sake = f"for {entry.for_name} ({entry.for_owner}, {entry.for_project})" if entry.for_name else ""
    told = "; ".join(filter(None, (sake, entry.detail)))
    return _UNPRINTABLE.sub(" ", told)


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"
