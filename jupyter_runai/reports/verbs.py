"""`%runai usage` and `jupyter runai report`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from jupyter_runai.client import Client
from jupyter_runai.reports import queues
from jupyter_runai.reports.steps import steps_of
from jupyter_runai.reports.table import UsageTable
from jupyter_runai.reports.text import parts, text
from jupyter_runai.verbs.answer import Answer
from scheduler_core.errors import InvalidRequest


def usage(client: Client, options: Namespace) -> Answer:
    """Who used what."""
    found = client.usage(options.by, options.since, options.until, options.step)
    return Answer.of(found, *parts(found))


def report(client: Client, options: Namespace) -> Answer:
    """The same as a text of this format, or where it was written to."""
    kind = _format(options)
    found = UsageTable(client.usage(options.by, options.since, options.until, options.step))
    if kind == "parquet" and options.output is None:
        raise InvalidRequest("A Parquet file is not for the screen.", "Say where to write it: --output usage.parquet")
    content = _content(client, found, kind)
    if options.output is None:
        return Answer(content.decode().removesuffix("\n"), found.usage)
    try:
        Path(options.output).write_bytes(content)
    except OSError as error:
        raise InvalidRequest(f"{options.output} cannot be written: {error.strerror}.") from None
    return Answer(f"Written to {options.output}.", found.usage)


def _format(options: Namespace) -> str:
    """As asked, else as the name of the file says, else a table."""
    suffix = "" if options.output is None else Path(options.output).suffix.removeprefix(".")
    known = {"csv": "csv", "parquet": "parquet", "html": "html", "htm": "html"}
    return options.format or known.get(suffix, "table")


def _content(client: Client, found: UsageTable, kind: str) -> bytes:
    if kind == "parquet":
        return found.parquet()
    if kind == "csv":
        return found.csv().encode()
    usage = found.usage
    if kind == "html":
        begin, step = steps_of(usage)
        over_time = client.usage(usage.by, begin, usage.until, step)
        return found.html(over_time, client.queue_history(begin, usage.until, step)).encode()
    told = [text(usage)]
    if usage.by == "project" and usage.step == "all":
        told.append(queues.text(client.queue_history(usage.since, usage.until), usage))
    return "\n\n".join(filter(None, told)).encode() + b"\n"
