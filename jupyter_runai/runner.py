"""Runs one cell in a workload's process: loads what travelled, executes, saves what comes back, reports.

A script for whatever Python the workload names (`python -P -u runner.py`): it imports nothing but the standard library
until it must. Folders come from RUNAI_INPUTS and RUNAI_RESULTS, the report goes to RUNAI_REPORT.

Files in the inputs: `cell.json` ({source, filename, names, outputs, largest, path, ipython, modules, versions}) and the
values as `running/values.py` writes them: the namespaces of `modules`, then the values in the order of `names`.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.util
import inspect
import json
import linecache
import os
import pickle
import sys
import traceback
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any


def _beside(name: str) -> Any:
    """A part of ours by its file: the workload's Python need not have this package, and the cell may use its names."""
    spec = importlib.util.spec_from_file_location(f"_runai_{name}", Path(__file__).parent / "running" / f"{name}.py")
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if TYPE_CHECKING:
    from jupyter_runai.running import displays, values
else:
    displays, values = _beside("displays"), _beside("values")

FAILED = 1
LONGEST_MESSAGE = 10_000
LONGEST_TRACEBACK = 50_000
"""In characters: an engine takes reports of up to 1 MiB."""


class ValueLost(Exception):
    """A value cannot travel; the message says which and why."""


def main() -> int:
    """Run the cell; 0 when it ended well, 1 when it raised, its own status when it exited."""
    inputs, results_folder = Path(os.environ["RUNAI_INPUTS"]), Path(os.environ["RUNAI_RESULTS"])
    index = os.environ.get("RUNAI_TASK_INDEX", "0")
    cell = json.loads((inputs / "cell.json").read_text())
    sys.path[:] = cell["path"]
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    try:
        displays.prepare(module, displays.Displays(displays.display_file(results_folder, int(index))))
        module.__dict__.update(_load(inputs / "values", cell))
        # Loading functions leaves the dict of the builtins there; a notebook has the module.
        module.__dict__["__builtins__"] = builtins
        if cell["ipython"]:
            importlib.import_module("IPython")
        status = _status(cell["source"], cell["filename"], module.__dict__)
        if status:
            return status
        # Of several tasks the first one's variables come back.
        outputs = cell["outputs"] if index == "0" else []
        results, lost = _save(outputs, module.__dict__, results_folder, cell["largest"])
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
    finally:
        displays.finish_cell()
    return 0


def _load(stem: Path, cell: dict[str, Any]) -> dict[str, Any]:
    """What travelled, by its name; modules that were changed on disk are made as the notebook has them."""
    there = list(sys.version_info[:2])
    if there != cell["versions"]["python"]:
        here, wanted = (".".join(map(str, version)) for version in (there, cell["versions"]["python"]))
        raise ValueLost(f"This workload runs Python {here} and its values are from Python {wanted}.")
    for name in cell["modules"]:
        # All of them before any is filled: they may know each other.
        sys.modules[name] = ModuleType(name)
    loaded: dict[str, Any] = {}
    with values.unpickler(stem) as unpickler:
        for name in cell["modules"]:
            vars(sys.modules[name]).update(_loaded(unpickler, name, cell))
        for name in cell["names"]:
            loaded[name] = _loaded(unpickler, name, cell)
    return loaded


def _loaded(unpickler: pickle.Unpickler, name: str, cell: dict[str, Any]) -> Any:
    try:
        return unpickler.load()
    except Exception as error:
        raise ValueLost(
            f"{name!r} could not be loaded here: {type(error).__name__}: {error}{_versions(cell)}"
        ) from error


def _versions(cell: dict[str, Any]) -> str:
    """A clause where another cloudpickle loads than has pickled, which it need not understand."""
    written = cell["versions"]["cloudpickle"]
    read = getattr(sys.modules.get("cloudpickle"), "__version__", written)
    return "" if read == written else f" (pickled by cloudpickle {written}, loaded by {read})"


def _save(
    outputs: list[str], namespace: dict[str, Any], folder: Path, largest: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """Pickle the outputs, each in files of its own; a sentence for each that cannot be."""
    results: list[dict[str, Any]] = []
    lost: list[str] = []
    if not outputs:
        return results, lost
    import cloudpickle  # noqa: PLC0415 (only where something comes back)

    for name in outputs:
        if name not in namespace:
            lost.append(f"the cell ended without a variable {name!r} to bring back{_nearest(name, namespace)}")
            continue
        try:
            with values.ValueFiles(folder / name, largest) as files:
                pickler = cloudpickle.Pickler(files, protocol=pickle.HIGHEST_PROTOCOL, buffer_callback=files.apart)
                pickler.dump(namespace[name])
        except values.OverLimit:
            lost.append(
                f"{name!r} is larger than the {largest / 1_000_000:,.0f} MB left for what comes back: "
                "save it to a file instead, or raise it: %config RunaiMagics.largest_values = ..."
            )
        except Exception as error:
            lost.append(f"{name!r} could not be brought back: {_readable(error)}")
        else:
            largest -= files.size
            results.append({"name": name, "type": type(namespace[name]).__name__, "size": files.size})
            continue
        for path in (folder / f"{name}.pickle", folder / f"{name}.buffers"):
            path.unlink(missing_ok=True)
    return results, lost


def _nearest(name: str, namespace: dict[str, Any]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 (only after a slip)

    nearest = get_close_matches(name, [known for known in namespace if not known.startswith("_")], 1)
    return f" (did you mean {nearest[0]!r}?)" if nearest else ""


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


def _exit_status(request: SystemExit) -> int:
    if request.code is None:
        return 0
    if isinstance(request.code, int):
        return request.code & 0xFF
    print(request.code, file=sys.stderr)  # noqa: T201
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
