"""Shares of queues over time as SVG: what each held, against its quota and its fair share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from jupyter_runai.reports.period import shown
from scheduler_core.accounting.past import QueueHistory, QueueStep
from scheduler_core.accounting.usage import STEP_MS

_WIDTH, _HEIGHT, _FOOT, _HEAD = 900, 120, 20, 16
_LINES: tuple[tuple[str, str, Callable[[QueueStep], int | None]], ...] = (
    ("quota", "quota", lambda step: step.quota),
    ("fair-share", "fair share", lambda step: step.fair_share),
)


def key() -> str:
    """Which mark is what."""
    marks = ['<rect class="held" x="0" y="4" width="12" height="12"/><text x="18" y="15">held</text>']
    for index, (kind, name, _) in enumerate(_LINES, 1):
        x = index * 110
        marks.append(f'<path class="{kind}" d="M{x} 10h14"/><text x="{x + 20}" y="15">{name}</text>')
    label = "held, quota, fair share"
    return f'<svg class="key" viewBox="0 0 330 20" role="img" aria-label="{label}">{"".join(marks)}</svg>'


def pictures(history: QueueHistory, most: int) -> Iterator[tuple[str, str]]:
    """(queue, picture) of the queues that held or asked for most."""
    queues: dict[str, list[QueueStep]] = {}
    for row in history.rows:
        queues.setdefault(row.queue, []).append(row)
    asked = {name: sum(row.allocated + row.requested for row in rows) for name, rows in queues.items()}
    for name in sorted((name for name in queues if asked[name]), key=lambda name: -asked[name])[:most]:
        yield name, _picture(history, name, queues[name])


def _picture(history: QueueHistory, name: str, rows: Sequence[QueueStep]) -> str:
    first, last = min(row.at for row in history.rows), max(row.at for row in history.rows)
    length = (STEP_MS[history.step] or 1) / 1000
    width = _WIDTH / (round((last - first) / length) + 1)
    highest = max(max(_amounts(row)) for row in rows) or 1.0
    drawn = [f'<text class="scale" x="0" y="12">{highest:,.2f} devices</text>']

    def y(devices: float) -> float:
        return _HEIGHT - _FOOT - devices / highest * (_HEIGHT - _FOOT - _HEAD)

    for row in rows:
        x, held = (row.at - first) / length * width, row.devices(row.allocated) or 0.0
        told = f"{shown(row.at)}: {'; '.join(_told(row))}"
        drawn.append(
            f'<rect class="held" x="{x:.1f}" y="{y(held):.1f}" width="{width * 0.95:.1f}"'
            f' height="{_HEIGHT - _FOOT - y(held):.1f}"><title>{escape(told)}</title></rect>'
        )
    for kind, _, of in _LINES:
        parts = [
            f"M{(row.at - first) / length * width:.1f} {y(devices):.1f}h{width:.1f}"
            for row in rows
            if (devices := row.devices(of(row))) is not None
        ]
        drawn.append(f'<path class="{kind}" d="{"".join(parts)}"/>')
    drawn.append(f'<text class="scale" x="0" y="{_HEIGHT - 4}">{shown(first)}</text>')
    drawn.append(f'<text class="scale" x="{_WIDTH}" y="{_HEIGHT - 4}" text-anchor="end">{shown(last)}</text>')
    label = escape(f"Held by {name} against its quota and fair share, by {history.step}")
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(drawn)}</svg>'


def _amounts(row: QueueStep) -> list[float]:
    return [row.devices(amount) or 0.0 for amount in (row.allocated, row.quota, row.fair_share)]


def _told(row: QueueStep) -> Iterator[str]:
    yield f"held {row.devices(row.allocated) or 0.0:.2f}"
    for _, name, of in _LINES:
        devices = row.devices(of(row))
        yield f"{name} unlimited" if devices is None else f"{name} {devices:.2f}"
