"""How much of the past still counts: a window, and in it less the longer ago it is."""

from __future__ import annotations

from math import log

from msgspec import Struct


class Decay(Struct, frozen=True, kw_only=True):
    """What lies back more than `window_ms` does not count; what lies back `half_life_ms` counts half (null: whole)."""

    window_ms: float
    half_life_ms: float | None = None

    def weight(self, begin: float, end: float, now: float) -> float:
        """The milliseconds of [begin, end) that still count at `now`."""
        begin, end = max(begin, now - self.window_ms), min(end, now)
        if end <= begin:
            return 0.0
        half_life = self.half_life_ms
        if half_life is None:
            return end - begin
        return half_life / log(2) * (2 ** ((end - now) / half_life) - 2 ** ((begin - now) / half_life))
