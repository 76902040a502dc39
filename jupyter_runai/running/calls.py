"""Calls a function that travelled, once or for many items, and keeps what it returns or raises.

`call.json` in the inputs is {names, keywords, path, sources}; `values.pickle` has one pickle after another in the order
of `names`: the function is the first, the last ones are its `keywords`. For a call on many items it says how many
`items` and `tasks` there are; `items.pickle` has one pickle an item, `items.offsets` where each begins, in eight bytes.

What is left of a call that returned is NAME.pickle, of one that raised NAME.error (JSON) and, where it can be pickled,
NAME.exception. NAME is `result`, in task N of a gang `result-N`, and of an item its number.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import struct
import sys
from functools import cache, partial
from types import CoroutineType, ModuleType

from .reports import FAILED, ValueLost, described, readable, remember_source, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def run_call(inputs: str, folder: str, index: int) -> int:
    """Call the function, once or for each item of this task; 0 when all of it ended well."""
    with open(f"{inputs}/call.json", encoding="utf-8") as file:
        call = json.load(file)
    if call["path"] is not None:
        sys.path[:] = call["path"]
    sys.modules["__main__"] = ModuleType("__main__")
    for filename, source in call["sources"].items():
        remember_source(filename, source)
    if "items" in call:
        return _call_on_items(inputs, call, folder, index)
    name = f"result-{index}" if index else "result"

    def called() -> Any:
        function, *arguments = _load(f"{inputs}/values.pickle", call["names"]).values()
        positional = len(arguments) - len(call["keywords"])
        return function(*arguments[:positional], **dict(zip(call["keywords"], arguments[positional:], strict=True)))

    # Of several tasks the first one's value comes back.
    results, error = _kept(called, folder, name, with_value=index == 0)
    report(**({"results": results} if error is None else {"error": error}))
    return FAILED if error else 0


def _call_on_items(inputs: str, call: dict[str, Any], folder: str, index: int) -> int:
    """Call the function on this task's items; of those that an earlier run of it was done with, none again."""
    _write(f"{folder}/items", str(call["items"]))
    size = -(-call["items"] // call["tasks"])
    first = index * size
    count = min(size, call["items"] - first)
    with open(f"{inputs}/items.offsets", "rb") as file:
        file.seek(8 * first)
        offsets = struct.unpack(f"<{count}Q", file.read(8 * count))
    loaded = cache(lambda: _load(f"{inputs}/values.pickle", call["names"]))

    def called(number: int, offset: int) -> Any:
        (function,) = loaded().values()
        return function(*_load(f"{inputs}/items.pickle", [f"items[{number}]"], offset).values())

    first_error = None
    for number, offset in enumerate(offsets, first):
        if not os.path.exists(f"{folder}/{number}.pickle"):
            _, error = _kept(partial(called, number, offset), folder, str(number))
            first_error = first_error or error
    report(**({} if first_error is None else {"error": first_error}))
    return FAILED if first_error else 0


def _load(path: str, names: list[str], offset: int = 0) -> dict[str, Any]:
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


def _kept(
    called: Callable[[], Any], folder: str, name: str, with_value: bool = True
) -> tuple[list[dict[str, Any]], dict[str, str] | None]:
    """Call, and keep what was returned or raised under this name: what is to be reported of it."""
    for suffix in ("pickle", "error", "exception"):
        _remove(f"{folder}/{name}.{suffix}")
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
    text = described(error, _first_file(error))
    if isinstance(error, Exception) and not isinstance(error, ValueLost):
        try:
            import cloudpickle  # noqa: PLC0415 (only where something comes back)

            with open(f"{folder}/{name}.exception", "wb") as file:
                cloudpickle.dump(error, file)
        except Exception:
            # Then its description has to do.
            _remove(f"{folder}/{name}.exception")
    _write(f"{folder}/{name}.error", json.dumps(text))
    return text


def _first_file(error: BaseException) -> str:
    """The file of the first frame that is neither this one's nor asyncio's."""
    trace = error.__traceback__
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if filename != __file__ and os.path.basename(os.path.dirname(filename)) != "asyncio":
            return filename
        trace = trace.tb_next
    return ""


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _remove(path: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)
