"""A usage as a page of its own: bars and a table, nothing to load, no script, light and dark."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from jupyter_runai.reports import queues, shares
from jupyter_runai.reports.bars import bars, columns, key
from jupyter_runai.reports.queues import Figures
from jupyter_runai.reports.text import figures, heading, notes
from scheduler_core.accounting.past import QueueHistory
from scheduler_core.accounting.usage import Usage

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #57606a; --line: #d0d7de;
  --used: #1a7f64; --idle: #d9822b; --unmeasured: #a7b0ba; --quota: #1b1f24; --fair: #8250df; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #14181d; --soft: #9aa6b2; --line: #363d46;
  --used: #3fb68b; --idle: #e5a04c; --unmeasured: #626c77;
  --quota: #e6edf3; --fair: #b392f0; } }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
dl { display: flex; flex-wrap: wrap; gap: 1.5rem; margin: 1.5rem 0; }
dt { color: var(--soft); } dd { margin: 0; font-size: 1.4rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; } th:first-child, td:first-child { text-align: left; }
div.wide { overflow-x: auto; } svg { width: 100%; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .scale { fill: var(--soft); }
.used { fill: var(--used); } .idle { fill: var(--idle); } .unmeasured { fill: var(--unmeasured); }
.held { fill: var(--unmeasured); } path { fill: none; stroke-width: 2; }
.quota { stroke: var(--quota); } .fair-share { stroke: var(--fair); stroke-dasharray: 6 3; }
h3 { font-size: 1rem; margin: 1rem 0 0; } p.note { color: var(--soft); } svg.key { width: auto; height: 1.2rem; }
"""
_MOST_BARS = 30
_MOST_QUEUES = 30


def page(usage: Usage, over_time: Usage | None = None, history: QueueHistory | None = None) -> str:
    """The whole page; `over_time` has the same by steps, `history` what queues had by such steps."""
    title = escape(heading(usage))
    parts = [f"<h1>{title}</h1>", *(f'<p class="note">{escape(note)}</p>' for note in notes(usage))]
    if usage.rows:
        parts += [_totals(usage), "<h2>GPU-hours</h2>", key(), bars(usage.rows[:_MOST_BARS])]
        if over_time is not None and over_time.rows:
            parts += [f"<h2>GPU-hours by {over_time.step}</h2>", key(), columns(over_time)]
        parts += [] if history is None else _of_queues(usage, history)
        parts += ["<h2>All figures</h2>", f'<div class="wide">{rows_html(usage)}</div>']
        parts += ['<p class="note">Figures are in GPU-hours where nothing else is said.</p>']
    else:
        parts.append("<p>Nothing was used.</p>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{title}</title><style>{_STYLE}</style></head>\n'
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def rows_html(usage: Usage) -> str:
    """The rows as a table."""
    return _table(heading(usage), figures(usage))


def _of_queues(usage: Usage, history: QueueHistory) -> list[str]:
    """Quota against fair share against use, and why work waited, as far as that is known."""
    if not history.rows:
        return []
    known = f'<p class="note">From {escape(queues.since(history))} on.</p>'
    table = f'<div class="wide">{_table(queues.SHARES, queues.share_figures(history, usage))}</div>'
    parts = [f"<h2>{queues.SHARES}</h2>", known, table, shares.key()]
    for name, picture in shares.pictures(history, _MOST_QUEUES):
        parts += [f"<h3>{escape(name)}</h3>", picture]
    causes = queues.cause_figures(history)
    waited = _table(queues.CAUSES, causes) if causes[1] else "<p>Nothing had to wait.</p>"
    return [*parts, f"<h2>{queues.CAUSES}</h2>", waited]


def _table(caption: str, content: Figures) -> str:
    header, rows = content
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    named = f"<caption hidden>{escape(caption)}</caption>"
    return f"<table>{named}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _totals(usage: Usage) -> str:
    measured = sum(row.measured for row in usage.rows)
    used = sum(row.used for row in usage.rows)
    told = {
        "allocated": f"{sum(row.allocated_gpu_hours for row in usage.rows):,.1f} GPU-hours",
        "used of what was measured": f"{used / measured:.0%}" if measured else "-",
        "idle": f"{sum(row.idle_gpu_hours for row in usage.rows):,.1f} GPU-hours",
    }
    if usage.currency:
        told["cost"] = f"{sum(row.cost or 0.0 for row in usage.rows):,.2f} {usage.currency}"
    pairs = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in told.items())
    return f"<dl>{pairs}</dl>"


def _cells(row: Iterable[str]) -> str:
    return "".join(f"<td>{escape(cell)}</td>" for cell in row)
