"""IPython, where this process already runs in it."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from jupyter_runai.pickling.pickles import LARGEST_BYTES, WARN_BYTES

E = TypeVar("E", bound=Exception)

_PACKAGE = str(Path(__file__).parents[1])


def ipython_shell() -> Any:
    """The shell that runs the user's code; null in a plain Python, which is then spared the import."""
    ipython: Any = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def cell_name(filename: str) -> str:
    """The cell behind the name of a file, as IPython shows it: In[3]; any other name as it is."""
    shell = ipython_shell()
    shown = None if shell is None else shell.compile.format_code_name(filename)
    return filename if shown is None else str(shown[1])


def size_limits() -> tuple[int, int]:
    """Bytes from which on people are told and above which nothing is submitted, as they are set for the magics."""
    for known in getattr(ipython_shell(), "configurables", ()):
        if type(known).__name__ == "RunaiMagics":
            return known.warn_values, known.largest_values
    return WARN_BYTES, LARGEST_BYTES


def as_if_raised_outside(error: E) -> E:
    """The exception to raise: IPython shows the user's frames alone, not how it came through this package."""
    if ipython_shell() is not None:
        error._render_traceback_ = partial(_rendered, error)  # type: ignore[attr-defined]
    return error.with_traceback(None)


def _rendered(error: Exception) -> Any:
    trace = error.__traceback__
    last = trace
    while last is not None and not _is_ours(last.tb_next):
        last = last.tb_next
    if last is not None:
        last.tb_next = None
    return ipython_shell().InteractiveTB.structured_traceback(type(error), error, trace)


def _is_ours(trace: TracebackType | None) -> bool:
    return trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE)
