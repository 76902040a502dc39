"""The verbs of `%runai`, `%%runai` and `jupyter runai`: one parser for all of them."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NoReturn, Protocol, get_args

from msgspec.structs import replace

from jupyter_runai.reports.period import EXAMPLES, moment
from scheduler_core.accounting.usage import UsageBy, UsageStep
from scheduler_core.errors import InvalidRequest
from scheduler_core.model import TaskRequest, gpu_amount
from scheduler_core.workload import MOST_RETRIES, MOST_TASKS, PRIORITIES, Kind

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_SIZE = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)\s*(?P<unit>[KMGT])(i?B)?", re.IGNORECASE)
_TIME = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)\s*(?P<unit>[smhd])")
_LONG_OPTION = re.compile(r"--([a-z][a-z-]*)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MIB = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024}
_MOST = 1_000_000


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises what a person can act on, and never ends the process."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(add_help=False, allow_abbrev=False, exit_on_error=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise InvalidRequest(f"{message[0].upper()}{message[1:]}.", f"Try: {self.usage_line()}")

    def usage_line(self) -> str:
        """The usage in one line."""
        return " ".join(self.format_usage().removeprefix("usage: ").split())

    def parse(self, words: list[str]) -> argparse.Namespace:
        """Parse all words.

        Raises:
            InvalidRequest: one sentence that names the word, with the nearest known option.
        """
        try:
            known, unknown = self.parse_known_args(words)
        except argparse.ArgumentError as error:
            if error.argument_name is None:
                self.error(str(error))
            raise InvalidRequest(f"{error.argument_name}: {error.message}.") from None
        if unknown:
            options = [option for action in self._actions for option in action.option_strings]
            nearest = get_close_matches(unknown[0].partition("=")[0], options, 1)
            hint = f"Did you mean {nearest[0]}?" if nearest else f"Try: {self.usage_line()}"
            raise InvalidRequest(f"{unknown[0]} is no option of {self.prog}.", hint)
        return known


def verb_parsers(prefix: str) -> dict[str, Parser]:
    """The parser of each line verb by its name; `prefix` is what people type before it."""
    parsers = {verb: Parser(prog=f"{prefix} {verb}", description=text) for verb, text in VERBS.items()}
    which = parsers["list"].add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="those that have ended too")
    which.add_argument("--deleted", action="store_true", help="those that can be restored")
    for verb in ("logs", "suspend", "resume", "scale", "stop", "explain", "delete", "restore"):
        parsers[verb].add_argument("workload", help="its name or id")
    parsers["logs"].add_argument("--task", type=_index, default=0, metavar="N", help="of several tasks this one's")
    parsers["resize"].add_argument("words", nargs="*", metavar="[workload] amount", help="without a name its own")
    _add_amount(parsers["resize"])
    _add_limit(parsers["resize"])
    parsers["scale"].add_argument(
        "workers", type=_number_of_workers, help="so many tasks, or MIN:MAX for an elastic one"
    )
    parsers["delete"].add_argument("--purge", action="store_true", help="for good, with its files, at once")
    for verb in ("usage", "report"):
        _add_usage(parsers[verb])
    parsers["report"].add_argument("--format", choices=["table", "csv", "parquet", "html"], help="else by --output")
    parsers["report"].add_argument("-o", "--output", metavar="FILE", help="where to write it")
    _add_kernelspec(parsers["kernelspec install"])
    parsers["kernelspec remove"].add_argument("--profile", type=_name, required=True, help="which")
    config = parsers["config"]
    config.add_argument("setting", choices=["simulate"], help="what to set")
    config.add_argument("value", nargs="?", help="such as 2xA100-80GB; 'off' for this machine's own devices")
    config.add_argument("--if-no-gpu", action="store_true", help="only where this machine has no GPU of its own")
    return parsers


def cell_parser(verb: str) -> Parser:
    """The parser of a verb of `%%runai`, one of `CELL_VERBS`."""
    parser = Parser(prog=f"%%runai {verb}", description="Run this cell as a workload")
    _add_amount(parser, devices=True)
    _add_limit(parser)
    number = parser.add_mutually_exclusive_group()
    number.add_argument("--workers", type=_workers, metavar="N", help="so many tasks as one distributed training")
    number.add_argument("--elastic", type=_elastic, metavar="MIN:MAX", help="as many as there is room for, such as 2:8")
    parser.add_argument("--name", type=_name, help="what to call the workload")
    parser.add_argument("-p", "--project", help="whose quota it takes")
    parser.add_argument("--priority", choices=list(PRIORITIES), help="its place in the queue")
    parser.add_argument("--retries", type=_retries, default=0, metavar="N", help="runs after one that fails")
    parser.add_argument("--max-time", type=_seconds, metavar="TIME", help="stop it after so long, such as 90m or 2h")
    keep = "keep what it holds for so long after it, for the next cell of its name"
    parser.add_argument("--keep", type=_seconds, metavar="TIME", help=keep)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--detach", action="store_true", help="submit and go on to the next cell")
    way.add_argument("--dry-run", action="store_true", help="show what would travel and start, and submit nothing")
    parser.add_argument("-i", "--inputs", type=_names, metavar="A,B", help="variables to take along, and no others")
    parser.add_argument("-o", "--outputs", type=_names, default=[], metavar="A,B", help="variables to bring back")
    return parser


def what_to_resize(options: argparse.Namespace, own: str | None) -> tuple[str, argparse.Namespace]:
    """Which workload `resize` is about, and the amount it is to ask for.

    `own` is the workload that asks, null outside of any.

    Raises:
        InvalidRequest: no amount, two of them, or no workload.
    """
    words, amount = list(options.words), argparse.Namespace(**vars(options))
    hint = "Try: %runai resize 0.25, or %runai resize NAME 0.25"
    if not options.gpu and not options.gpu_memory:
        if not words:
            raise InvalidRequest("resize needs an amount.", hint)
        amount.gpu, amount.gpu_memory = _amount(words.pop())
    if len(words) > 1:
        raise InvalidRequest(f"resize takes one workload and one amount, not {' '.join(options.words)}.", hint)
    reference = words[0] if words else own
    if reference is None:
        raise InvalidRequest("This is no workload: say which one is meant.", "Try: %runai resize NAME 0.25")
    return reference, amount


def _amount(text: str) -> tuple[int | str, int]:
    try:
        return (0, _memory(text)) if _SIZE.fullmatch(text) else (_gpu(text), 0)
    except argparse.ArgumentTypeError as error:
        raise InvalidRequest(f"{error}.".replace("--gpu", "the amount"), "Try: %runai resize NAME 0.25") from None


def _add_usage(parser: Parser) -> None:
    parser.add_argument("--by", choices=list(get_args(UsageBy)), default="project", help="whose is added up")
    parser.add_argument("--from", dest="since", type=_moment, default="7d", metavar="TIME", help=f"such as {EXAMPLES}")
    parser.add_argument("--to", dest="until", type=_moment, metavar="TIME", help="up to then; now")
    parser.add_argument("--step", choices=list(get_args(UsageStep)), default="all", help="by hours, or days")


def _moment(text: str) -> float:
    try:
        return moment(text, time.time())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _add_kernelspec(parser: Parser) -> None:
    parser.add_argument("--profile", type=_name, required=True, help="its name, such as half")
    _add_amount(parser, required=True)
    parser.add_argument("-p", "--project", help="whose quota it takes")
    parser.add_argument("--preemptible", action="store_true", help="it may be evicted for others, and starts again")
    parser.add_argument("--name", metavar="TEXT", help="what the launcher shows")
    parser.add_argument("--sys-prefix", action="store_true", help="for all users of this Python environment")


def checked_options(given: Mapping[str, object]) -> dict[str, Any]:
    """What a cell's line may hold, given as Python values by their names there: `gpu_memory="20G"`, `max_time="2h"`.

    Raises:
        InvalidRequest: one sentence that names the option as Python does.
    """
    words = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value is not None]
    try:
        return vars(cell_parser("train").parse(words))
    except InvalidRequest as error:
        raise InvalidRequest(_LONG_OPTION.sub(_python_name, error.message)) from None


def _python_name(option: re.Match[str]) -> str:
    return option[1].replace("-", "_")


def _add_amount(parser: Parser, required: bool = False, devices: bool = False) -> None:
    amount = parser.add_mutually_exclusive_group(required=required)
    amount.add_argument("--gpu", type=_gpu, metavar="N", help="a share such as 0.5, or whole devices such as 2")
    amount.add_argument("--gpu-memory", type=_memory, metavar="SIZE", help="device memory instead, such as 20G")
    if devices:
        amount.add_argument("--devices", dest="gpu", type=_devices, metavar="N", help="whole devices, such as 2")


def _add_limit(parser: Parser) -> None:
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--gpu-limit", type=_gpu, metavar="N", help="up to what a share may use of what is free")
    limit.add_argument("--gpu-memory-limit", type=_memory, metavar="SIZE", help="the same in device memory")


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


CELL_VERBS: Mapping[str, Kind] = {"train": "training", "run": "interactive"}
"""What `%%runai` makes of a cell, by its verb."""
VERBS = {
    "list": "workloads that run or wait",
    "logs": "the output of a workload",
    "suspend": "free what a workload holds and keep it",
    "resume": "let a suspended workload start again",
    "resize": "change what a workload asks for",
    "scale": "change how many tasks a workload has",
    "stop": "end a workload for good",
    "explain": "why a workload waits, or how it ended",
    "delete": "remove an ended workload; it can be restored for 14 days",
    "restore": "bring a deleted workload back",
    "devices": "the devices and who holds them",
    "queues": "quota, fair share and use of each project",
    "usage": "who used what",
    "report": "the same as a table, CSV, Parquet or a page to mail",
    "kernelspec install": "offer kernels that hold a share of a device",
    "kernelspec list": "the kernels that hold a share of a device",
    "kernelspec remove": "offer such a kernel no longer",
    "config": "settings of this machine's engine",
    "help": "what there is",
}


def _gpu(text: str) -> int | str:
    try:
        whole, portion = gpu_amount(int(text) if text.isdecimal() else text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if whole > _MOST:
        raise argparse.ArgumentTypeError(f"no machine has more than {_MOST:,} devices")
    if not whole and not portion:
        raise argparse.ArgumentTypeError("0 asks for no device: leave --gpu out to run on the CPU")
    return whole or text


def _devices(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= _MOST:
        raise argparse.ArgumentTypeError(f"a whole number of devices from 1 on, not {text}")
    return int(text)


def _memory(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    mib = float(match["number"]) * _MIB[match["unit"].upper()] if match else 0
    if mib < 1:
        raise argparse.ArgumentTypeError(f"a memory size is written like 20G or 512M, not {text}")
    if mib > _MOST * _MIB["T"]:
        raise argparse.ArgumentTypeError(f"no device has more memory than {_MOST:,}T")
    return int(mib)


def _retries(text: str) -> int:
    if not text.isdecimal() or int(text[:9]) > MOST_RETRIES:
        raise argparse.ArgumentTypeError(f"a number from 0 to {MOST_RETRIES}, not {text}")
    return int(text)


def _workers(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MOST_TASKS:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MOST_TASKS}, not {text}")
    return int(text)


def _elastic(text: str) -> tuple[int, int]:
    fewest, _, most = text.partition(":")
    if not most or not 1 <= _workers(fewest) <= _workers(most):
        raise argparse.ArgumentTypeError(f"the fewest and the most workers are written like 2:8, not {text}")
    return int(fewest), int(most)


def _number_of_workers(text: str) -> tuple[int, int]:
    return _elastic(text) if ":" in text else (_workers(text), _workers(text))


def _index(text: str) -> int:
    if not text.isdecimal() or int(text[:9]) >= MOST_TASKS:
        raise argparse.ArgumentTypeError(f"tasks are numbered from 0, not {text}")
    return int(text)


def _seconds(text: str) -> float:
    match = _TIME.fullmatch(text.strip())
    seconds = float(match["number"]) * _SECONDS[match["unit"]] if match else 0
    if not 0 < seconds <= _MOST * _SECONDS["d"]:
        raise argparse.ArgumentTypeError(f"a time is written like 30s, 90m, 2h or 1d, not {text}")
    return seconds


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"a name has lower-case letters, digits, '-', '_' and '.', at most 63, not {text!r}"
        )
    return text


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if not name.isidentifier():
            raise argparse.ArgumentTypeError(f"{name!r} is not the name of a variable")
    return names
