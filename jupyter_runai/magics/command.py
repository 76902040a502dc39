"""`%runai submit`: a command becomes a workload, its output comes back under the cell."""

from __future__ import annotations

from argparse import Namespace

from IPython.core.interactiveshell import InteractiveShell

from jupyter_runai.client import Client
from jupyter_runai.magics.errors import failed
from jupyter_runai.magics.follow import follow, has_run
from jupyter_runai.magics.line import ProgressLine
from jupyter_runai.magics.stay import Stay
from jupyter_runai.verbs.command import check_followed, submit


def run_command(shell: InteractiveShell, client: Client, options: Namespace) -> None:
    """Submit a command and stay with it until it has ended, or until it is clear that it never starts.

    Raises:
        RunaiError: it was refused; nothing was submitted.
        CellFailed: it ran and failed, or was stopped from here.
    """
    check_followed(options)
    workload = submit(client, options)
    line = ProgressLine(in_place=hasattr(shell, "kernel"))
    workload = follow(client, workload, line, until_placed=False, stay=Stay(None, None))
    if has_run(client, workload) and workload.state != "completed":
        raise failed(workload, client.tasks(workload.id) if workload.tasks > 1 else ())
