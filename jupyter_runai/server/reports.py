"""Reports over REST, as files to save."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from datetime import date

from jupyter_runai.reports.period import WEEK_S
from jupyter_runai.reports.steps import steps_of
from jupyter_runai.reports.table import UsageTable
from jupyter_runai.server import wire
from jupyter_runai.server.verbs import Context
from scheduler_core.accounting.usage import Usage


async def report_csv(context: Context, query: wire.Reported) -> wire.TextStream:
    """Who used what as a table of hours, to save as a file."""
    return _file(UsageTable(await _reported(context, query)).csv(), query, "csv")


async def report_html(context: Context, query: wire.Reported) -> wire.TextStream:
    """Who used what as a page that needs nothing else, to save as a file."""
    found = await _reported(context, query)
    begin, step = steps_of(found)
    over_time = await context.engine.usage(found.by, begin, found.until, step)
    history = await context.engine.queue_history(begin, found.until, step)
    return _file(UsageTable(found).html(over_time, history), query, "html")


async def _reported(context: Context, asked: wire.Reported) -> Usage:
    since = max(0.0, time.time() - WEEK_S) if asked.since is None else asked.since
    return await context.engine.usage(asked.by, since, asked.until)


def _file(content: str, asked: wire.Reported, suffix: str) -> wire.TextStream:
    return wire.TextStream(_pieces(content), saved_as=f"gpu-usage-by-{asked.by}-{date.today()}.{suffix}")


async def _pieces(content: str) -> AsyncGenerator[bytes, None]:
    yield content.encode()
