"""Runs one cell in a workload's process: loads what travelled, executes, saves what comes back, reports.

A script for whatever Python the workload names (`python -P -u runner.py`): it imports nothing but the standard library
until it must. Folders come from RUNAI_INPUTS and RUNAI_RESULTS, the report goes to RUNAI_REPORT.

Files in the inputs: `cell.json` ({source, filename, names, outputs, path, ipython}) and `values.pickle`, one pickle
after another in the order of `names`.
"""

from __future__ import annotations

import ast
import builtins
import json
import linecache
import os
import pickle
import sys
import traceback
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

FAILED = 1


class ValueLost(Exception):
    """A value cannot travel; the message says which and why."""


def main() -> int:
    """Run the cell; 0 when it ended well, 1 when it raised, its own status when it exited."""
    inputs = Path(os.environ["RUNAI_INPUTS"])
    cell = json.loads((inputs / "cell.json").read_text())
    sys.path[:] = cell["path"]
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    try:
        module.__dict__.update(_load(inputs / "values.pickle", cell["names"]))
        _prepare_display(cell["ipython"], module)
        execute(cell["source"], cell["filename"], module.__dict__)
        results = _save(cell["outputs"], module.__dict__, Path(os.environ["RUNAI_RESULTS"]))
    except SystemExit as request:
        return _exit_status(request)
    except BaseException as error:
        sys.stdout.flush()
        _report(error=_described(error, cell["filename"]))
        return FAILED
    _report(results=results)
    return 0


def execute(source: str, filename: str, namespace: dict[str, Any]) -> None:
    """Run a cell's source as a notebook would: the value of a last expression is shown."""
    lines = source.splitlines(keepends=True)
    linecache.cache[filename] = (len(source), None, lines, filename)
    tree = ast.parse(source, filename)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(_compiled(tree, filename), namespace)  # noqa: S102 (the cell is the user's own)
    if isinstance(last, ast.Expr):
        value = eval(_compiled(ast.Expression(last.value), filename), namespace)  # noqa: S307
        if value is not None and not source.rstrip().endswith(";"):
            builtins.display(value)  # type: ignore[attr-defined]


def _compiled(tree: ast.Module | ast.Expression, filename: str) -> CodeType:
    mode = "exec" if isinstance(tree, ast.Module) else "eval"
    return compile(tree, filename, mode, dont_inherit=True)


def _load(path: Path, names: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    with path.open("rb") as file:
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

        shell = InteractiveShell.instance(user_module=module)
        builtins.get_ipython = lambda: shell  # type: ignore[attr-defined]
    builtins.display = _display  # type: ignore[attr-defined]


def _display(*values: object, **_: object) -> None:
    for value in values:
        print(repr(value))  # noqa: T201 (this is the cell's output)


def _save(outputs: list[str], namespace: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    if not outputs:
        return []
    import cloudpickle  # noqa: PLC0415 (only where something comes back)

    results = []
    for name in outputs:
        if name not in namespace:
            raise ValueLost(f"the cell ended without a variable {name!r} to bring back")
        path = folder / f"{name}.pickle"
        try:
            with path.open("wb") as file:
                cloudpickle.dump(namespace[name], file, protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            path.unlink(missing_ok=True)
            raise ValueLost(f"{name!r} could not be brought back: {error}") from error
        results.append({"name": name, "type": type(namespace[name]).__name__, "size": path.stat().st_size})
    return results


def _described(error: BaseException, filename: str) -> dict[str, str]:
    """The error with its traceback from the cell's own first frame on."""
    if isinstance(error, ValueLost):
        return {"type": "ValueLost", "message": str(error), "traceback": ""}
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != filename:
        trace = trace.tb_next
    error.__traceback__ = trace
    lines = traceback.format_exception(error)
    return {"type": type(error).__name__, "message": str(error), "traceback": "".join(lines)}


def _report(**report: object) -> None:
    path = Path(os.environ["RUNAI_REPORT"])
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(report))
    fresh.replace(path)


def _exit_status(request: SystemExit) -> int:
    if request.code is None:
        return 0
    if isinstance(request.code, int):
        return request.code
    print(request.code, file=sys.stderr)  # noqa: T201
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
