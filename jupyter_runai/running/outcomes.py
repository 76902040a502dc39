"""What a call needs and leaves: its function and arguments are loaded, what it returns or raises is kept.

What is left of a call that returned is NAME.pickle, of one that raised NAME.error (JSON) and, where it can be pickled,
NAME.exception.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import sys
from types import CoroutineType

from .reports import ValueLost, described, readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def load(path: str, names: list[str], offset: int = 0) -> dict[str, Any]:
    """The values of these names, one pickle after another from here on."""
    values: dict[str, Any] = {}
    with open(path, "rb") as file:
        file.seek(offset)
        unpickler = pickle.Unpickler(file)  # noqa: S301 (written by the user's own notebook)
        for name in names:
            try:
                values[name] = unpickler.load()
            except Exception as error:
                raise ValueLost(f"{name!r} could not be loaded here: {type(error).__name__}: {error}") from error
    return values


def keep(
    called: Callable[[], Any], folder: str, name: str, with_value: bool = True
) -> tuple[list[dict[str, Any]], dict[str, str] | None]:
    """Call, and keep what was returned or raised under this name: what is to be reported of it."""
    forget(folder, name)
    try:
        value = called()
        if isinstance(value, CoroutineType):
            import asyncio  # noqa: PLC0415 (only where something is awaited)

            value = asyncio.run(value)
        return [_saved(value, folder, name)] if with_value else [], None
    except BaseException as error:
        sys.stdout.flush()
        return [], _keep_error(error, folder, name)


def _saved(value: Any, folder: str, name: str) -> dict[str, Any]:
    """Pickle a value: all of it or nothing is there."""
    # For these cloudpickle, which takes longer to import than most tasks to run, writes the same.
    pickler = pickle if type(value) in _PLAIN else importlib.import_module("cloudpickle")

    path, fresh = f"{folder}/{name}.pickle", f"{folder}/{name}.new"
    try:
        with open(fresh, "wb") as file:
            pickler.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
        os.replace(fresh, path)
    except Exception as error:
        _remove(fresh)
        raise ValueLost(f"{name!r} could not be brought back: {readable(error)}") from None
    return {"name": name, "type": type(value).__name__, "size": os.path.getsize(path)}


def _keep_error(error: BaseException, folder: str, name: str) -> dict[str, str]:
    """Keep what was raised: what is to be reported of it."""
    text = described(error, _first_file(error))
    if isinstance(error, Exception) and not isinstance(error, ValueLost):
        try:
            import cloudpickle  # noqa: PLC0415 (only where something comes back)

            with open(f"{folder}/{name}.exception", "wb") as file:
                cloudpickle.dump(error, file)
        except Exception:
            # Then its description has to do.
            _remove(f"{folder}/{name}.exception")
    write(f"{folder}/{name}.error", json.dumps(text))
    return text


def keep_loss(reason: str, folder: str, name: str) -> None:
    """Keep that the process which was to leave something under this name ended before it had."""
    write(f"{folder}/{name}.error", json.dumps({"type": "ProcessEnded", "message": reason, "traceback": ""}))


def _first_file(error: BaseException) -> str:
    """The file of the first frame that is neither of ours nor asyncio's."""
    trace = error.__traceback__
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        folder = os.path.dirname(filename)
        if folder != os.path.dirname(__file__) and os.path.basename(folder) != "asyncio":
            return filename
        trace = trace.tb_next
    return ""


def is_kept(folder: str, name: str) -> bool:
    """Whether a value, or what was raised, is kept under this name."""
    return any(os.path.exists(f"{folder}/{name}.{part}") for part in ("pickle", "error"))


def error_of(folder: str, name: str) -> dict[str, str] | None:
    """What is to be reported of what was raised; nothing where a value is kept."""
    try:
        with open(f"{folder}/{name}.error", encoding="utf-8") as file:
            found: dict[str, str] = json.load(file)
            return found
    except FileNotFoundError:
        return None


def forget(folder: str, name: str) -> None:
    """Let go of what an earlier run has left under this name."""
    for part in ("pickle", "error", "exception"):
        _remove(f"{folder}/{name}.{part}")


def write(path: str, text: str) -> None:
    """Write a small file."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _remove(path: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)
