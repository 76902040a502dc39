"""Asks the Python that a workload would run what it is, before anything is sent to it."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from scheduler_core.errors import InvalidRequest

_TIMEOUT_S = 20.0
_QUESTION = "import sys; print(*sys.version_info[:2])"


def shake_hands(python: str) -> None:
    """Make sure that values pickled here can be loaded by the interpreter `python`.

    Raises:
        InvalidRequest: it has another minor version than this one, or does not answer.
    """
    try:
        status = Path(python).stat()
        there = _version(python, status.st_ino, status.st_mtime_ns)
    except (OSError, ValueError, subprocess.SubprocessError):
        raise InvalidRequest(
            f"The Python of this notebook, {python!r}, does not run any more.", "Restart the kernel."
        ) from None
    if there != sys.version_info[:2]:
        here, other = (".".join(map(str, version)) for version in (sys.version_info[:2], there))
        raise InvalidRequest(
            f"This notebook runs Python {here} and its workload would run Python {other} ({python}): "
            "values cannot travel between them.",
            "Restart the kernel, so that both are the same.",
        )


@lru_cache(maxsize=8)
def _version(python: str, *_file: int) -> tuple[int, int]:
    """Asked once for each interpreter, and again when its file is another one."""
    answer = subprocess.run(
        [python, "-I", "-S", "-c", _QUESTION], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
    )
    major, minor = answer.stdout.split()
    return int(major), int(minor)
