"""Runs one cell, or calls a function, in a workload's process: loads what travelled, saves what comes back, reports.

A script for whatever Python the workload names (`python -P -u runner.py`): it imports nothing but the standard library
until it must. Folders come from RUNAI_INPUTS and RUNAI_RESULTS, the report goes to RUNAI_REPORT.

Inputs with a `cell.json` are a cell's (`running/cells.py`), with a `call.json` those of a call (`running/calls.py`).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path


def main() -> int:
    """Run what the inputs are; 0 when it ended well, 1 when it raised, a cell's own status when it exited."""
    _load_running()
    inputs, results = Path(os.environ["RUNAI_INPUTS"]), Path(os.environ["RUNAI_RESULTS"])
    index = int(os.environ.get("RUNAI_TASK_INDEX", "0"))
    kind = "call" if (inputs / "call.json").exists() else "cell"
    run = getattr(importlib.import_module(f"_runai.{kind}s"), f"run_{kind}")
    status: int = run(inputs, results, index)
    return status


def _load_running() -> None:
    """Our own parts, by their place: the workload's Python need not have this package, and a cell may use its names."""
    ours = Path(__file__).parent
    if (ours / "lib").is_dir():
        # Where the notebook's own Python is not, what values are pickled with has travelled too.
        sys.path.insert(0, str(ours / "lib"))
    folder = ours / "running"
    spec = importlib.util.spec_from_file_location(
        "_runai", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018
    sys.modules["_runai"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)


if __name__ == "__main__":
    sys.exit(main())
