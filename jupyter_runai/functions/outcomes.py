"""What a call has left: its value, or the exception that it raised."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from jupyter_runai.client import Client, never_starts
from jupyter_runai.functions.errors import RemoteError
from jupyter_runai.functions.spreading import task_of
from jupyter_runai.pickling.pickles import first_line
from scheduler_core.errors import InvalidRequest
from scheduler_core.workload import RaisedError, TaskStatus, Workload


class Outcome(Struct, frozen=True):
    """How a call ended: its value, or an exception."""

    value: Any = None
    error: Exception | None = None


def outcome_of(client: Client, workload: Workload) -> Outcome:
    """The outcome of a workload that has ended; that of an array is a list of one value or exception an item.

    Raises:
        InvalidRequest: it never started and was withdrawn, or it was no call.
    """
    if never_starts(workload):
        told = workload.verdict.message if workload.verdict is not None else ""
        raise InvalidRequest(f"{workload.name} was not started: {told}.", f"See %runai explain {workload.name}.")
    if not workload.gang:
        return _of_items(client, workload)
    failed = 0
    if workload.state != "completed":
        states = [task.state for task in client.tasks(workload.id)]
        failed = states.index("failed") if "failed" in states else 0
    kept = _kept(client.results(workload.id), f"result-{failed}" if failed else "result")
    if kept is not None:
        return kept
    if workload.state == "completed":
        raise InvalidRequest(f"{workload.name} is no call of a function: it has left no value of one.")
    return Outcome(error=RemoteError(f"{workload.name} {workload.state}{_because(workload.reason)}"))


def _of_items(client: Client, workload: Workload) -> Outcome:
    folders = client.all_results(workload)
    count = _count(folders)
    if workload.state == "stopped":
        return Outcome(error=RemoteError(f"{workload.name} stopped{_because(workload.reason)}"))
    if count is None:
        tasks = client.tasks(workload.id)
        if any(task.state == "completed" for task in tasks):
            raise InvalidRequest(f"{workload.name} is no call of a function: it has left no value of one.")
        return Outcome(error=RemoteError(f"{workload.name} {workload.state}{_because(tasks[0].reason)}"))
    owners = [task_of(item, count, workload.tasks) for item in range(count)]
    found = [_kept(folders[task], str(item)) for item, task in enumerate(owners)]
    tasks = client.tasks(workload.id) if None in found else ()
    return Outcome(
        value=[_in_place(kept, task, tasks, workload.name) for task, kept in zip(owners, found, strict=True)]
    )


def _count(folders: Sequence[Path]) -> int | None:
    """How many items there were, as each task that began has noted."""
    for folder in folders:
        with suppress(OSError, ValueError):
            return int((folder / "items").read_text())
    return None


def _in_place(kept: Outcome | None, index: int, tasks: Sequence[TaskStatus], name: str) -> Any:
    if kept is None:
        task = tasks[index]
        return RemoteError(f"task {index} of {name} {task.state}{_because(task.reason)}")
    return kept.value if kept.error is None else kept.error


def _kept(folder: Path, name: str) -> Outcome | None:
    """What is kept under this name; null where nothing is."""
    path = folder / f"{name}.pickle"
    try:
        with path.open("rb") as file:
            return Outcome(value=pickle.load(file))  # noqa: S301 (written by the user's own workload)
    except FileNotFoundError:
        return _kept_error(folder, name)
    except Exception as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        told = f"The result did not come back, loading it here raised {reason}. It is kept in {path}."
        return Outcome(error=RemoteError(told))


def _kept_error(folder: Path, name: str) -> Outcome | None:
    try:
        raised = msgspec.json.decode((folder / f"{name}.error").read_bytes(), type=RaisedError)
    except FileNotFoundError:
        return None
    remote = RemoteError(f"{raised.type}: {raised.message}", raised)
    own = _own(folder / f"{name}.exception")
    if own is None:
        return Outcome(error=remote)
    own.__cause__ = remote
    return Outcome(error=own)


def _own(path: Path) -> Exception | None:
    """The exception itself, where it can be had here."""
    try:
        with path.open("rb") as file:
            loaded = pickle.load(file)  # noqa: S301 (written by the user's own workload)
    except Exception:
        return None
    return loaded if isinstance(loaded, Exception) else None


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
