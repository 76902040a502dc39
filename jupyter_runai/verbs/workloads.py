"""What the verbs about one workload, or all of them, answer."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Iterable

from jupyter_runai.client import Client
from jupyter_runai.verbs.answer import Answer
from jupyter_runai.verbs.command import preview, submit
from jupyter_runai.verbs.description import described, description_parts
from jupyter_runai.verbs.export import exported
from jupyter_runai.verbs.options import what_to_resize, with_amount
from jupyter_runai.words.explanation import explanation_text
from jupyter_runai.words.figures import (
    asked,
    duration,
    elapsed,
    resized,
    size,
    state_with_idleness,
    state_word,
    told_to_resume,
    told_to_stop,
    told_to_suspend,
)
from jupyter_runai.words.tables import Table
from scheduler_core.workload import KEPT_DELETED_S, Scale

_LONGEST_OUTPUT = 1_000_000
"""In bytes."""


def submitted(client: Client, options: Namespace) -> Answer:
    """What is said at once; whoever stays with a command shows more."""
    if options.dry_run:
        return preview(client, options)
    workload = submit(client, options)
    known = f"{options.prefix} logs {workload.name} · {options.prefix} stop {workload.name}"
    return Answer(f"{workload.name} is submitted as {workload.id}. {known}", workload)


def describe(client: Client, options: Namespace) -> Answer:
    """Everything that is known of a workload."""
    description = described(client, client.find(options.workload))
    return Answer.of(description, *description_parts(description))


def list_workloads(client: Client, options: Namespace) -> Answer:
    """What runs and waits, or everything, or what was deleted."""
    known = client.list(options.deleted)
    chosen = [workload for workload in known if options.all or options.deleted or not workload.has_ended]
    if not chosen and options.deleted:
        return Answer("Nothing was deleted.", chosen)
    if not chosen:
        return Answer("Nothing runs or waits." if not options.all else "Nothing was submitted yet.", chosen)
    now = time.time()
    rows = [
        (
            *(workload.name, workload.id, workload.kind, asked(workload)),
            *(state_with_idleness(workload, now), elapsed(duration(workload, now))),
        )
        for workload in reversed(chosen)
    ]
    header: tuple[str, ...] = ("name", "id", "kind", "gpu", "state", "time")
    if client.info().shared:
        owners = [workload.owner for workload in reversed(chosen)]
        owned = [(*row, owner) for row, owner in zip(rows, owners, strict=True)]
        return Answer.of(chosen, Table((*header, "owner"), tuple(owned)))
    return Answer.of(chosen, Table(header, tuple(rows)))


def logs(client: Client, options: Namespace) -> Answer:
    """A task's output, the last of it where it is long."""
    workload = client.find(options.workload)
    text = _last_output(client.logs(workload.id, options.task), workload.id)
    report = client.tasks(workload.id)[options.task].report
    raised = report.error if report is not None else None
    text += raised.traceback if raised is not None else ""
    # Whoever shows it ends the line.
    return Answer(text.removesuffix("\n"), {"workload": workload.id, "task": options.task, "output": text})


def _last_output(chunks: Iterable[bytes], workload_id: str) -> str:
    """The last of an output as text, from the start of a line where it can, under a line that says what is left out."""
    kept, length = bytearray(), 0
    for chunk in chunks:
        kept += chunk
        length += len(chunk)
        if len(kept) > 2 * _LONGEST_OUTPUT:
            del kept[:-_LONGEST_OUTPUT]
    if length <= _LONGEST_OUTPUT:
        return kept.decode(errors="replace")
    del kept[:-_LONGEST_OUTPUT]
    del kept[: kept.find(b"\n", 0, _LONGEST_OUTPUT // 2) + 1]
    whole = f"jupyter_runai.client.Client().logs({workload_id!r})"
    head = f"[The first {size(length - len(kept))} are left out; Python has all of it: {whole}]"
    return f"{head}\n{kept.decode(errors='replace')}"


def stop(client: Client, options: Namespace) -> Answer:
    """End a workload."""
    workload = client.stop(client.find(options.workload).id)
    return Answer(told_to_stop(workload), workload)


def suspend(client: Client, options: Namespace) -> Answer:
    """Free what it holds."""
    workload = client.suspend(client.find(options.workload).id)
    return Answer(told_to_suspend(workload), workload)


def resume(client: Client, options: Namespace) -> Answer:
    """Let it wait again."""
    workload = client.resume(client.find(options.workload).id)
    return Answer(told_to_resume(workload), workload)


def resize(client: Client, options: Namespace) -> Answer:
    """Change what its tasks ask for."""
    reference, amount = what_to_resize(options, os.environ.get("RUNAI_WORKLOAD_ID"))
    workload = client.find(reference)
    request = with_amount(workload.request, amount)
    answer = client.resize(workload.id, request)
    return Answer(resized(answer, request), answer)


def scale(client: Client, options: Namespace) -> Answer:
    """Change how many tasks it has."""
    scale: Scale = options.workers
    workload = client.find(options.workload)
    answer = client.scale(workload.id, scale)
    count = f"{scale.tasks} tasks" if scale.tasks > 1 else "1 task"
    if answer.applied == "now":
        return Answer(f"{workload.name} has {count} now.", answer)
    return Answer(f"{workload.name} has {count} from its next start on: {answer.reason}.", answer)


def explain(client: Client, options: Namespace) -> Answer:
    """Why it is where it is, and what would help."""
    explanation = client.explain(client.find(options.workload).id, remedies=True)
    return Answer(explanation_text(explanation, options.prefix), explanation)


def export(client: Client, options: Namespace) -> Answer:
    """The workload as a script or a manifest."""
    workload = client.find(options.workload)
    return exported(workload, client.specification(workload.id), options.format, options.image)


def delete(client: Client, options: Namespace) -> Answer:
    """Out of sight, or gone for good."""
    workload = client.find(options.workload)
    client.delete(workload.id, options.purge)
    gone = {"id": workload.id, "name": workload.name, "purged": options.purge}
    if options.purge:
        return Answer(f"{workload.name} is gone for good.", gone)
    days = f"{KEPT_DELETED_S / 86400:.0f} days"
    back = f"{options.prefix} restore {workload.id}"
    return Answer(f"{workload.name} is deleted. For {days} {back} brings it back.", gone)


def restore(client: Client, options: Namespace) -> Answer:
    """Bring back what was deleted."""
    deleted = client.list(deleted=True)
    named = [workload for workload in deleted if options.workload in (workload.id, workload.name)]
    workload = client.restore(named[-1].id if named else options.workload)
    return Answer(f"{workload.name} is there again: {state_word(workload)}.", workload)
