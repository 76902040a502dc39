"""What a cell's workload has left for its notebook."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from jupyter_runai.client import Client
from jupyter_runai.magics.values import read_results
from jupyter_runai.words.figures import size
from scheduler_core.workload import Workload


class Returned(Struct, frozen=True, kw_only=True):
    """Values by their names, each in words as well, and a sentence for each that cannot be had."""

    values: dict[str, Any]
    words: tuple[str, ...]
    lost: list[str]


def returned_by(client: Client, workload: Workload) -> Returned:
    """Load what a workload that has ended brings back.

    Raises:
        RunaiError: the engine does not say where it lies.
    """
    results = workload.report.results if workload.report is not None else ()
    if not results:
        return Returned(values={}, words=(), lost=[])
    values, lost = read_results(client.results(workload.id), [result.name for result in results])
    words = tuple(f"{part.name} ← {part.type} ({size(part.size)})" for part in results if part.name in values)
    return Returned(values=values, words=words, lost=lost)
