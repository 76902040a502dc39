"""What people get of a function that failed elsewhere, and how refusals reach them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from jupyter_runai.pickling.shell import as_if_raised_outside
from scheduler_core.errors import RunaiError
from scheduler_core.workload import RaisedError

P = ParamSpec("P")
R = TypeVar("R")


class RemoteError(Exception):
    """What a function raised in its workload, or how the workload ended, where no exception of its own can be had.

    `raised` is the remote exception in words, its traceback from the user's own code on; null where the workload did
    not come to raise one. What is raised again here under its own type has a RemoteError as its cause.
    """

    def __init__(self, text: str, raised: RaisedError | None = None) -> None:
        super().__init__(text, raised)
        self.text = text
        self.raised = raised

    def __str__(self) -> str:
        traceback = self.raised.traceback if self.raised is not None else ""
        return traceback.rstrip() or self.text


class Detached(KeyboardInterrupt):
    """Somebody interrupted the waiting; what they waited for goes on."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it."""
        return [str(self)]


def door(function: Callable[P, R]) -> Callable[P, R]:
    """Refusals leave through here without the frames that they came through: they are sentences for people."""

    @wraps(function)
    def through(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except RunaiError as error:
            raise as_if_raised_outside(error) from None

    return through


def warn(sentence: str) -> None:
    """Tell people something beside what they asked for."""
    sys.stderr.write(f"{sentence}\n")
