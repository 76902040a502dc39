"""Asks the Python that a workload would run what it is, before anything is sent to it."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import cloudpickle

from scheduler_core.errors import InvalidRequest

_TIMEOUT_S = 20.0
_VERSION = "import sys; print(*sys.version_info[:2])"
_PICKLES = "from importlib.metadata import version; print(version('cloudpickle'))"


def shake_hands(python: str) -> None:
    """Make sure that values pickled here can be loaded by the interpreter `python`.

    One that is not this process's own has packages of its own: people are told where its cloudpickle is another.

    Raises:
        InvalidRequest: it has another minor version than this one, or no cloudpickle, or does not answer.
    """
    try:
        status = Path(python).stat()
        there = _answer(python, _VERSION, False, status.st_ino, status.st_mtime_ns)
    except (OSError, ValueError, subprocess.SubprocessError):
        raise InvalidRequest(
            f"The Python of this workload, {python!r}, does not run here.",
            "Restart the kernel, or see the environment's: %runai environment list.",
        ) from None
    here = "{} {}".format(*sys.version_info)
    if there != here:
        raise InvalidRequest(
            f"This notebook runs Python {here.replace(' ', '.')} and its workload would run Python "
            f"{there.replace(' ', '.')} ({python}): values cannot travel between them.",
            "Restart the kernel, so that both are the same, or take an environment with this version.",
        )
    if python != sys.executable:
        _compare_pickles(python, status.st_ino, status.st_mtime_ns)


def _compare_pickles(python: str, *file: int) -> None:
    try:
        there = _answer(python, _PICKLES, True, *file)
    except (OSError, subprocess.SubprocessError):
        raise InvalidRequest(
            f"The Python of this workload, {python}, has no cloudpickle, with which values travel.",
            f"Install it there: {python} -m pip install cloudpickle=={cloudpickle.__version__}",
        ) from None
    if there != cloudpickle.__version__:
        sys.stderr.write(
            f"Values are pickled by cloudpickle {cloudpickle.__version__} and loaded by {there} ({python}), "
            "which may not understand all of them.\n"
        )


@lru_cache(maxsize=16)
def _answer(python: str, question: str, with_packages: bool, *_file: int) -> str:
    """Asked once of each interpreter, and again when its file is another one."""
    alone = ("-P",) if with_packages else ("-I", "-S")
    answer = subprocess.run(
        [python, *alone, "-c", question], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
    )
    return answer.stdout.strip()
