"""What the line verbs answer: the same in a notebook and on the command line."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches

from jupyter_runai.client import Client
from jupyter_runai.client.chosen import ENGINE_VARIABLE, choose_engine, engine_name, engine_of
from jupyter_runai.verbs import policies
from jupyter_runai.verbs.answer import Answer
from jupyter_runai.verbs.audit import audit
from jupyter_runai.verbs.command import preview, submit
from jupyter_runai.verbs.description import described, description_text
from jupyter_runai.verbs.export import exported
from jupyter_runai.verbs.options import CELL_VERBS, VERBS, cell_parser, verb_parsers, what_to_resize, with_amount
from jupyter_runai.verbs.parser import Parser, UsageError, asks_for_help
from jupyter_runai.verbs.use import in_use, use_table
from jupyter_runai.words.explanation import explanation_text
from jupyter_runai.words.figures import (
    asked,
    duration,
    elapsed,
    resized,
    share,
    size,
    state_with_idleness,
    state_word,
    table,
    told_to_resume,
    told_to_stop,
    told_to_suspend,
)
from jupyter_runai.words.roles import roles_text
from scheduler_core.model import MILLI
from scheduler_core.workload import KEPT_DELETED_S, Device, Scale

_LONGEST_OUTPUT = 1_000_000
"""In bytes."""


def run_verb(client: Client, verb: str, options: Namespace) -> str:
    """The answer to one verb: a text of one line or several, or one JSON document."""
    answer = _VERBS[verb](client, options)
    return answer.json() if options.json else answer.text


def _submit(client: Client, options: Namespace) -> Answer:
    """What is said at once; whoever stays with a command shows more."""
    if options.dry_run:
        return preview(client, options)
    workload = submit(client, options)
    known = f"{options.prefix} logs {workload.name} · {options.prefix} stop {workload.name}"
    return Answer(f"{workload.name} is submitted as {workload.id}. {known}", workload)


def _describe(client: Client, options: Namespace) -> Answer:
    description = described(client, client.find(options.workload))
    return Answer(description_text(description), description)


def _list(client: Client, options: Namespace) -> Answer:
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
        return Answer(table((*header, "owner"), owned), chosen)
    return Answer(table(header, rows), chosen)


def _logs(client: Client, options: Namespace) -> Answer:
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


def _stop(client: Client, options: Namespace) -> Answer:
    workload = client.stop(client.find(options.workload).id)
    return Answer(told_to_stop(workload), workload)


def _suspend(client: Client, options: Namespace) -> Answer:
    workload = client.suspend(client.find(options.workload).id)
    return Answer(told_to_suspend(workload), workload)


def _resume(client: Client, options: Namespace) -> Answer:
    workload = client.resume(client.find(options.workload).id)
    return Answer(told_to_resume(workload), workload)


def _resize(client: Client, options: Namespace) -> Answer:
    reference, amount = what_to_resize(options, os.environ.get("RUNAI_WORKLOAD_ID"))
    workload = client.find(reference)
    request = with_amount(workload.request, amount)
    answer = client.resize(workload.id, request)
    return Answer(resized(answer, request), answer)


def _scale(client: Client, options: Namespace) -> Answer:
    scale: Scale = options.workers
    workload = client.find(options.workload)
    answer = client.scale(workload.id, scale)
    count = f"{scale.tasks} tasks" if scale.tasks > 1 else "1 task"
    if answer.applied == "now":
        return Answer(f"{workload.name} has {count} now.", answer)
    return Answer(f"{workload.name} has {count} from its next start on: {answer.reason}.", answer)


def _explain(client: Client, options: Namespace) -> Answer:
    explanation = client.explain(client.find(options.workload).id, remedies=True)
    return Answer(explanation_text(explanation, options.prefix), explanation)


def _export(client: Client, options: Namespace) -> Answer:
    workload = client.find(options.workload)
    return exported(workload, client.specification(workload.id), options.format, options.image)


def _delete(client: Client, options: Namespace) -> Answer:
    workload = client.find(options.workload)
    client.delete(workload.id, options.purge)
    gone = {"id": workload.id, "name": workload.name, "purged": options.purge}
    if options.purge:
        return Answer(f"{workload.name} is gone for good.", gone)
    days = f"{KEPT_DELETED_S / 86400:.0f} days"
    back = f"{options.prefix} restore {workload.id}"
    return Answer(f"{workload.name} is deleted. For {days} {back} brings it back.", gone)


def _restore(client: Client, options: Namespace) -> Answer:
    deleted = client.list(deleted=True)
    named = [workload for workload in deleted if options.workload in (workload.id, workload.name)]
    workload = client.restore(named[-1].id if named else options.workload)
    return Answer(f"{workload.name} is there again: {state_word(workload)}.", workload)


def _top(client: Client, options: Namespace) -> Answer:
    everything = in_use(client)
    return Answer(use_table(everything) if everything else "Nothing runs.", everything)


def _devices(client: Client, options: Namespace) -> Answer:
    info, devices = client.info(), client.devices()
    nodes = {device.node for device in devices}
    rows = [_device_row(device, with_node=len(nodes) > 1) for device in devices]
    lines = [table(("device", "held", "memory", "by"), rows)] if rows else []
    if info.simulated:
        lines.insert(0, f"Simulated devices ({info.simulated}).")
    if info.notice:
        lines.append(info.notice)
    lines.append(f"What runs survives {', '.join(info.survives)}.")
    return Answer("\n".join(lines), devices)


def _queues(client: Client, options: Namespace) -> Answer:
    queues = client.queues()
    departments = {queue.parent for queue in queues}
    counts_past = any(queue.past_use is not None for queue in queues)
    rows = [
        (
            f"{queue.name} (department)" if queue.name in departments else queue.name,
            _number(queue.allocated),
            _number(queue.requested),
            _number(queue.quota),
            _number(queue.fair_share),
            *(("-" if queue.past_use is None else f"{queue.past_use.part:.0%}",) if counts_past else ()),
        )
        for queue in queues
    ]
    header = ("project", "used", "asked", "quota", "fair share", *(("past use",) if counts_past else ()))
    return Answer(table(header, rows), queues)


def _whoami(client: Client, options: Namespace) -> Answer:
    info = client.info()
    if info.kind == "kubernetes":
        return Answer(f"{info.user} on the cluster at {info.host}: version {info.version} asks it.", info)
    whose = "the engine of all users" if info.shared else "an engine of one's own"
    devices = f"simulated devices ({info.simulated})" if info.simulated else "this machine's devices"
    text = f"{info.user} on {info.host}: {whose}, with {devices}; {info.kind}, version {info.version}."
    return Answer("\n".join([text, *roles_text(info)]), info)


def _kernelspec(answer: str) -> Callable[[Client, Namespace], Answer]:
    def run(client: Client, options: Namespace) -> Answer:
        from jupyter_runai.kernels import verbs  # noqa: PLC0415 (the others do without what it needs)

        said: Answer = getattr(verbs, answer)(client, options)
        return said

    return run


def _workspace(answer: str) -> Callable[[Client, Namespace], Answer]:
    def run(client: Client, options: Namespace) -> Answer:
        from jupyter_runai.kernels import workspace_verbs  # noqa: PLC0415 (the others do without what it needs)

        said: Answer = getattr(workspace_verbs, answer)(options)
        return said

    return run


def _report(answer: str) -> Callable[[Client, Namespace], Answer]:
    def run(client: Client, options: Namespace) -> Answer:
        from jupyter_runai.reports import verbs  # noqa: PLC0415 (the others do without)

        said: Answer = getattr(verbs, answer)(client, options)
        return said

    return run


def _config(client: Client, options: Namespace) -> Answer:
    return (_config_engine if options.setting == "engine" else _config_simulate)(client, options)


def _config_engine(client: Client, options: Namespace) -> Answer:
    """What cannot be reached is not chosen."""
    if options.value is None:
        return Answer(f"engine: {engine_name()}", client.info())
    chosen = Client(engine_of(options.value))
    try:
        info = chosen.info()
    finally:
        chosen.close()
    choose_engine(options.value)
    said = f"From the next start of a kernel or of Jupyter on, {options.value} at {info.host} is asked, as {info.user}."
    overridden = os.environ.get(ENGINE_VARIABLE)
    note = f"But {ENGINE_VARIABLE}={overridden} is set here, and goes before it." if overridden else ""
    return Answer(f"{said} {note}".strip(), info)


def _config_simulate(client: Client, options: Namespace) -> Answer:
    before = client.info()
    if options.value is None:
        return Answer(f"simulate: {before.simulated or 'off'}", before)
    if options.if_no_gpu and not before.simulated and client.devices():
        return Answer("This machine has a GPU: nothing is simulated.", before)
    info = client.simulate(None if options.value == "off" else options.value)
    if info.simulated:
        text = f"This engine now has simulated devices: {info.simulated}. Nothing on them is real."
    else:
        text = f"This engine now has this machine's own devices. {info.notice}".strip()
    return Answer(text, info)


def _help(client: Client, options: Namespace) -> Answer:
    if options.verb:
        parsers = verb_parsers(options.prefix) | {verb: cell_parser(verb) for verb in CELL_VERBS}
        text = parsers[verb_of(options.verb, parsers, options.prefix)].format_help().strip()
        return Answer(text, {"help": text})
    rows = [(f"{options.prefix} {verb}", text) for verb, text in VERBS.items()]
    cells = [
        ("%%runai train --gpu 0.5 -o model", "run a cell on half a device and bring a variable back"),
        ("%%runai run --devices 1", "the same before all training, and not preempted"),
        ("%%runai train --dry-run", "see what would travel and when it would start"),
    ]
    return Answer(table(("", ""), [*cells, *rows]), VERBS)


def _device_row(device: Device, with_node: bool) -> tuple[str, ...]:
    taken = sum(holder.portion_milli for holder in device.holders)
    holders = ", ".join(f"{holder.name} {share(holder.portion_milli)}" for holder in device.holders) or "-"
    kind = "simulated " if device.simulated else ""
    index = f"{device.node}/{device.index}" if with_node else str(device.index)
    name = f"{index} {kind}{device.model.removeprefix('NVIDIA ')}"
    memory = f"{device.memory_mib / 1024:.0f} GB" if device.used_mib is None else _used(device)
    return (name, f"{taken / MILLI:.2f}", memory, holders)


def _used(device: Device) -> str:
    return f"{(device.used_mib or 0) / 1024:.1f} of {device.memory_mib / 1024:.0f} GB"


def _number(value: float | None) -> str:
    return "unlimited" if value is None else f"{value:g}"


_VERBS: dict[str, Callable[[Client, Namespace], Answer]] = {
    "submit": _submit,
    "list": _list,
    "describe": _describe,
    "logs": _logs,
    "suspend": _suspend,
    "resume": _resume,
    "resize": _resize,
    "scale": _scale,
    "stop": _stop,
    "explain": _explain,
    "export": _export,
    "delete": _delete,
    "restore": _restore,
    "top": _top,
    "devices": _devices,
    "queues": _queues,
    "usage": _report("usage"),
    "report": _report("report"),
    "audit": audit,
    "project list": _queues,
    "policy show": policies.show,
    "policy explain": policies.explain,
    "policy check": policies.check,
    "snooze": policies.snooze,
    "template list": policies.templates,
    "environment list": policies.environments,
    "kernelspec install": _kernelspec("install_kernelspec"),
    "kernelspec list": _kernelspec("list_kernelspecs"),
    "kernelspec remove": _kernelspec("remove_kernelspec"),
    "workspace create": _workspace("create_workspace"),
    "workspace list": _workspace("list_workspaces"),
    "workspace open": _workspace("open_workspace"),
    "workspace suspend": _workspace("suspend_workspace"),
    "workspace resume": _workspace("resume_workspace"),
    "workspace copy": _workspace("copy_workspace"),
    "workspace delete": _workspace("delete_workspace"),
    "whoami": _whoami,
    "config": _config,
    "help": _help,
}


def read_line(words: list[str], parsers: Mapping[str, Parser], prefix: str) -> tuple[str, Namespace]:
    """The verb of a line and its options; one without words asks for help.

    Raises:
        UsageError: there is no such verb, or its options are not as they can be.
    """
    verb = verb_of(words, parsers, prefix)
    rest = words[len(verb.split()) :]
    verb, rest = ("help", verb.split()) if asks_for_help(rest) else (verb, rest)
    return verb, parsers[verb].parse(rest)


def verb_of(words: list[str], known: Collection[str], prefix: str) -> str:
    """The verb that a line starts with, of one word or two; `help` for an empty line.

    Raises:
        UsageError: no such verb.
    """
    groups = {name.split()[0] for name in known if " " in name}
    verb = " ".join(words[: 2 if words[0] in groups else 1]) if words else "help"
    if verb not in known:
        nearest = get_close_matches(verb, known, 1)
        hint = f"Did you mean {prefix} {nearest[0]}?" if nearest else f"It has: {', '.join(known)}."
        raise UsageError(f"{prefix} has no verb {verb!r}.", hint)
    return verb
