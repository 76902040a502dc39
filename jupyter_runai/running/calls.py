"""Calls a function that travelled, once or for many items, and keeps what it returns or raises.

`call.json` in the inputs is {names, keywords, path, sources}; `values.pickle` has one pickle after another in the order
of `names`: the function is the first, the last ones are its `keywords`. For a call on many items it says how many
`items` and `tasks` there are; `items.pickle` has one pickle an item, `items.offsets` where each begins, in eight bytes.

What is left of a call that returned is NAME.pickle, of one that raised NAME.error (JSON) and, where it can be pickled,
NAME.exception. NAME is `result`, in task N of a gang `result-N`, and of an item its number.
"""

from __future__ import annotations

import inspect
import json
import pickle
import struct
import sys
import traceback
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

from .reports import FAILED, ValueLost, described, readable, remember_source, report


def run_call(inputs: Path, folder: Path, index: int) -> int:
    """Call the function, once or for each item of this task; 0 when all of it ended well."""
    call = json.loads((inputs / "call.json").read_text())
    if call["path"] is not None:
        sys.path[:] = call["path"]
    sys.modules["__main__"] = ModuleType("__main__")
    for filename, source in call["sources"].items():
        remember_source(filename, source)
    if "items" in call:
        return _call_on_items(inputs, call, folder, index)
    name = f"result-{index}" if index else "result"

    def called() -> Any:
        function, *arguments = _load(inputs / "values.pickle", call["names"]).values()
        positional = len(arguments) - len(call["keywords"])
        return function(*arguments[:positional], **dict(zip(call["keywords"], arguments[positional:], strict=True)))

    # Of several tasks the first one's value comes back.
    results, error = _kept(called, folder, name, with_value=index == 0)
    report(**({"results": results} if error is None else {"error": error}))
    return FAILED if error else 0


def _call_on_items(inputs: Path, call: dict[str, Any], folder: Path, index: int) -> int:
    """Call the function on this task's items; of those that an earlier run of it was done with, none again."""
    (folder / "items").write_text(str(call["items"]))
    size = -(-call["items"] // call["tasks"])
    first = index * size
    count = min(size, call["items"] - first)
    with (inputs / "items.offsets").open("rb") as file:
        file.seek(8 * first)
        offsets = struct.unpack(f"<{count}Q", file.read(8 * count))
    loaded = cache(lambda: _load(inputs / "values.pickle", call["names"]))

    def called(number: int, offset: int) -> Any:
        (function,) = loaded().values()
        return function(*_load(inputs / "items.pickle", [f"items[{number}]"], offset).values())

    first_error = None
    for number, offset in enumerate(offsets, first):
        if not (folder / f"{number}.pickle").exists():
            _, error = _kept(partial(called, number, offset), folder, str(number))
            first_error = first_error or error
    report(**({} if first_error is None else {"error": first_error}))
    return FAILED if first_error else 0


def _load(path: Path, names: list[str], offset: int = 0) -> dict[str, Any]:
    values: dict[str, Any] = {}
    with path.open("rb") as file:
        file.seek(offset)
        unpickler = pickle.Unpickler(file)  # noqa: S301 (written by the user's own notebook)
        for name in names:
            try:
                values[name] = unpickler.load()
            except Exception as error:
                raise ValueLost(f"{name!r} could not be loaded here: {type(error).__name__}: {error}") from error
    return values


def _kept(
    called: Callable[[], Any], folder: Path, name: str, with_value: bool = True
) -> tuple[list[dict[str, Any]], dict[str, str] | None]:
    """Call, and keep what was returned or raised under this name: what is to be reported of it."""
    for suffix in ("pickle", "error", "exception"):
        (folder / f"{name}.{suffix}").unlink(missing_ok=True)
    try:
        value = called()
        if inspect.iscoroutine(value):
            import asyncio  # noqa: PLC0415 (only where something is awaited)

            value = asyncio.run(value)
        return [_saved(value, folder, name)] if with_value else [], None
    except BaseException as error:
        sys.stdout.flush()
        return [], _keep_error(error, folder, name)


def _saved(value: Any, folder: Path, name: str) -> dict[str, Any]:
    """Pickle a value: all of it or nothing is there."""
    import cloudpickle  # noqa: PLC0415 (only where something comes back)

    path, fresh = folder / f"{name}.pickle", folder / f"{name}.new"
    try:
        with fresh.open("wb") as file:
            cloudpickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
        fresh.replace(path)
    except Exception as error:
        fresh.unlink(missing_ok=True)
        raise ValueLost(f"{name!r} could not be brought back: {readable(error)}") from None
    return {"name": name, "type": type(value).__name__, "size": path.stat().st_size}


def _keep_error(error: BaseException, folder: Path, name: str) -> dict[str, str]:
    text = described(error, _first_file(error))
    if isinstance(error, Exception) and not isinstance(error, ValueLost):
        try:
            import cloudpickle  # noqa: PLC0415 (only where something comes back)

            (folder / f"{name}.exception").write_bytes(cloudpickle.dumps(error))
        except Exception:
            # Then its description has to do.
            (folder / f"{name}.exception").unlink(missing_ok=True)
    (folder / f"{name}.error").write_text(json.dumps(text))
    return text


def _first_file(error: BaseException) -> str:
    """The file of the first frame that is neither this one's nor asyncio's."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        filename = frame.f_code.co_filename
        if filename != __file__ and Path(filename).parent.name != "asyncio":
            return filename
    return ""
