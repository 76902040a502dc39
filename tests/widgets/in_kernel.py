"""What the tests' cells use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import stamina
from IPython.core.getipython import get_ipython

from jupyter_runai.client.runtime import runtime
from jupyter_runai.client.watch import shared_watch
from jupyter_runai.widgets.live import LiveWidget

__all__ = ["connections", "is_watching", "until", "until_defined", "until_resting"]

LONGEST_S = 60


def until(widget: LiveWidget, reached: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until this is true of what the widget shows."""
    there = threading.Event()

    def look(change: Any) -> None:
        if reached(change.new):
            there.set()

    widget.observe(look, "shown")
    try:
        if not reached(widget.shown):
            assert there.wait(LONGEST_S), widget.shown
    finally:
        widget.unobserve(look, "shown")


def is_watching() -> bool:
    """Whether this process watches the engine."""
    return shared_watch().is_open


@stamina.retry(on=AssertionError, attempts=100, timeout=LONGEST_S)
def until_resting() -> None:
    """Wait until nobody watches the engine any more."""
    assert not is_watching()


@stamina.retry(on=AssertionError, attempts=100, timeout=LONGEST_S)
def until_defined(name: str) -> None:
    """Wait until the notebook has this variable, with the kernel's main thread busy."""
    shell = get_ipython()
    assert shell is not None and name in shell.user_ns


def connections() -> int:
    """How many connections to Unix sockets this process has, those within the background loop included."""
    runtime()
    mine = {str(found.readlink()) for found in Path("/proc/self/fd").iterdir() if found.is_symlink()}
    known = {f"socket:[{line.split()[6]}]" for line in Path("/proc/net/unix").read_text().splitlines()[1:]}
    return len(mine & known)
