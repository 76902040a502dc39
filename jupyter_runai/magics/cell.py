"""`%%runai train`: the cell becomes a workload, its output comes back under it, its results as variables."""

from __future__ import annotations

import ast
import builtins
import codecs
import os
import re
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from msgspec import Struct

from jupyter_runai.client import Client
from jupyter_runai.magics.capture import names_in_magics, names_read
from jupyter_runai.magics.errors import failed, not_brought_back
from jupyter_runai.magics.line import ProgressLine
from jupyter_runai.magics.values import read_results, write_cell, write_values
from jupyter_runai.words import size
from scheduler_core.errors import InvalidRequest
from scheduler_core.model import TaskRequest
from scheduler_core.workload import DEFAULT_QUEUE, PRIORITIES, Workload, WorkloadSpec

_RUNNER = Path(__file__).parent.parent / "runner.py"
_TICK_S = 1.0
_HOPELESS = frozenset({"never_fits", "queue_not_found"})


class CellOptions(Struct, frozen=True, kw_only=True):
    """What the line of a `%%runai train` cell asks for."""

    gpu: int | str | None = None
    gpu_memory: int | None = None
    name: str | None = None
    project: str | None = None
    priority: str | None = None
    workers: int | None = None
    elastic: tuple[int, int] | None = None
    retries: int = 0
    max_time: float | None = None
    detach: bool = False
    outputs: list[str] = []


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
    if _is_hopeless(workload):
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
    spec = specification(options)
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


def specification(options: CellOptions) -> WorkloadSpec:
    """The workload that a line with these options makes of its cell, without what travels with it."""
    fewest, most = options.elastic or (options.workers or 1,) * 2
    return WorkloadSpec(
        command=(sys.executable, "-P", "-u", str(_RUNNER)),
        cwd=working_folder(),
        env=environment(),
        name=options.name or "",
        name_hint=_name_hint(),
        kind="training",
        queue=options.project or DEFAULT_QUEUE,
        tasks=most,
        min_tasks=fewest,
        retries=options.retries,
        max_run_s=options.max_time,
        priority=None if options.priority is None else PRIORITIES[options.priority],
        request=TaskRequest(gpu=options.gpu or 0, gpu_memory_mib=options.gpu_memory or 0),
        key=secrets.token_hex(16),
    )


def working_folder() -> str:
    """Where this notebook works.

    Raises:
        InvalidRequest: the folder is gone, or its name is no text.
    """
    try:
        folder = str(Path.cwd())
    except FileNotFoundError:
        raise InvalidRequest(
            "The folder that this notebook works in is gone.", "Go to another one: %cd FOLDER"
        ) from None
    if not _is_text(folder):
        raise InvalidRequest(f"The folder {folder!a} cannot be used: its name is not UTF-8.", "Rename it.")
    return folder


def environment() -> dict[str, str]:
    """The notebook's variables; of those that are no text a workload does without, and people are told."""
    variables = {name: value for name, value in os.environ.items() if _is_text(name + value)}
    left_out = sorted(os.environ.keys() - variables.keys())
    if left_out:
        names = ", ".join(ascii(name)[1:-1] for name in left_out)
        print(f"The cell goes without the environment variables that are not UTF-8: {names}.", file=sys.stderr)
    return variables


def _is_text(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _name_hint() -> str:
    """The notebook's own name where the server tells it, as far as a workload can be called so."""
    stem = Path(os.environ.get("JPY_SESSION_NAME", "")).stem.lower()
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:50].strip("-") or "cell"


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
        if workload.state == "pending" and _is_hopeless(workload):
            workload = client.stop(workload.id)
            line.show(workload)
            return workload
        if until_placed and (workload.state == "running" or workload.verdict is not None):
            return workload
    return workload


def _is_hopeless(workload: Workload) -> bool:
    return workload.started is None and workload.verdict is not None and workload.verdict.code in _HOPELESS


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
