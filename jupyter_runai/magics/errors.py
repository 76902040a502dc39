"""Errors as a notebook shows them: a sentence for ours, the remote traceback for the cell's own."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from typing import TypeVar

from scheduler_core.errors import RunaiError
from scheduler_core.workload import RaisedError, TaskStatus, Workload

T = TypeVar("T", bound="Shown")


class Shown(Exception):
    """An error that IPython shows as the given lines, without a traceback through this package."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self._lines = lines

    def _render_traceback_(self) -> list[str]:
        return self._lines


class CellFailed(Shown):
    """A cell's workload did not complete."""


def shown(error: RunaiError) -> Shown:
    """One of our refusals: its sentence and what to do."""
    return _named(Shown, type(error).__name__, [line for line in (error.message, error.hint) if line])


def shown_syntax_error(error: SyntaxError) -> Shown:
    """The user's own slip in the cell, as Python shows it."""
    return _named(Shown, "SyntaxError", "".join(traceback.format_exception_only(error)).splitlines())


def not_brought_back(sentences: list[str]) -> Shown:
    """What a completed workload left and this notebook cannot have."""
    return _named(Shown, "ResultLost", sentences)


def interrupted(sentence: str) -> CellFailed:
    """A workload that the user has stopped from its cell."""
    return _named(CellFailed, "CellFailed", [sentence])


def failed(workload: Workload, tasks: Iterable[TaskStatus] = ()) -> CellFailed:
    """A workload that failed: its own exception where it raised one, else how its process ended.

    Of several `tasks` it is the exception of the one that failed first, under its rank.
    """
    raised, lines = workload.report.error if workload.report is not None else None, []
    first = min(
        (task for task in tasks if task.report is not None and task.report.error is not None),
        key=lambda task: task.ended or 0.0,
        default=None,
    )
    if first is not None and first.report is not None:
        raised, lines = first.report.error, [f"Task {first.index} of {workload.tasks} failed:"]
    if raised is None:
        reason = f": {workload.reason}" if workload.reason else ""
        return _named(CellFailed, "CellFailed", [f"{workload.name} {workload.state}{reason}"])
    return _named(CellFailed, raised.type, [*lines, *_lines(raised)])


def _lines(raised: RaisedError) -> list[str]:
    return raised.traceback.rstrip().splitlines() or [raised.message]


def _named(kind: type[T], name: str, lines: list[str]) -> T:
    """The exception under the name that people know it by."""
    named: type[T] = type(name, (kind,), {})
    return named(lines)
