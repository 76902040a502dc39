"""The line verbs: the same in a notebook and on the command line."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches

from jupyter_runai.client import Client
from jupyter_runai.verbs import machine, policies, workloads
from jupyter_runai.verbs.answer import Answer
from jupyter_runai.verbs.audit import audit
from jupyter_runai.verbs.options import CELL_VERBS, VERBS, cell_parser, verb_parsers
from jupyter_runai.verbs.parser import Parser, UsageError, asks_for_help
from jupyter_runai.words.tables import table


def run_verb(client: Client, verb: str, options: Namespace) -> str:
    """The answer to one verb: a text of one line or several, or one JSON document."""
    answer = answered(client, verb, options)
    return answer.json() if options.json else answer.text


def answered(client: Client, verb: str, options: Namespace) -> Answer:
    """The answer to one verb, to be shown in one way or another."""
    return _VERBS[verb](client, options)


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


_VERBS: dict[str, Callable[[Client, Namespace], Answer]] = {
    "submit": workloads.submitted,
    "list": workloads.list_workloads,
    "describe": workloads.describe,
    "logs": workloads.logs,
    "suspend": workloads.suspend,
    "resume": workloads.resume,
    "resize": workloads.resize,
    "scale": workloads.scale,
    "stop": workloads.stop,
    "explain": workloads.explain,
    "export": workloads.export,
    "delete": workloads.delete,
    "restore": workloads.restore,
    "top": machine.top,
    "devices": machine.devices,
    "queues": machine.queues,
    "usage": _report("usage"),
    "report": _report("report"),
    "audit": audit,
    "project list": machine.queues,
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
    "whoami": machine.whoami,
    "config": machine.configure,
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
