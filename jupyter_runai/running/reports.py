"""What a workload's process reports: what it left, or what it raised."""

from __future__ import annotations

import json
import linecache
import os

FAILED = 1
_LONGEST_MESSAGE = 10_000
_LONGEST_TRACEBACK = 50_000
"""In characters: an engine takes reports of up to 1 MiB."""


class ValueLost(Exception):
    """A value cannot travel; the message says which and why."""


def report(**parts: object) -> None:
    """Leave a report for the engine."""
    path = os.environ["RUNAI_REPORT"]
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(parts, file)
    os.replace(f"{path}.new", path)


def described(error: BaseException, filename: str) -> dict[str, str]:
    """The error with its traceback from the first frame of this file on."""
    kind, message = type(error).__name__, readable(error)
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != filename:
        trace = trace.tb_next
    error.__traceback__ = trace
    try:
        import traceback  # noqa: PLC0415 (only where something has failed)

        text = "" if isinstance(error, ValueLost) else "".join(traceback.format_exception(error))
    except Exception:
        text = f"{kind}: {message}"
    return {
        "type": _sendable(kind, _LONGEST_MESSAGE),
        "message": _sendable(message, _LONGEST_MESSAGE),
        "traceback": _sendable(text, _LONGEST_TRACEBACK),
    }


def readable(error: BaseException) -> str:
    """What an error says, as far as it can."""
    try:
        return str(error)
    except Exception as second:
        return f"<its message cannot be read: str() raised {type(second).__name__}>"


def remember_source(filename: str, source: str) -> None:
    """Have tracebacks show the lines of a file that is none."""
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)


def _sendable(text: str, longest: int) -> str:
    """The text as UTF-8 can hold it; of a longer one its head and its tail."""
    left_out = len(text) - longest
    if left_out > 0:
        half = longest // 2
        text = f"{text[:half]}\n[... {left_out:,} characters left out ...]\n{text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode()
