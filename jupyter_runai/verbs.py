"""What the line verbs say, as text: the same in a notebook and on the command line."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from jupyter_runai.client import Client
from jupyter_runai.options import VERBS, what_to_resize, with_amount
from jupyter_runai.words import (
    asked,
    duration,
    elapsed,
    held,
    ordinal,
    resized,
    share,
    size,
    state_word,
    state_words,
    table,
    told_to_resume,
    told_to_stop,
    told_to_suspend,
)
from scheduler_core.errors import InvalidRequest
from scheduler_core.model import MILLI
from scheduler_core.workload import KEPT_DELETED_S, Device, Explanation, Scale

_LONGEST_OUTPUT = 1_000_000
"""In bytes."""


def run_verb(client: Client, verb: str, options: Namespace) -> str:
    """The answer to one verb, a text of one line or several."""
    return _VERBS[verb](client, options)


def _list(client: Client, options: Namespace) -> str:
    known = client.list(options.deleted)
    chosen = [workload for workload in known if options.all or options.deleted or not workload.has_ended]
    if not chosen and options.deleted:
        return "Nothing was deleted."
    if not chosen:
        return "Nothing runs or waits." if not options.all else "Nothing was submitted yet."
    now = time.time()
    rows = [
        (workload.name, workload.id, asked(workload), state_words(workload), elapsed(duration(workload, now)))
        for workload in reversed(chosen)
    ]
    header: tuple[str, ...] = ("name", "id", "gpu", "state", "time")
    if client.info().shared:
        owners = [workload.owner for workload in reversed(chosen)]
        return table((*header, "owner"), [(*row, owner) for row, owner in zip(rows, owners, strict=True)])
    return table(header, rows)


def _logs(client: Client, options: Namespace) -> str:
    workload = client.find(options.workload)
    text = _last_output(client.logs(workload.id, options.task), workload.id)
    report = client.tasks(workload.id)[options.task].report
    raised = report.error if report is not None else None
    return text + raised.traceback if raised is not None else text


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


def _stop(client: Client, options: Namespace) -> str:
    return told_to_stop(client.stop(client.find(options.workload).id))


def _suspend(client: Client, options: Namespace) -> str:
    return told_to_suspend(client.suspend(client.find(options.workload).id))


def _resume(client: Client, options: Namespace) -> str:
    return told_to_resume(client.resume(client.find(options.workload).id))


def _resize(client: Client, options: Namespace) -> str:
    reference, amount = what_to_resize(options, os.environ.get("RUNAI_WORKLOAD_ID"))
    workload = client.find(reference)
    request = with_amount(workload.request, amount)
    return resized(client.resize(workload.id, request), request)


def _scale(client: Client, options: Namespace) -> str:
    fewest, most = options.workers
    workload = client.find(options.workload)
    answer = client.scale(workload.id, Scale(tasks=most, min_tasks=fewest if fewest < most else None))
    count = f"{most} tasks" if most > 1 else "1 task"
    if answer.applied == "now":
        return f"{workload.name} has {count} now."
    return f"{workload.name} has {count} from its next start on: {answer.reason}."


def _explain(client: Client, options: Namespace) -> str:
    return explanation_text(client.explain(client.find(options.workload).id))


def _delete(client: Client, options: Namespace) -> str:
    workload = client.find(options.workload)
    client.delete(workload.id, options.purge)
    if options.purge:
        return f"{workload.name} is gone for good."
    days = f"{KEPT_DELETED_S / 86400:.0f} days"
    return f"{workload.name} is deleted. For {days} %runai restore {workload.id} brings it back."


def _restore(client: Client, options: Namespace) -> str:
    deleted = client.list(deleted=True)
    named = [workload for workload in deleted if options.workload in (workload.id, workload.name)]
    workload = client.restore(named[-1].id if named else options.workload)
    return f"{workload.name} is there again: {state_word(workload)}."


def _devices(client: Client, options: Namespace) -> str:
    info = client.info()
    rows = [_device_row(device) for device in client.devices()]
    lines = [table(("device", "held", "memory", "by"), rows)] if rows else []
    if info.simulated:
        lines.insert(0, f"Simulated devices ({info.simulated}).")
    if info.notice:
        lines.append(info.notice)
    lines.append(f"What runs survives {', '.join(info.survives)}.")
    return "\n".join(lines)


def _queues(client: Client, options: Namespace) -> str:
    queues = client.queues()
    departments = {queue.parent for queue in queues}
    rows = [
        (
            f"{queue.name} (department)" if queue.name in departments else queue.name,
            _number(queue.allocated),
            _number(queue.requested),
            _number(queue.quota),
            _number(queue.fair_share),
        )
        for queue in queues
    ]
    return table(("project", "used", "asked", "quota", "fair share"), rows)


def _kernelspec(answer: str) -> Callable[[Client, Namespace], str]:
    def run(client: Client, options: Namespace) -> str:
        from jupyter_runai.kernels import verbs  # noqa: PLC0415 (the others do without what it needs)

        text: str = getattr(verbs, answer)(options)
        return text

    return run


def _report(answer: str) -> Callable[[Client, Namespace], str]:
    def run(client: Client, options: Namespace) -> str:
        from jupyter_runai.reports import verbs  # noqa: PLC0415 (the others do without)

        text: str = getattr(verbs, answer)(client, options)
        return text

    return run


def _config(client: Client, options: Namespace) -> str:
    if options.value is None:
        simulated = client.info().simulated
        return f"simulate: {simulated or 'off'}"
    before = client.info()
    if options.if_no_gpu and not before.simulated and client.devices():
        return "This machine has a GPU: nothing is simulated."
    info = client.simulate(None if options.value == "off" else options.value)
    if info.simulated:
        return f"This engine now has simulated devices: {info.simulated}. Nothing on them is real."
    return f"This engine now has this machine's own devices. {info.notice}".strip()


def _help(client: Client, options: Namespace) -> str:
    rows = [(f"%runai {verb}", text) for verb, text in VERBS.items()]
    cells = [
        ("%%runai train --gpu 0.5 -o model", "run a cell on half a device and bring a variable back"),
        ("%%runai run --devices 1", "the same before all training, and not preempted"),
        ("%%runai train --dry-run", "see what would travel and when it would start"),
    ]
    return table(("", ""), [*cells, *rows])


def explanation_text(explanation: Explanation) -> str:
    """Why a workload is where it is: a sentence, then the figures behind it."""
    workload, verdict = explanation.workload, explanation.verdict
    place = ""
    if workload.state != "pending" and workload.allocation is not None:
        place = f" on {held(workload.allocation, workload.simulated)}"
    figures = {"reason": workload.reason}
    if verdict is not None and workload.started is None:
        figures |= {"why": verdict.message, "code": verdict.code} | _facts(verdict.facts)
        if verdict.queue_position is not None:
            figures["position"] = f"{ordinal(verdict.queue_position)} in project {workload.queue}"
    rows = [(f"  {name}", text) for name, text in figures.items() if text]
    return "\n".join([f"{workload.name} is {state_words(workload)}{place}.", table(("", ""), rows)]).rstrip()


def _device_row(device: Device) -> tuple[str, ...]:
    taken = sum(holder.portion_milli for holder in device.holders)
    holders = ", ".join(f"{holder.name} {share(holder.portion_milli)}" for holder in device.holders) or "-"
    kind = "simulated " if device.simulated else ""
    name = f"{device.index} {kind}{device.model.removeprefix('NVIDIA ')}"
    memory = f"{device.memory_mib / 1024:.0f} GB" if device.used_mib is None else _used(device)
    return (name, f"{taken / MILLI:.2f}", memory, holders)


def _used(device: Device) -> str:
    return f"{(device.used_mib or 0) / 1024:.1f} of {device.memory_mib / 1024:.0f} GB"


def _number(value: float | None) -> str:
    return "unlimited" if value is None else f"{value:g}"


def _facts(facts: Mapping[str, Any]) -> dict[str, str]:
    """The figures behind a verdict by their names; of cpu and memory only what is neither zero nor unlimited."""
    return {name.replace("_", " "): _fact(value) for name, value in facts.items() if name not in ("pool", "queue")}


def _fact(value: object) -> str:
    if isinstance(value, Mapping):
        parts = {name: part for name, part in value.items() if name == "gpu" or part}
        return ", ".join(f"{_fact(part)} {_UNITS.get(name, name)}" for name, part in parts.items())
    if value is None:
        return "unlimited"
    return f"{value:g}" if isinstance(value, float) else str(value)


_UNITS = {"gpu": "GPU", "cpu_milli": "thousandths of a core", "memory_mib": "MiB"}
_VERBS: dict[str, Callable[[Client, Namespace], str]] = {
    "list": _list,
    "logs": _logs,
    "suspend": _suspend,
    "resume": _resume,
    "resize": _resize,
    "scale": _scale,
    "stop": _stop,
    "explain": _explain,
    "delete": _delete,
    "restore": _restore,
    "devices": _devices,
    "queues": _queues,
    "usage": _report("usage"),
    "report": _report("report"),
    "kernelspec install": _kernelspec("install_kernelspec"),
    "kernelspec list": _kernelspec("list_kernelspecs"),
    "kernelspec remove": _kernelspec("remove_kernelspec"),
    "config": _config,
    "help": _help,
}


def verb_of(words: list[str], known: Collection[str], prefix: str) -> str:
    """The verb that a line starts with, of one word or two; `help` for an empty line.

    Raises:
        InvalidRequest: no such verb.
    """
    groups = {name.split()[0] for name in known if " " in name}
    verb = " ".join(words[: 2 if words[0] in groups else 1]) if words else "help"
    if verb not in known:
        nearest = get_close_matches(verb, known, 1)
        hint = f"Did you mean {prefix} {nearest[0]}?" if nearest else f"It has: {', '.join(known)}."
        raise InvalidRequest(f"{prefix} has no verb {verb!r}.", hint)
    return verb
