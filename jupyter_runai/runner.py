"""Runs one cell, or calls a function, in a workload's process: loads what travelled, saves what comes back, reports.

A script for whatever Python the workload names (`python -P -u runner.py`): it imports nothing but the standard library
until it must. Folders come from RUNAI_INPUTS and RUNAI_RESULTS, the report goes to RUNAI_REPORT.

Files in the inputs: `cell.json` ({source, filename, names, outputs, path, ipython}) and `values.pickle`, one pickle
after another in the order of `names`. For a call `call.json` instead ({names, keywords, path, sources}): the function
is the first of the values, the last ones are its `keywords`. For one on many items it says how many `items` and `tasks`
there are; `items.pickle` has one pickle an item, `items.offsets` where each begins, in eight bytes.

What is left of a call that returned is NAME.pickle, of one that raised NAME.error (JSON) and, where it can be pickled,
NAME.exception. NAME is `result`, in task N of a gang `result-N`, and of an item its number.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import json
import linecache
import os
import pickle
import struct
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

FAILED = 1
LONGEST_MESSAGE = 10_000
LONGEST_TRACEBACK = 50_000
"""In characters: an engine takes reports of up to 1 MiB."""


class ValueLost(Exception):
    """A value cannot travel; the message says which and why."""


def main() -> int:
    """Run the cell; 0 when it ended well, 1 when it raised, its own status when it exited."""
    inputs = Path(os.environ["RUNAI_INPUTS"])
    if (inputs / "call.json").exists():
        return run_call(inputs)
    cell = json.loads((inputs / "cell.json").read_text())
    sys.path[:] = cell["path"]
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    try:
        module.__dict__.update(_load(inputs / "values.pickle", cell["names"]))
        # Loading functions leaves the dict of the builtins there; a notebook has the module.
        module.__dict__["__builtins__"] = builtins
        _prepare_display(cell["ipython"], module)
        status = _status(cell["source"], cell["filename"], module.__dict__)
        if status:
            return status
        # Of several tasks the first one's variables come back.
        outputs = cell["outputs"] if os.environ.get("RUNAI_TASK_INDEX", "0") == "0" else []
        results, lost = _save(outputs, module.__dict__, Path(os.environ["RUNAI_RESULTS"]))
    except BaseException as error:
        sys.stdout.flush()
        _report(error=_described(error, cell["filename"]))
        return FAILED
    if lost:
        _report(results=results, error=_described(ValueLost("\n".join(lost)), cell["filename"]))
        return FAILED
    _report(results=results)
    return 0


def execute(source: str, filename: str, namespace: dict[str, Any]) -> None:
    """Run a cell's source as a notebook would: the value of a last expression is shown, `await` works anywhere."""
    lines = source.splitlines(keepends=True)
    linecache.cache[filename] = (len(source), None, lines, filename)
    tree = ast.parse(source, filename)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    parts = [_compiled(tree, filename)]
    if isinstance(last, ast.Expr):
        parts.append(_compiled(ast.Expression(last.value), filename))
    if any(_awaits(part) for part in parts):
        import asyncio  # noqa: PLC0415 (only where something is awaited)

        value = asyncio.run(_evaluated_on_loop(parts, namespace))
    else:
        value = [eval(part, namespace) for part in parts][-1]  # noqa: S307 (the cell is the user's own)
    if value is not None and not source.rstrip().endswith(";"):
        builtins.display(value)  # type: ignore[attr-defined]


async def _evaluated_on_loop(parts: list[CodeType], namespace: dict[str, Any]) -> Any:
    value = None
    for part in parts:
        value = eval(part, namespace)  # noqa: S307 (the cell is the user's own)
        if _awaits(part):
            value = await value
    return value


def _awaits(code: CodeType) -> bool:
    return bool(code.co_flags & inspect.CO_COROUTINE)


def _compiled(tree: ast.Module | ast.Expression, filename: str) -> CodeType:
    mode = "exec" if isinstance(tree, ast.Module) else "eval"
    code: CodeType = compile(tree, filename, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    return code


def _status(source: str, filename: str, namespace: dict[str, Any]) -> int:
    """Run the cell; the status it exited with, 0 when it ran to its end."""
    try:
        execute(source, filename, namespace)
    except SystemExit as request:
        return _exit_status(request)
    return 0


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


def _prepare_display(ipython: bool, module: ModuleType) -> None:
    if ipython:
        from IPython.core.interactiveshell import InteractiveShell  # noqa: PLC0415 (a third of a second)

        with warnings.catch_warnings():
            # Of an environment that is active and not this Python's: the notebook's own kernel has said so.
            warnings.simplefilter("ignore")
            shell = InteractiveShell.instance(user_module=module)
        builtins.get_ipython = lambda: shell  # type: ignore[attr-defined]
    builtins.display = _display  # type: ignore[attr-defined]


def _display(*values: object, **_: object) -> None:
    for value in values:
        print(repr(value))  # noqa: T201 (this is the cell's output)


def _save(outputs: list[str], namespace: dict[str, Any], folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Pickle the outputs, one file each; a sentence for each that cannot be."""
    results: list[dict[str, Any]] = []
    lost: list[str] = []
    if not outputs:
        return results, lost
    import cloudpickle  # noqa: PLC0415 (only where something comes back)

    for name in outputs:
        if name not in namespace:
            lost.append(f"the cell ended without a variable {name!r} to bring back")
            continue
        path, fresh = folder / f"{name}.pickle", folder / f"{name}.new"
        try:
            with fresh.open("wb") as file:
                cloudpickle.dump(namespace[name], file, protocol=pickle.HIGHEST_PROTOCOL)
            fresh.replace(path)
        except Exception as error:
            fresh.unlink(missing_ok=True)
            lost.append(f"{name!r} could not be brought back: {_readable(error)}")
            continue
        results.append({"name": name, "type": type(namespace[name]).__name__, "size": path.stat().st_size})
    return results, lost


def _described(error: BaseException, filename: str) -> dict[str, str]:
    """The error with its traceback from the cell's own first frame on."""
    kind, message = type(error).__name__, _readable(error)
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != filename:
        trace = trace.tb_next
    error.__traceback__ = trace
    try:
        text = "" if isinstance(error, ValueLost) else "".join(traceback.format_exception(error))
    except Exception:
        text = f"{kind}: {message}"
    return {
        "type": _sendable(kind, LONGEST_MESSAGE),
        "message": _sendable(message, LONGEST_MESSAGE),
        "traceback": _sendable(text, LONGEST_TRACEBACK),
    }


def _readable(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:
        return f"<its message cannot be read: str() raised {type(second).__name__}>"


def _sendable(text: str, longest: int) -> str:
    """The text as UTF-8 can hold it; of a longer one its head and its tail."""
    left_out = len(text) - longest
    if left_out > 0:
        half = longest // 2
        text = f"{text[:half]}\n[... {left_out:,} characters left out ...]\n{text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode()


def _report(**report: object) -> None:
    path = Path(os.environ["RUNAI_REPORT"])
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(report))
    fresh.replace(path)


def run_call(inputs: Path) -> int:
    """Call the function that travelled, once or for each item of this task; 0 when all of it ended well."""
    call = json.loads((inputs / "call.json").read_text())
    sys.path[:] = call["path"]
    sys.modules["__main__"] = ModuleType("__main__")
    for filename, source in call["sources"].items():
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    folder = Path(os.environ["RUNAI_RESULTS"])
    index = int(os.environ.get("RUNAI_TASK_INDEX", "0"))
    if "items" in call:
        return _call_on_items(inputs, call, folder, index)
    name = f"result-{index}" if index else "result"

    def called() -> Any:
        function, *arguments = _load(inputs / "values.pickle", call["names"]).values()
        positional = len(arguments) - len(call["keywords"])
        return function(*arguments[:positional], **dict(zip(call["keywords"], arguments[positional:], strict=True)))

    # Of several tasks the first one's value comes back.
    results, error = _kept(called, folder, name, with_value=index == 0)
    _report(**({"results": results} if error is None else {"error": error}))
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
    _report(**({} if first_error is None else {"error": first_error}))
    return FAILED if first_error else 0


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
        results, lost = _save([name] if with_value else [], {name: value}, folder)
        if not lost:
            return results, None
        raise ValueLost("\n".join(lost))
    except BaseException as error:
        sys.stdout.flush()
        return [], _keep_error(error, folder, name)


def _keep_error(error: BaseException, folder: Path, name: str) -> dict[str, str]:
    described = _described(error, _first_file(error))
    if isinstance(error, Exception) and not isinstance(error, ValueLost):
        try:
            import cloudpickle  # noqa: PLC0415 (only where something comes back)

            (folder / f"{name}.exception").write_bytes(cloudpickle.dumps(error))
        except Exception:
            # Then its description has to do.
            (folder / f"{name}.exception").unlink(missing_ok=True)
    (folder / f"{name}.error").write_text(json.dumps(described))
    return described


def _first_file(error: BaseException) -> str:
    """The file of the first frame that is neither this script's nor asyncio's."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        filename = frame.f_code.co_filename
        if filename != __file__ and Path(filename).parent.name != "asyncio":
            return filename
    return ""


def _exit_status(request: SystemExit) -> int:
    if request.code is None:
        return 0
    if isinstance(request.code, int):
        return request.code & 0xFF
    print(request.code, file=sys.stderr)  # noqa: T201
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
