"""Bars and curves as characters, for where no browser draws them."""

from __future__ import annotations

from collections.abc import Sequence

_LEVELS = "▁▂▃▄▅▆▇█"
_WIDTH = 24


def bar(ratio: float) -> str:
    """A bar that is full from 0 to 1: ▐██████░░░░░░▌."""
    full = round(min(1.0, max(0.0, ratio)) * _WIDTH)
    return f"▐{'█' * full}{'░' * (_WIDTH - full)}▌"


def curve(points: Sequence[float | None]) -> str:
    """A curve of values from 0 to 1; a space where nothing was measured."""
    return "".join(" " if point is None else _LEVELS[min(7, int(point * 8))] for point in points)


def indented(lines: Sequence[str], by: int = 2) -> str:
    """The lines that are not empty, set in."""
    return "\n".join(" " * by + line for line in lines if line)
