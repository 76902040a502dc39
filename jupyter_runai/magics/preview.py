"""What a cell would take along, ask for and get, as text."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from jupyter_runai.words.figures import size
from jupyter_runai.words.preview import submission_text
from jupyter_runai.words.tables import table
from scheduler_core.model import Verdict
from scheduler_core.workload import WorkloadSpec


def preview_text(
    values: Mapping[str, Any],
    modules: Mapping[str, ModuleType],
    sizes: Mapping[str, int],
    specification: WorkloadSpec,
    verdict: Verdict,
) -> str:
    """The table of what travels, by name with its bytes in `sizes`, the request, and the engine's answer to it."""
    rows = [
        *((name, "module", "by value: changed on disk", size(sizes[name])) for name in modules),
        *(
            (name, type(value).__name__, _way(value), size(sizes[name]))
            for name, value in values.items()
            if name not in modules
        ),
    ]
    travels = table(("name", "type", "travels", "size"), rows) if rows else "Nothing travels but the cell itself."
    return "\n\n".join([travels, submission_text(specification, verdict)])


def _way(value: Any) -> str:
    return "by import" if isinstance(value, ModuleType) else "by value"
