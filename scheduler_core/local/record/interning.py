"""What many workloads have in common, kept in memory once."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from scheduler_core.workload import Workload

_COMMON = ("owner", "queue", "request", "allocation", "task_states")
_MOST = 4096


class Interner:
    """Ended workloads differ in little: of what is equal in them the first is kept, and stands for all."""

    def __init__(self) -> None:
        self._known: dict[tuple[type, bytes], Any] = {}

    def interned(self, workload: Workload) -> Workload:
        """The workload, made of parts that equal ones share."""
        return replace(workload, **{name: self._first(getattr(workload, name)) for name in _COMMON})

    def _first(self, part: Any) -> Any:
        if len(self._known) >= _MOST:
            self._known.clear()
        return self._known.setdefault((type(part), msgspec.msgpack.encode(part)), part)
