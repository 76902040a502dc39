"""What one notebook knows of what is kept for it: the values that are there, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_runai.functions.fingerprint import fingerprint
from scheduler_core.workload import Workload


class SentValues:
    """What the kept process of each name has of one notebook's values, by digests."""

    def __init__(self) -> None:
        self._digests: dict[str, tuple[str, dict[str, str | None]]] = {}
        self._kept: dict[str, float] = {}

    def expect(self, workload: Workload, kept_until: float) -> None:
        """It is kept until then, in seconds since the epoch."""
        self._kept[workload.name] = kept_until

    def kept_until(self, workload: Workload) -> float:
        """Until when the workload of its name was to be kept after the last cell; 0 where it was not."""
        return self._kept.pop(workload.name, 0.0)

    def changed(self, workload: Workload, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those that a process does not have as they are now."""
        has = self._of(workload)
        return {name: value for name, value in values.items() if has.get(name) is None or has[name] != _digest(value)}

    def note(self, workload: Workload, values: Mapping[str, Any]) -> None:
        """A process has these now."""
        digests = {name: _digest(value) for name, value in values.items()}
        self._digests[workload.name] = (workload.id, self._of(workload) | digests)

    def forget(self, workload: Workload) -> None:
        """Nobody knows what a process has."""
        self._digests.pop(workload.name, None)

    def _of(self, workload: Workload) -> dict[str, str | None]:
        workload_id, digests = self._digests.get(workload.name, ("", {}))
        return digests if workload_id == workload.id else {}


def _digest(value: Any) -> str | None:
    """Null for what has none: that counts as changed."""
    try:
        return fingerprint(value)
    except Exception:
        return None
