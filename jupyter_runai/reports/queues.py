"""What queues deserved, got and held, and why work waited in them, as rows of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from jupyter_runai.reports.period import shown
from jupyter_runai.words.panel import cause
from jupyter_runai.words.tables import table
from scheduler_core.accounting.amounts import HOUR_MS
from scheduler_core.accounting.past import QueueHistory, QueueStep, together
from scheduler_core.accounting.usage import Usage

Figures: TypeAlias = tuple[tuple[str, ...], list[tuple[str, ...]]]
SHARES, CAUSES = "Quota, fair share and use, in devices on average", "Why work waited, in hours"


def since(history: QueueHistory) -> str:
    """From when on anything is known; in an engine from before this was kept less than was asked for."""
    return shown(min((row.at for row in history.rows), default=history.since))


def share_figures(history: QueueHistory, usage: Usage | None = None) -> Figures:
    """(header, rows) of queues; what they used stands there where `usage` is by project, in all."""
    used: Mapping[str, int] = {}
    if usage is not None and usage.by == "project" and usage.step == "all":
        used = {row.group: row.used for row in usage.rows}
    header = ("queue", "quota", "fair share", "held", *(("used",) if used else ()), "asked for")
    rows = [
        (
            step.queue if step.parent is None else f"{step.parent} / {step.queue}",
            _devices(step, step.quota),
            _devices(step, step.fair_share),
            _devices(step, step.allocated),
            *((_devices(step, used[step.queue]) if step.queue in used else "-",) if used else ()),
            _devices(step, step.requested),
        )
        for step in together(history)
    ]
    return header, rows


def cause_figures(history: QueueHistory) -> Figures:
    """(header, rows) of projects and causes, the longest first."""
    waits = [(waited, step.queue, code) for step in together(history) for code, waited in step.waits.items() if waited]
    rows: list[tuple[str, ...]] = [
        (queue, cause(code), f"{waited / HOUR_MS:.2f}") for waited, queue, code in sorted(waits, reverse=True)
    ]
    return ("project", "cause", "waited (h)"), rows


def text(history: QueueHistory, usage: Usage | None = None) -> str:
    """Both tables under their headings; empty where nothing is known."""
    if not history.rows:
        return ""
    parts = [f"{SHARES}, from {since(history)} on", table(*share_figures(history, usage))]
    header, causes = cause_figures(history)
    if causes:
        parts += ["", CAUSES, table(header, causes)]
    return "\n".join(parts)


def _devices(step: QueueStep, amount: int | None) -> str:
    devices = step.devices(amount)
    return "unlimited" if amount is None else "-" if devices is None else f"{devices:.2f}"
