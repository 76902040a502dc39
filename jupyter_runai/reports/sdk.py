"""`runai.usage(...)`."""

from __future__ import annotations

import time
from datetime import datetime

from jupyter_runai.client import shared_client
from jupyter_runai.reports.period import moment
from jupyter_runai.reports.table import UsageTable
from scheduler_core.accounting.usage import UsageBy, UsageStep
from scheduler_core.errors import InvalidRequest


def usage(
    by: UsageBy = "project",
    since: str | float | datetime = "7d",
    until: str | float | datetime | None = None,
    step: UsageStep = "all",
) -> UsageTable:
    """Who used what in [since, until), in all or by steps; without `until` up to now.

    Moments are written like 7d (ago), 2026-11-01 or 2026-11-01T09:30, or are datetimes or seconds since the epoch.

    Raises:
        InvalidRequest: no such grouping, step or moment.
    """
    now = time.time()
    end = None if until is None else _seconds(until, now)
    return UsageTable(shared_client().usage(by, _seconds(since, now), end, step))


def _seconds(given: str | float | datetime, now: float) -> float:
    if isinstance(given, datetime):
        return given.timestamp()
    if not isinstance(given, str):
        return float(given)
    try:
        return moment(given, now)
    except ValueError as error:
        raise InvalidRequest(f"{error}.".capitalize()) from None
