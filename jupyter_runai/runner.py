"""Runs one cell, or calls a function, in a workload's process: loads what travelled, saves what comes back, reports.

A script for whatever Python the workload names (`python -P -u runner.py`): it imports nothing but the standard library
until it must. Folders come from RUNAI_INPUTS and RUNAI_RESULTS, the report goes to RUNAI_REPORT.

Inputs with a `cell.json` are a cell's (`running/cells.py`), with a `call.json` those of a call (`running/calls.py`).
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType


def main() -> int:
    """Run what the inputs are; 0 when it ended well, 1 when it raised, a cell's own status when it exited."""
    _load_running()
    inputs, results = os.environ["RUNAI_INPUTS"], os.environ["RUNAI_RESULTS"]
    index = int(os.environ.get("RUNAI_TASK_INDEX", "0"))
    kind = "call" if os.path.exists(f"{inputs}/call.json") else "cell"
    run = getattr(importlib.import_module(f"_runai.{kind}s"), f"run_{kind}")
    status: int = run(inputs, results, index)
    return status


def _load_running() -> None:
    """Our own parts, by their place: the workload's Python need not have this package, and a cell may use its names."""
    ours = os.path.dirname(os.path.abspath(__file__))
    if os.path.isdir(f"{ours}/lib"):
        # Where the notebook's own Python is not, what values are pickled with has travelled too.
        sys.path.insert(0, f"{ours}/lib")
    sys.modules["_runai"] = package = ModuleType("_runai")
    package.__path__ = [f"{ours}/running"]


if __name__ == "__main__":
    sys.exit(main())
