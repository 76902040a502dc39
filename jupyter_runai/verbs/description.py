"""Everything that is known of a workload."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator

from msgspec import Struct

from jupyter_runai.client import Client
from jupyter_runai.verbs.policies import notice_words
from jupyter_runai.verbs.use import last_second, use_sentence
from jupyter_runai.words.figures import asked_for, duration, elapsed, held, idle_time, moment, state_words
from jupyter_runai.words.tables import Table
from jupyter_runai.words.waiting import waiting_words
from scheduler_core.errors import NotAllowed
from scheduler_core.workload import Measurement, TaskStatus, Workload


class Command(Struct, frozen=True, kw_only=True):
    """What runs: of its environment nothing is told."""

    command: tuple[str, ...]
    cwd: str
    retries: int
    max_run_s: float | None


class Description(Struct, frozen=True, kw_only=True):
    """A workload, its tasks, what it used in its last second, and what it runs, null where that is another user's."""

    workload: Workload
    tasks: tuple[TaskStatus, ...]
    now: Measurement | None
    runs: Command | None


def described(client: Client, workload: Workload) -> Description:
    """Ask the engine for all of it."""
    now = None if workload.has_ended else last_second(client, workload)
    return Description(workload=workload, tasks=client.tasks(workload.id), now=now, runs=_command(client, workload))


def description_parts(description: Description) -> list[str | Table]:
    """A line for each thing that is known, and a table of its tasks where there are several."""
    workload = description.workload
    rows = [("name", workload.name), ("id", workload.id), *_figures(description)]
    parts: list[str | Table] = [Table(("", ""), tuple(row for row in rows if row[1]))]
    if len(description.tasks) > 1:
        header = ("task", "state", "on", "exit code", "restarts", "reason")
        parts += ["", Table(header, tuple(_task(task, workload.simulated) for task in description.tasks))]
    return parts


def _command(client: Client, workload: Workload) -> Command | None:
    try:
        spec = client.specification(workload.id)
    except NotAllowed:
        return None
    return Command(command=spec.command, cwd=spec.cwd, retries=spec.retries, max_run_s=spec.max_run_s)


def _figures(description: Description) -> Iterator[tuple[str, str]]:
    workload, runs = description.workload, description.runs
    yield "owner", workload.owner
    yield "project", workload.queue
    preemptible = "preemptible" if workload.preemptible else "not preemptible"
    yield "as", f"{workload.kind}, priority {workload.priority}, {preemptible}"
    if workload.origin is not None:
        yield "from", f"a {workload.origin.kind} ({workload.origin.level}), placed by {workload.origin.scheduler}"
    yield "state", state_words(workload)
    yield "waits for", " · ".join(waiting_words(workload)) if workload.state == "pending" else ""
    yield "reason", workload.reason
    yield "rule", notice_words(workload, time.time())
    yield "asks for", asked_for(workload.request, workload.tasks)
    if workload.next_request is not None or workload.next_scale is not None:
        tasks = workload.tasks if workload.next_scale is None else workload.next_scale.tasks
        yield "next asks for", asked_for(workload.next_request or workload.request, tasks)
    holds = "held" if workload.has_ended else "holds"
    yield holds, "" if workload.allocation is None else held(workload.allocation, workload.simulated)
    yield "uses", "" if description.now is None else use_sentence(description.now, workload.simulated)
    yield from _times(workload)
    yield "idle for", idle_time(workload, time.time())
    yield "restarts", str(workload.restarts or "")
    yield "exit code", "" if workload.exit_code is None else str(workload.exit_code)
    error = workload.report.error if workload.report is not None else None
    yield "raised", "" if error is None else f"{error.type}: {error.message}"
    if runs is not None:
        yield "runs", shlex.join(runs.command)
        yield "in", runs.cwd
        yield "retries", str(runs.retries or "")
        yield "at most", "" if runs.max_run_s is None else elapsed(runs.max_run_s)


def _times(workload: Workload) -> Iterator[tuple[str, str]]:
    yield "submitted", moment(workload.created)
    yield "started", "" if workload.started is None else moment(workload.started)
    yield "ended", "" if workload.ended is None else moment(workload.ended)
    ran = "waited for" if workload.started is None else "ran for"
    yield ran, elapsed(duration(workload, time.time()))


def _task(task: TaskStatus, simulated: bool) -> tuple[str, ...]:
    place = "-" if task.allocation is None else held(task.allocation, simulated)
    status = "-" if task.exit_code is None else str(task.exit_code)
    return (str(task.index), task.state, place, status, str(task.restarts), task.reason)
