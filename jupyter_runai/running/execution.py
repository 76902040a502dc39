"""Runs a cell's source as a notebook would."""

from __future__ import annotations

import ast
import builtins
import sys
from types import CodeType

from . import displays
from .reports import FAILED, remember_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CO_COROUTINE = 0x80
"""As `inspect` has it."""


def execute(source: str, filename: str, namespace: dict[str, Any]) -> int:
    """Run the cell; the status it exited with, 0 when it ran to its end."""
    try:
        _run(source, filename, namespace)
    except SystemExit as request:
        return _exit_status(request)
    finally:
        displays.finish_cell()
    return 0


def _run(source: str, filename: str, namespace: dict[str, Any]) -> None:
    """The value of a last expression is shown, `await` works anywhere."""
    remember_source(filename, source)
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
    return bool(code.co_flags & _CO_COROUTINE)


def _compiled(tree: ast.Module | ast.Expression, filename: str) -> CodeType:
    mode = "exec" if isinstance(tree, ast.Module) else "eval"
    code: CodeType = compile(tree, filename, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    return code


def _exit_status(request: SystemExit) -> int:
    if request.code is None:
        return 0
    if isinstance(request.code, int):
        return request.code & 0xFF
    print(request.code, file=sys.stderr)  # noqa: T201
    return FAILED
