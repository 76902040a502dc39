"""What `%runai workspace ...` and `jupyter runai workspace ...` say."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from jupyter_runai.client import AsyncClient, shared_client
from jupyter_runai.client.runtime import runtime
from jupyter_runai.kernels import lifetime
from jupyter_runai.kernels.specs import HERE
from jupyter_runai.kernels.verbs import of_template, placed, without_meaning
from jupyter_runai.kernels.workspaces import Workspace, all_workspaces, with_kernel
from jupyter_runai.submission.specification import Asked
from jupyter_runai.submission.templates import with_template
from jupyter_runai.verbs.answer import Answer
from jupyter_runai.verbs.parser import UsageError
from jupyter_runai.words.figures import asked_for, duration, elapsed, state_with_idleness
from jupyter_runai.words.tables import Table
from jupyter_runai.words.waiting import waiting_words
from scheduler_core.policies.templates import Environment

T = TypeVar("T")


def create_workspace(options: Namespace) -> Answer:
    """Make one, and start it.

    Raises:
        UsageError: neither the line nor a template says how much.
    """
    given = {name: getattr(options, name) for name in ("gpu", "gpu_memory", "project", "template", "environment")}
    asked = with_template(shared_client(), Asked(**given))
    if not asked.gpu and not asked.gpu_memory:
        raise UsageError("workspace create needs an amount.", "Say it: --gpu 0.5, or a --template that has one.")
    chosen = asked.environment if isinstance(asked.environment, Environment) else HERE
    folder = options.folder or chosen.folder or "."
    config = {
        "folder": str(Path(folder).absolute()),
        **placed(options),
        **of_template(asked),
        **_changes(asked, options.preemptible),
    }
    inside = with_kernel(chosen, options.kernel, options.python)
    made = _opened(_run(lifetime.create(AsyncClient(), options.name, options.kernel, inside, config)))
    return made._replace(text=made.text + without_meaning(asked))


def list_workspaces(options: Namespace) -> Answer:
    """All of them."""
    known, now = _run(all_workspaces(AsyncClient())), time.time()
    rows = tuple(
        (each.name, _id(each), asked_for(each.request, 1), _state(each, now), _time(each, now), each.folder)
        for each in known
    )
    header = ("name", "id", "gpu", "state", "time", "folder")
    return Answer.of(known, Table(header, rows) if rows else "There is no workspace yet.")


def open_workspace(options: Namespace) -> Answer:
    """Start it where it does not run, and say how to open a notebook on it."""
    return _opened(_run(lifetime.start(AsyncClient(), options.workspace)))


def suspend_workspace(options: Namespace) -> Answer:
    """Free its device and keep it."""
    known = _run(lifetime.suspend(AsyncClient(), options.workspace))
    resume = f"{options.prefix} workspace resume {known.name}"
    return Answer(
        f"{known.name} is {_state(known, time.time())}. {resume} starts it again, with an empty kernel.", known
    )


def resume_workspace(options: Namespace) -> Answer:
    """Let it start again."""
    return _opened(_run(lifetime.resume(AsyncClient(), options.workspace)))


def copy_workspace(options: Namespace) -> Answer:
    """Make another like it."""
    changes = placed(options) | _changes(options, options.preemptible)
    if options.folder is not None:
        changes["folder"] = str(Path(options.folder).absolute())
    return _opened(_run(lifetime.copy(AsyncClient(), options.workspace, options.name, changes)))


def delete_workspace(options: Namespace) -> Answer:
    """End it, and offer it no longer."""
    known = _run(lifetime.delete(AsyncClient(), options.workspace))
    return Answer(f"The workspace {known.name} is deleted. Its folder {known.folder} is as it was.", known)


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    return runtime().run(coroutine)


def _changes(asked: Asked | Namespace, preemptible: bool) -> dict[str, Any]:
    """What is asked for as a provisioner's `config`; an amount takes the place of that of the other kind."""
    changes: dict[str, Any] = {}
    if asked.gpu or asked.gpu_memory:
        changes = {"gpu": str(asked.gpu or ""), "gpu_memory_mib": asked.gpu_memory or 0}
    if asked.project:
        changes["project"] = asked.project
    if preemptible:
        changes["preemptible"] = True
    return changes


def _opened(known: Workspace) -> Answer:
    text = (
        f"{known.name} is {_state(known, time.time())}. Choose the kernel {known.display_name!r} for a notebook on it."
    )
    if known.workload is not None and known.workload.state == "pending":
        text += "".join(f"\n{word}" for word in waiting_words(known.workload))
    return Answer(text, known)


def _state(known: Workspace, now: float) -> str:
    return "not started" if known.workload is None else state_with_idleness(known.workload, now)


def _id(known: Workspace) -> str:
    return "-" if known.workload is None else known.workload.id


def _time(known: Workspace, now: float) -> str:
    return "-" if known.workload is None else elapsed(duration(known.workload, now))
