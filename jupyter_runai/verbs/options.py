"""The verbs of `%runai`, `%%runai` and `jupyter runai`: one parser for all of them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import Any, Protocol, get_args

from msgspec.structs import replace

from jupyter_runai.reports.period import EXAMPLES
from jupyter_runai.verbs import audit
from jupyter_runai.verbs import option_types as types
from jupyter_runai.verbs.parser import CommandParser, Parser, UsageError
from scheduler_core.accounting.usage import UsageBy, UsageStep
from scheduler_core.errors import InvalidRequest
from scheduler_core.model import TaskRequest
from scheduler_core.quantities import is_size
from scheduler_core.workload import DEFAULT_QUEUE, PRIORITIES, JobKindName, Kind, Scale

_LONG_OPTION = re.compile(r"--([a-z][a-z-]*)")


def verb_parsers(prefix: str) -> dict[str, Parser]:
    """The parser of each line verb by its name; `prefix` is what people type before it."""
    parsers = {
        verb: (CommandParser if verb == "submit" else Parser)(prog=f"{prefix} {verb}", description=text)
        for verb, text in VERBS.items()
    }
    for parser in parsers.values():
        parser.add_argument("--json", action="store_true", help="the answer as one JSON document")
        parser.set_defaults(prefix=prefix)
    _add_submission(parsers["submit"])
    which = parsers["list"].add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="those that have ended too")
    which.add_argument("--deleted", action="store_true", help="those that can be restored")
    for verb in (
        "describe",
        "logs",
        "suspend",
        "resume",
        "scale",
        "stop",
        "snooze",
        "explain",
        "export",
        "delete",
        "restore",
    ):
        parsers[verb].add_argument("workload", help="its name or id")
    parsers["logs"].add_argument("--task", type=types.index, default=0, metavar="N", help="of several tasks this one's")
    parsers["resize"].add_argument("words", nargs="*", metavar="[workload] amount", help="without a name its own")
    _add_amount(parsers["resize"])
    _add_limit(parsers["resize"])
    parsers["scale"].add_argument("workers", type=types.scale, help="so many tasks, or MIN:MAX for an elastic one")
    forms = ("script", "kubernetes")
    parsers["export"].add_argument("--format", choices=forms, default=forms[0], help="a script, or a manifest for KAI")
    parsers["export"].add_argument("--image", metavar="NAME", help="the container image of a manifest")
    parsers["delete"].add_argument("--purge", action="store_true", help="for good, with its files, at once")
    for verb in ("usage", "report"):
        _add_usage(parsers[verb])
    audit.add_options(parsers["audit"])
    parsers["report"].add_argument("--format", choices=["table", "csv", "parquet", "html"], help="else by --output")
    parsers["report"].add_argument("-o", "--output", metavar="FILE", help="where to write it")
    for verb in ("policy show", "policy explain"):
        parsers[verb].add_argument("--kind", choices=list(get_args(Kind)), help="of this kind of work")
    parsers["policy explain"].add_argument("-p", "--project", default=DEFAULT_QUEUE, help="else one's own")
    parsers["policy check"].add_argument("file", help="a file of policies")
    _add_kernelspec(parsers["kernelspec install"])
    parsers["kernelspec remove"].add_argument("--profile", type=types.name, required=True, help="which")
    _add_workspaces(parsers)
    parsers["help"].add_argument("verb", nargs="*", help="what it takes")
    config = parsers["config"]
    config.add_argument("setting", choices=["simulate", "engine"], help="what to set")
    config.add_argument(
        "value",
        nargs="?",
        help="simulate: such as 2xA100-80GB, or 'off' for this machine's own devices; engine: local, kubernetes, or"
        " kubernetes:CONTEXT",
    )
    config.add_argument("--if-no-gpu", action="store_true", help="only where this machine has no GPU of its own")
    return parsers


def cell_parser(verb: str) -> Parser:
    """The parser of a verb of `%%runai`, one of `CELL_VERBS`."""
    parser = Parser(prog=f"%%runai {verb}", description="Run this cell as a workload")
    _add_request(parser)
    keep = "keep what it holds for so long after it, for the next cell of its name"
    parser.add_argument("--keep", type=types.seconds, metavar="TIME", help=keep)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--detach", action="store_true", help="submit and go on to the next cell")
    way.add_argument("--dry-run", action="store_true", help="show what would travel and start, and submit nothing")
    variables = "variables to take along, and no others"
    parser.add_argument("-i", "--inputs", type=types.names, metavar="A,B", help=variables)
    parser.add_argument("-o", "--outputs", type=types.names, default=[], metavar="A,B", help="variables to bring back")
    return parser


def _add_submission(parser: Parser) -> None:
    _add_request(parser)
    kinds: tuple[Kind, ...] = ("training", "interactive", "inference")
    parser.add_argument("--kind", choices=kinds, default="training", help="what it is for: that sets its priority")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--detach", action="store_true", help="submit, and do not wait for its end")
    way.add_argument("--dry-run", action="store_true", help="show whether it would start, and submit nothing")


def _add_request(parser: Parser) -> None:
    """What cells and commands can ask for."""
    _add_amount(parser, devices=True)
    _add_limit(parser)
    number = parser.add_mutually_exclusive_group()
    number.add_argument("--workers", type=types.workers, metavar="N", help="so many tasks as one distributed training")
    elastic = "as many as there is room for, such as 2:8"
    number.add_argument("--elastic", type=types.elastic, metavar="MIN:MAX", help=elastic)
    parser.add_argument("--name", type=types.name, help="what to call the workload")
    parser.add_argument("-p", "--project", help="whose quota it takes")
    parser.add_argument("--priority", choices=list(PRIORITIES), help="its place in the queue")
    parser.add_argument("--retries", type=types.retries, default=0, metavar="N", help="runs after one that fails")
    parser.add_argument("--template", metavar="NAME", help="for what is not said here")
    parser.add_argument("--environment", metavar="NAME", help="what it runs in: interpreter, variables, folder")
    parser.add_argument(
        "--job-kind", choices=get_args(JobKindName), default="Job", help="on a cluster: what makes its pods"
    )
    _add_image(parser)
    longest = "stop it after so long, such as 90m or 2h"
    parser.add_argument("--max-time", type=types.seconds, metavar="TIME", help=longest)


def _add_image(parser: Parser) -> None:
    """Where on a cluster something runs, and with which of its volumes."""
    parser.add_argument("--image", metavar="IMAGE", help="on a cluster: the container image it runs in")
    parser.add_argument(
        "--mount",
        type=types.mount,
        action="append",
        default=[],
        metavar="CLAIM:PATH",
        help="on a cluster: a volume claim, and where it is to be seen; may be repeated",
    )


def what_to_resize(options: argparse.Namespace, own: str | None) -> tuple[str, argparse.Namespace]:
    """Which workload `resize` is about, and the amount it is to ask for.

    `own` is the workload that asks, null outside of any.

    Raises:
        UsageError: no amount, two of them, or no workload.
    """
    words, amount = list(options.words), argparse.Namespace(**vars(options))
    hint = "Try: %runai resize 0.25, or %runai resize NAME 0.25"
    if not options.gpu and not options.gpu_memory:
        if not words:
            raise UsageError("resize needs an amount.", hint)
        amount.gpu, amount.gpu_memory = _amount(words.pop())
    if len(words) > 1:
        raise UsageError(f"resize takes one workload and one amount, not {' '.join(options.words)}.", hint)
    reference = words[0] if words else own
    if reference is None:
        raise UsageError("This is no workload: say which one is meant.", "Try: %runai resize NAME 0.25")
    return reference, amount


def _amount(text: str) -> tuple[int | str, int]:
    try:
        return (0, types.memory(text)) if is_size(text) else (types.gpu(text), 0)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{error}.".replace("--gpu", "the amount"), "Try: %runai resize NAME 0.25") from None


def _add_usage(parser: Parser) -> None:
    parser.add_argument("--by", choices=list(get_args(UsageBy)), default="project", help="whose is added up")
    parser.add_argument(
        "--from", dest="since", type=types.past_moment, default="7d", metavar="TIME", help=f"such as {EXAMPLES}"
    )
    parser.add_argument("--to", dest="until", type=types.past_moment, metavar="TIME", help="up to then; now")
    parser.add_argument("--step", choices=list(get_args(UsageStep)), default="all", help="by hours, or days")


def _add_kernelspec(parser: Parser) -> None:
    parser.add_argument("--profile", type=types.name, required=True, help="its name, such as half")
    _add_amount(parser)
    parser.add_argument("--template", metavar="NAME", help="for the amount and the project where they are not said")
    parser.add_argument("--environment", metavar="NAME", help="its interpreter and variables")
    _add_image(parser)
    parser.add_argument("-p", "--project", help="whose quota it takes")
    parser.add_argument("--preemptible", action="store_true", help="it may be evicted for others, and starts again")
    parser.add_argument("--name", metavar="TEXT", help="what the launcher shows")
    parser.add_argument("--sys-prefix", action="store_true", help="for all users of this Python environment")


def _add_workspaces(parsers: Mapping[str, Parser]) -> None:
    create, copied = parsers["workspace create"], parsers["workspace copy"]
    for verb in ("open", "suspend", "resume", "copy", "delete"):
        parsers[f"workspace {verb}"].add_argument("workspace", help="its name")
    create.add_argument("name", type=types.name, help="what to call it")
    copied.add_argument("name", type=types.name, help="what to call the copy")
    _add_amount(create)
    _add_amount(copied)
    create.add_argument("--template", metavar="NAME", help="for the amount and the project where they are not said")
    create.add_argument("--environment", metavar="NAME", help="its interpreter, variables and folder")
    create.add_argument("--folder", metavar="DIR", help="where its kernel works; here")
    copied.add_argument("--folder", metavar="DIR", help="where its kernel works")
    environment = create.add_mutually_exclusive_group()
    environment.add_argument("--python", metavar="PATH", help="the interpreter of its kernel; this one")
    environment.add_argument("--kernel", metavar="NAME", help="a kernel that is installed, of any language")
    for parser in (create, copied):
        _add_image(parser)
        parser.add_argument("-p", "--project", help="whose quota it takes")
        parser.add_argument("--preemptible", action="store_true", help="it may be evicted for others, and starts again")


def checked_options(given: Mapping[str, object]) -> dict[str, Any]:
    """What a cell's line may hold, given as Python values by their names there: `gpu_memory="20G"`, `max_time="2h"`.

    Raises:
        InvalidRequest: one sentence that names the option as Python does.
    """
    words = [
        f"--{name.replace('_', '-')}={one}"
        for name, value in given.items()
        for one in (value if isinstance(value, list | tuple) else (value,))
        if one is not None
    ]
    try:
        return vars(cell_parser("train").parse(words))
    except InvalidRequest as error:
        raise InvalidRequest(_LONG_OPTION.sub(_python_name, error.message)) from None


def _python_name(option: re.Match[str]) -> str:
    return option[1].replace("-", "_")


def _add_amount(parser: Parser, devices: bool = False) -> None:
    amount = parser.add_mutually_exclusive_group()
    of_gpu, gpu = types.gpu, "a share such as 0.5, or whole devices such as 2"
    if devices:
        of_gpu, gpu = types.gpu_or_auto, f"{gpu}, or auto for what its last runs peaked at"
    amount.add_argument("--gpu", type=of_gpu, metavar="N", help=gpu)
    amount.add_argument("--gpu-memory", type=types.memory, metavar="SIZE", help="device memory instead, such as 20G")
    if devices:
        amount.add_argument("--devices", dest="gpu", type=types.devices, metavar="N", help="whole devices, such as 2")


def _add_limit(parser: Parser) -> None:
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--gpu-limit", type=types.gpu, metavar="N", help="up to what a share may use of what is free")
    limit.add_argument("--gpu-memory-limit", type=types.memory, metavar="SIZE", help="the same in device memory")


class Amount(Protocol):
    """What the options of an amount say."""

    @property
    def gpu(self) -> int | str | None: ...
    @property
    def gpu_memory(self) -> int | None: ...
    @property
    def gpu_limit(self) -> int | str | None: ...
    @property
    def gpu_memory_limit(self) -> int | None: ...


def with_amount(request: TaskRequest, amount: Amount) -> TaskRequest:
    """A request of this amount, all else of it as it was.

    Raises:
        InvalidRequest: a limit that goes with no share, or is less.
    """
    try:
        return replace(
            request,
            gpu=amount.gpu or 0,
            gpu_memory_mib=amount.gpu_memory or 0,
            gpu_limit=amount.gpu_limit or 0,
            gpu_memory_limit_mib=amount.gpu_memory_limit or 0,
        )
    except ValueError as error:
        raise InvalidRequest(f"{error}.") from None


def scale_to(workers: int | str) -> Scale:
    """So many tasks, or as many as there is room for, written like "2:8".

    Raises:
        InvalidRequest: it is no such number.
    """
    try:
        return types.scale(str(workers))
    except argparse.ArgumentTypeError as error:
        raise InvalidRequest(f"workers: {error}.") from None


CELL_VERBS: Mapping[str, Kind] = {"train": "training", "run": "interactive"}
"""What `%%runai` makes of a cell, by its verb."""
VERBS = {
    "submit": "run a command as a workload",
    "list": "workloads that run or wait",
    "describe": "all that is known of a workload",
    "logs": "the output of a workload",
    "suspend": "free what a workload holds and keep it",
    "resume": "let a suspended workload start again",
    "resize": "change what a workload asks for",
    "scale": "change how many tasks a workload has",
    "stop": "end a workload for good",
    "explain": "why a workload waits, or how it ended",
    "export": "a workload as a script or a Kubernetes manifest",
    "delete": "remove an ended workload; it can be restored for 14 days",
    "restore": "bring a deleted workload back",
    "top": "what each workload uses now",
    "devices": "the devices and who holds them",
    "queues": "quota, fair share and use of each project",
    "usage": "who used what",
    "report": "the same as a table, CSV, Parquet or a page to mail",
    "audit": "who did what, and when",
    "project list": "the same as queues",
    "policy show": "what each project says of work in it",
    "policy explain": "what holds for one's work in a project, and because of whom",
    "policy check": "whom a file of policies would hit",
    "snooze": "put off, once, what is to become of an idle workload",
    "template list": "parts of submissions that have a name",
    "environment list": "what work can run in",
    "kernelspec install": "offer kernels that hold a share of a device",
    "kernelspec list": "the kernels that hold a share of a device",
    "kernelspec remove": "offer such a kernel no longer",
    "workspace create": "a kernel on a share of a device that outlives its notebooks",
    "workspace list": "the workspaces and where each is",
    "workspace open": "start a workspace where it does not run",
    "workspace suspend": "free what a workspace holds and keep it",
    "workspace resume": "let a suspended workspace start again",
    "workspace copy": "another workspace like it",
    "workspace delete": "end a workspace",
    "whoami": "as whom, and on which engine",
    "config": "simulated devices, and which engine is asked",
    "help": "what there is",
}
