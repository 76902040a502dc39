"""`%%runai train`: the cell becomes a workload, its output comes back under it, its results as variables."""

from __future__ import annotations

import ast
import builtins
import codecs
import os
import sys
from collections.abc import Mapping
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from msgspec import Struct, field

from jupyter_runai.client import Client, never_starts
from jupyter_runai.magics.capture import names_in_magics, names_read
from jupyter_runai.magics.errors import failed, not_brought_back
from jupyter_runai.magics.line import ProgressLine
from jupyter_runai.magics.values import read_results, write_cell, write_values
from jupyter_runai.specification import Asked, specification
from jupyter_runai.surroundings import name_hint
from jupyter_runai.words import size
from scheduler_core.errors import InvalidRequest
from scheduler_core.workload import Workload

_TICK_S = 1.0


class CellOptions(Asked, frozen=True, kw_only=True):
    """What the line of a `%%runai train` cell asks for."""

    detach: bool = False
    outputs: list[str] = field(default_factory=list)


class CellLimits(Struct, frozen=True, kw_only=True):
    """Sizes in bytes: from `warn` on people are told, above `refuse` nothing is submitted."""

    warn: int
    refuse: int


def run_cell(shell: InteractiveShell, client: Client, options: CellOptions, source: str, limits: CellLimits) -> None:
    """Submit a cell and stay with it until it has ended, or until it is clear that it never starts.

    Raises:
        SyntaxError: the cell is no Python; nothing was submitted.
        RunaiError: it was refused; nothing was submitted.
        CellFailed: it ran and failed.
        Shown: it completed, and a variable it left cannot be had here.
    """
    workload = submit_cell(shell, client, options, source, limits)
    line = ProgressLine(in_place=hasattr(shell, "kernel"))
    line.show(workload)
    try:
        workload = _follow(client, workload, line, until_placed=options.detach)
    except KeyboardInterrupt:
        _say_detached(workload)
        return
    if not workload.has_ended:
        _say_detached(workload)
        return
    if never_starts(workload):
        print(f"It was not started and is withdrawn; the figures: %runai explain {workload.name}")
        print(client.info().notice, end="")
        return
    _bring_back(shell, client, workload, line)
    if workload.state != "completed":
        raise failed(workload)


def submit_cell(
    shell: InteractiveShell, client: Client, options: CellOptions, source: str, limits: CellLimits
) -> Workload:
    """Take along what the cell reads, and submit it."""
    python = shell.transform_cell(source)
    filename = f"In[{shell.execution_count}]"
    _check(python, filename)
    spec = specification(options, name_hint(os.environ, "cell"))
    values = captured(python, shell.user_ns)
    with client.staging() as folder:
        total = write_values(folder, values, limits.refuse, shell.user_global_ns)
        ipython = "get_ipython()" in python
        write_cell(folder, python, filename, list(values), options.outputs, ipython)
        if total > limits.warn:
            print(f"{size(total)} of values travel with this cell; a path to a file would be faster.", file=sys.stderr)
        return client.submit(spec, folder)


def _check(python: str, filename: str) -> None:
    try:
        # By way of its tree as over there: that takes fewer levels than compiling the text.
        compile(ast.parse(python, filename), filename, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except RecursionError:
        raise InvalidRequest("The cell is nested too deeply for Python to compile.", "Split it.") from None


def captured(python: str, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """What the cell reads and the notebook has; IPython's own names stay here."""
    own = {"In", "Out", "get_ipython", "exit", "quit", "display"}
    return {
        name: namespace[name]
        for name in sorted({*names_read(python), *names_in_magics(python)})
        if name in namespace and name not in own and not _is_builtin(name, namespace[name])
    }


def _is_builtin(name: str, value: Any) -> bool:
    return getattr(builtins, name, captured) is value


def _say_detached(workload: Workload) -> None:
    print(f"Detached: {workload.name} goes on. %runai logs {workload.name} · %runai stop {workload.name}")


def _follow(client: Client, workload: Workload, line: ProgressLine, until_placed: bool) -> Workload:
    """Show a workload until it has ended, or until it runs or is known to wait.

    One that can never start is stopped; its verdict stays to be read.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for update in client.follow(workload.id, tick_s=_TICK_S):
        if isinstance(update, bytes):
            sys.stdout.write(decoder.decode(update))
            sys.stdout.flush()
            continue
        if update is not None:
            workload = update
        line.show(workload)
        if workload.state == "pending" and never_starts(workload):
            workload = client.stop(workload.id)
            line.show(workload)
            return workload
        if until_placed and (workload.state == "running" or workload.verdict is not None):
            return workload
    return workload


def _bring_back(shell: InteractiveShell, client: Client, workload: Workload, line: ProgressLine) -> None:
    results = workload.report.results if workload.report is not None else ()
    if not results:
        return
    folder = client.results(workload.id)
    values, lost = read_results(folder, [result.name for result in results])
    shell.push(values)
    line.show(workload, tuple((result.name, result.type, result.size) for result in results if result.name in values))
    if lost:
        raise not_brought_back(lost)
