"""Bars of hours as SVG: used, idle and unmeasured, of each group and of each step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from jupyter_runai.reports.period import shown
from scheduler_core.accounting.usage import STEP_MS, Usage, UsageRow

_WIDTH, _NAMES, _FIGURES, _ROW, _HEIGHT = 900, 220, 90, 26, 220
_PARTS = ("used", "idle", "unmeasured")
_LONGEST_NAME = 30


def key() -> str:
    """Which colour is what."""
    marks = "".join(
        f'<rect class="{part}" x="{index * 110}" y="4" width="12" height="12"/>'
        f'<text x="{index * 110 + 18}" y="15">{part}</text>'
        for index, part in enumerate(_PARTS)
    )
    return f'<svg class="key" viewBox="0 0 330 20" role="img" aria-label="{", ".join(_PARTS)}">{marks}</svg>'


def bars(rows: Sequence[UsageRow]) -> str:
    """A bar of each row, one below the other."""
    longest = max(row.allocated_gpu_hours for row in rows) or 1.0
    scale = (_WIDTH - _NAMES - _FIGURES) / longest
    drawn = []
    for number, row in enumerate(rows):
        y, x = number * _ROW, float(_NAMES)
        drawn.append(f'<text x="0" y="{y + 17}">{escape(_short(row.name))}</text>')
        for part, hours in _parts(row):
            drawn.append(_rectangle(part, x, y + 4, hours * scale, _ROW - 8, _told(row.name, hours, part)))
            x += hours * scale
        drawn.append(f'<text class="scale" x="{x + 6:.1f}" y="{y + 17}">{row.allocated_gpu_hours:,.1f}</text>')
    return _svg(_ROW * len(rows), f"GPU-hours of each {len(rows)}", drawn)


def columns(usage: Usage) -> str:
    """A column of each step, all groups together; a step in which nothing was used leaves a gap."""
    steps: dict[float, dict[str, float]] = {}
    for row in usage.rows:
        sums = steps.setdefault(row.at, dict.fromkeys(_PARTS, 0.0))
        for part, hours in _parts(row):
            sums[part] += hours
    highest = max(sum(sums.values()) for sums in steps.values()) or 1.0
    first, last, length = min(steps), max(steps), (STEP_MS[usage.step] or 1) / 1000
    width, scale = _WIDTH / (round((last - first) / length) + 1), (_HEIGHT - 40) / highest
    drawn = [f'<text class="scale" x="0" y="12">{highest:,.1f}</text>']
    for at, sums in sorted(steps.items()):
        x, y = round((at - first) / length) * width, float(_HEIGHT - 20)
        for part in _PARTS:
            height = sums[part] * scale
            y -= height
            told = _told(shown(at), sums[part], part)
            drawn.append(_rectangle(part, x, y, width * 0.85, height, told))
    drawn.append(f'<text class="scale" x="0" y="{_HEIGHT - 4}">{shown(first)}</text>')
    drawn.append(f'<text class="scale" x="{_WIDTH}" y="{_HEIGHT - 4}" text-anchor="end">{shown(last)}</text>')
    return _svg(_HEIGHT, f"GPU-hours by {usage.step}", drawn)


def _parts(row: UsageRow) -> tuple[tuple[str, float], ...]:
    return tuple(zip(_PARTS, (row.used_gpu_hours, row.idle_gpu_hours, row.unmeasured_gpu_hours), strict=True))


def _rectangle(part: str, x: float, y: float, width: float, height: float, told: str) -> str:
    if width <= 0 or height <= 0:
        return ""
    return (
        f'<rect class="{part}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}">'
        f"<title>{escape(told)}</title></rect>"
    )


def _told(name: str, hours: float, part: str) -> str:
    return f"{name}: {hours:,.2f} GPU-hours {part}"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _svg(height: int, label: str, drawn: Iterable[str]) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(label)}">{"".join(drawn)}</svg>'
