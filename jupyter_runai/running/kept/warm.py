"""Keeps a task for the next cell of its name: each cell runs in an interpreter of its own, on what is there by then.

A script, the first process of a pod, or of a task of a gang on one machine. `keeping.json` in the inputs is the first
order, as a notebook gives it to `door.py`; for a gang with the `token` by which its tasks know each other.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import tempfile
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KEEPING = "keeping.json"
_LOST = "It was taken off its devices, and what was kept there is gone. Run the cell again."


def main() -> int:
    """Run the cell of the inputs and those that come after it; the status of the last."""
    running = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.modules["_runai"] = package = ModuleType("_runai")
    package.__path__ = [running]
    kept_task, lead = _part("kept_task"), _part("lead_keeper")
    inputs, results = os.environ["RUNAI_INPUTS"], os.environ["RUNAI_RESULTS"]
    if os.environ.get("RUNAI_KEPT") or os.path.exists(f"{results}/{lead.MARK}"):
        # Started anew it would run a cell that others came after.
        return int(kept_task.failed("KeptLost", _LOST))
    with open(f"{inputs}/{KEEPING}", encoding="utf-8") as file:
        first = {**json.load(file), "folder": inputs}
    own, store = "", None
    if "inputs" in first:
        own = tempfile.mkdtemp(prefix="runai-kept-")
        store = _part("stored_pieces").Store(f"{own}/pieces")
        store.add_files(inputs, first["inputs"])
    rank, tasks = int(os.environ.get("RUNAI_TASK_INDEX", "0")), int(os.environ.get("RUNAI_TASK_COUNT", "1"))
    cell = _part("fresh_cell").FreshCell(os.path.join(os.path.dirname(running), "runner.py"))
    task = kept_task.Task(rank, tasks, first, results, own, store, cell)
    keeper = _part("member_keeper").MemberKeeper(task) if rank else lead.LeadKeeper(task)
    status: int = asyncio.run(keeper.run())
    return status


def _part(name: str) -> Any:
    return importlib.import_module(f"_runai.kept.{name}")


if __name__ == "__main__":
    sys.exit(main())
