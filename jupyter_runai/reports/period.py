"""Moments as people write them: 7d (ago), 2026-11-01, 2026-11-01T09:30."""

from __future__ import annotations

import re
from datetime import datetime

_AGO = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[hdw])")
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}
WEEK_S = _SECONDS["w"]
EXAMPLES = "7d, 2026-11-01 or 2026-11-01T09:30"


def moment(text: str, now: float) -> float:
    """Seconds since the epoch; what names no time zone is local.

    Raises:
        ValueError: it is no such moment.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        return max(0.0, now - int(ago["number"]) * _SECONDS[ago["unit"]])
    try:
        seconds = datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"a moment is written like {EXAMPLES}, not {text!r}") from None
    return max(0.0, seconds)


def shown(seconds: float) -> str:
    """A moment in local time, to the minute."""
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"
