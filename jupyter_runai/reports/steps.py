"""By which steps a usage is shown over time."""

from __future__ import annotations

from scheduler_core.accounting.usage import Usage, UsageStep

_BY_HOURS_S = 4 * 86400.0


def steps_of(usage: Usage) -> tuple[float, UsageStep]:
    """From when on (seconds since the epoch), and by steps of which a page can show one beside the other."""
    begin = max(usage.since, min((row.at for row in usage.rows), default=usage.since))
    return begin, "hour" if usage.until - usage.since <= _BY_HOURS_S else "day"
