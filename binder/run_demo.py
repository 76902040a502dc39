"""Runs the demo notebook without a browser, on an engine of its own, and prints what ran where."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from jupyter_runai.client import Client, shared_client
from jupyter_runai.words.figures import duration, held, state_word
from scheduler_core.local import LocalEngine

NOTEBOOK = Path(__file__).with_name("demo.ipynb")
SIMULATED = "2xA100-80GB"


def main() -> int:
    """0 when every cell ran."""
    # A short path of its own: a socket's name has 108 bytes, and the user's own engine is not touched.
    with tempfile.TemporaryDirectory(prefix="runai-") as folder:
        os.environ["RUNAI_ENGINE_DIR"] = folder
        client = shared_client()
        if not client.devices():
            client.simulate(SIMULATED)
        info = client.info()
        kind = f"simulated devices ({info.simulated})" if info.simulated else "this machine's own devices"
        print(f"Engine {info.version} with {kind}; running {NOTEBOOK.name}")
        try:
            failure = _execute()
            _print_workloads(client)
        finally:
            _stop_everything(client)
    print(failure or "The notebook ran to its end; the engine is stopped.")
    return 1 if failure else 0


def _execute() -> str:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    try:
        NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": str(NOTEBOOK.parent)}},
            on_cell_executed=lambda cell, cell_index, execute_reply: _print_cell(cell),
        ).execute()
    except CellExecutionError as error:
        return f"A cell failed: {error}"
    return ""


def _print_cell(cell: nbformat.NotebookNode) -> None:
    print(f"\n>>> {cell.source.splitlines()[0]}")
    for output in cell.outputs:
        if output.output_type == "stream":
            print(output.text.rstrip())
        elif output.output_type in ("display_data", "execute_result"):
            print(output.data.get("text/plain", "").rstrip())


def _stop_everything(client: Client) -> None:
    for workload in client.list():
        if not workload.has_ended:
            client.stop(workload.id)
            for _ in client.follow(workload.id):
                pass
    asyncio.run(LocalEngine().shutdown())


def _print_workloads(client: Client) -> None:
    print("\nWhat ran where:")
    for workload in client.list():
        place = held(workload.allocation, workload.simulated) if workload.allocation else "nowhere"
        seconds = duration(workload, workload.ended or workload.created)
        print(f"  {workload.name:<12} {state_word(workload):<10} {seconds:6.1f} s  {place}")


if __name__ == "__main__":
    sys.exit(main())
