"""A usage as text."""

from __future__ import annotations

from jupyter_runai.reports.period import shown
from jupyter_runai.words.tables import Table
from scheduler_core.accounting.usage import Usage, UsageRow

_MOST_ROWS = 40


def heading(usage: Usage) -> str:
    """What a usage is about, and since when until when."""
    return f"Usage by {usage.by}, {shown(usage.since)} to {shown(usage.until)}"


def notes(usage: Usage) -> list[str]:
    """What one has to know to read the figures."""
    told = []
    if usage.namespace is not None:
        told.append(
            f"Only what ran in the namespace {usage.namespace}: the accounts of the others are not open to you."
        )
    if usage.simulated:
        told.append("Simulated devices: nothing of this was real.")
    if usage.unpriced:
        told.append(f"Without a price: {', '.join(usage.unpriced)}.")
    return told


def figures(usage: Usage) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """(header, rows), with the columns that tell something: hours of devices, unless the header says otherwise."""
    stepped, named = usage.step != "all", usage.by == "workload"
    energy = any(row.energy is not None for row in usage.rows)
    header = (
        *(("from",) if stepped else ()),
        usage.by,
        *(("owner", "project") if named else ()),
        "allocated",
        "used",
        "idle",
        "over quota",
        "waiting (h)",
        "preempted",
        *(("kWh",) if energy else ()),
        *((usage.currency,) if usage.currency else ()),
    )
    rows = [
        (
            *((shown(row.at),) if stepped else ()),
            row.name,
            *((row.owner, row.project) if named else ()),
            f"{row.allocated_gpu_hours:.2f}",
            _of_allocated(row, row.used_gpu_hours),
            _of_allocated(row, row.idle_gpu_hours),
            f"{row.over_quota_gpu_hours:.2f}",
            f"{row.waiting_hours:.2f}",
            str(row.preemptions),
            *(("-" if row.energy_kwh is None else f"{row.energy_kwh:.2f}",) if energy else ()),
            *(("-" if row.cost is None else f"{row.cost:,.2f}",) if usage.currency else ()),
        )
        for row in usage.rows
    ]
    return header, rows


def text(usage: Usage) -> str:
    """The parts below one another."""
    return "\n".join(part if isinstance(part, str) else part.text for part in parts(usage))


def parts(usage: Usage) -> list[str | Table]:
    """A heading, a table in hours of devices, and notes."""
    if not usage.rows:
        return [f"{heading(usage)}: nothing.", *notes(usage)]
    header, rows = figures(usage)
    left_out = len(rows) - _MOST_ROWS
    more = [f"{left_out} more: jupyter runai report --by {usage.by} --format csv"] if left_out > 0 else []
    return [f"{heading(usage)}, in GPU-hours", Table(header, tuple(rows[:_MOST_ROWS])), *more, *notes(usage)]


def _of_allocated(row: UsageRow, hours: float) -> str:
    """Hours, and their part of what was allocated; - where nothing was measured."""
    if not row.measured:
        return "-"
    return f"{hours:.2f} ({hours / row.allocated_gpu_hours:.0%})"
