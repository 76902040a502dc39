"""`%%runai`: the cell becomes a workload, its output comes back under it, its results as variables."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from msgspec import Struct, field
from msgspec.structs import replace

from jupyter_runai.client import Client
from jupyter_runai.magics.errors import failed, not_brought_back
from jupyter_runai.magics.follow import follow, has_run
from jupyter_runai.magics.inputs import captured, chosen, unknown
from jupyter_runai.magics.keeping import check_keep
from jupyter_runai.magics.kept import kept_process
from jupyter_runai.magics.line import ProgressLine
from jupyter_runai.magics.modules import LocalModules
from jupyter_runai.magics.preview import preview_text
from jupyter_runai.magics.returned import returned_by
from jupyter_runai.magics.sent_values import SentValues
from jupyter_runai.magics.stay import Stay
from jupyter_runai.magics.values import Cell, write_cell, write_values
from jupyter_runai.submission.automatic import with_amount_found
from jupyter_runai.submission.handshake import shake_hands
from jupyter_runai.submission.specification import Asked, specification
from jupyter_runai.submission.surroundings import name_hint
from jupyter_runai.submission.templates import with_template
from jupyter_runai.words.figures import size
from scheduler_core.errors import InvalidRequest
from scheduler_core.workload import Workload


class CellOptions(Asked, frozen=True, kw_only=True):
    """What the line of a `%%runai` cell asks for."""

    detach: bool = False
    dry_run: bool = False
    inputs: list[str] | None = None
    outputs: list[str] = field(default_factory=list)
    keep: float | None = None


class CellLimits(Struct, frozen=True, kw_only=True):
    """Sizes in bytes: from `warn` on people are told, above `refuse` nothing is submitted."""

    warn: int
    refuse: int


def run_cell(
    shell: InteractiveShell,
    client: Client,
    options: CellOptions,
    source: str,
    limits: CellLimits,
    modules: LocalModules,
    sent: SentValues,
) -> None:
    """Submit a cell, or hand it to what is kept under its name, and stay with it.

    That is until it has ended, or until it is clear that it never starts.

    Raises:
        SyntaxError: the cell is no Python; nothing was submitted.
        RunaiError: it was refused; nothing was submitted.
        CellFailed: it ran and failed, or was stopped from here.
        Shown: it completed, and a variable it left cannot be had here.
    """
    check_keep(options)
    kept = None if options.dry_run else kept_process(client, options, sent)
    if kept is None:
        options = with_amount_found(client, with_template(client, options))
        # A template may ask for what cannot be kept.
        check_keep(options)
    cell = prepared_cell(shell, options, source, modules, () if kept is None else kept.names)
    if options.dry_run:
        print(preview_cell(shell, client, options, cell, limits))
        return
    if kept is None:
        workload = submit_cell(shell, client, options, cell, limits)
    else:
        workload = kept.workload

        def write(folder: Path, values: Mapping[str, Any]) -> None:
            _write(shell, folder, replace(cell, values=dict(values)), limits)

        kept.hand_over(client, cell.values, sent, write)
    if cell.keep is not None:
        sent.note(workload, cell.values)
    line = ProgressLine(in_place=hasattr(shell, "kernel"))
    stay = Stay(cell, kept)
    workload = follow(client, workload, line, options.detach, stay)
    if stay.kept_until is not None:
        sent.expect(workload, stay.kept_until)
    if not has_run(client, workload):
        return
    sent.note(workload, _bring_back(shell, client, workload, line, stay.note))
    if stay.has_lost_values:
        sent.forget(workload)
    if workload.state != "completed":
        raise failed(workload, stay.tasks(client, workload))


def prepared_cell(
    shell: InteractiveShell, options: CellOptions, source: str, modules: LocalModules, there: Collection[str] = ()
) -> Cell:
    """What is to travel; people are told of names that nothing defines and of modules that have changed.

    `there` are the names that its process has already.
    """
    python = shell.transform_cell(source)
    filename = f"In[{shell.displayhook.prompt_count}]"
    _check(python, filename)
    values = captured(python, shell.user_ns) if options.inputs is None else chosen(options.inputs, shell.user_ns)
    changed = modules.changed()
    known = {*(shell.user_ns if options.inputs is None else values), *there}
    for sentence in unknown(python, known, shell.user_ns):
        print(sentence, file=sys.stderr)
    if changed:
        print(f"Changed on disk, and in the cell as they are here: {', '.join(changed)}.", file=sys.stderr)
    return Cell(
        python=python, filename=filename, values=values, modules=changed, outputs=options.outputs, keep=options.keep
    )


def preview_cell(shell: InteractiveShell, client: Client, options: CellOptions, cell: Cell, limits: CellLimits) -> str:
    """What would travel, what would be asked for and what the engine would do; nothing is submitted."""
    spec = specification(options, name_hint(os.environ, "cell"))
    with client.staging() as folder:
        written = write_values(folder, cell.values, limits.refuse, shell.user_global_ns, cell.modules)
    return preview_text(cell.values, cell.modules, written.sizes, spec, client.preview(spec))


def submit_cell(
    shell: InteractiveShell, client: Client, options: CellOptions, cell: Cell, limits: CellLimits
) -> Workload:
    """Take along what the cell reads, and submit it."""
    spec = specification(options, name_hint(os.environ, "cell"))
    shake_hands(spec.command[0])
    with client.staging() as folder:
        _write(shell, folder, cell, limits)
        return client.submit(spec, folder)


def _write(shell: InteractiveShell, folder: Path, cell: Cell, limits: CellLimits) -> None:
    written = write_values(folder, cell.values, limits.refuse, shell.user_global_ns, cell.modules)
    write_cell(folder, cell, written, limits.refuse)
    total = sum(written.sizes.values())
    if total > limits.warn:
        print(f"{size(total)} of values travel with this cell; a path to a file would be faster.", file=sys.stderr)


def _check(python: str, filename: str) -> None:
    try:
        # By way of its tree as over there: that takes fewer levels than compiling the text.
        compile(ast.parse(python, filename), filename, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except RecursionError:
        raise InvalidRequest("The cell is nested too deeply for Python to compile.", "Split it.") from None


def _bring_back(
    shell: InteractiveShell, client: Client, workload: Workload, line: ProgressLine, note: str
) -> dict[str, Any]:
    """Take over the values that it left, and say so behind what else there is to say."""
    returned = returned_by(client, workload)
    shell.push(returned.values)
    line.show(workload, returned.words, note)
    if returned.lost:
        raise not_brought_back(returned.lost)
    return returned.values
