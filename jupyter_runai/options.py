"""The verbs of `%runai`, `%%runai` and `jupyter runai`: one parser for all of them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NoReturn

from scheduler_core.errors import InvalidRequest
from scheduler_core.model import gpu_amount
from scheduler_core.workload import MOST_RETRIES, MOST_TASKS, PRIORITIES, Kind

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_SIZE = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)\s*(?P<unit>[KMGT])(i?B)?", re.IGNORECASE)
_TIME = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)\s*(?P<unit>[smhd])")
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
    for verb in ("logs", "suspend", "resume", "resize", "stop", "explain", "delete", "restore"):
        parsers[verb].add_argument("workload", help="its name or id")
    parsers["logs"].add_argument("--task", type=_index, default=0, metavar="N", help="of several tasks this one's")
    _add_amount(parsers["resize"], required=True)
    parsers["delete"].add_argument("--purge", action="store_true", help="for good, with its files, at once")
    config = parsers["config"]
    config.add_argument("setting", choices=["simulate"], help="what to set")
    config.add_argument("value", nargs="?", help="such as 2xA100-80GB; 'off' for this machine's own devices")
    config.add_argument("--if-no-gpu", action="store_true", help="only where this machine has no GPU of its own")
    return parsers


def cell_parser(verb: str) -> Parser:
    """The parser of a verb of `%%runai`, one of `CELL_VERBS`."""
    parser = Parser(prog=f"%%runai {verb}", description="Run this cell as a workload")
    _add_amount(parser, devices=True)
    number = parser.add_mutually_exclusive_group()
    number.add_argument("--workers", type=_workers, metavar="N", help="so many tasks as one distributed training")
    number.add_argument("--elastic", type=_elastic, metavar="MIN:MAX", help="as many as there is room for, such as 2:8")
    parser.add_argument("--name", type=_name, help="what to call the workload")
    parser.add_argument("-p", "--project", help="whose quota it takes")
    parser.add_argument("--priority", choices=list(PRIORITIES), help="its place in the queue")
    parser.add_argument("--retries", type=_retries, default=0, metavar="N", help="runs after one that fails")
    parser.add_argument("--max-time", type=_seconds, metavar="TIME", help="stop it after so long, such as 90m or 2h")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--detach", action="store_true", help="submit and go on to the next cell")
    way.add_argument("--dry-run", action="store_true", help="show what would travel and start, and submit nothing")
    parser.add_argument("-i", "--inputs", type=_names, metavar="A,B", help="variables to take along, and no others")
    parser.add_argument("-o", "--outputs", type=_names, default=[], metavar="A,B", help="variables to bring back")
    return parser


def _add_amount(parser: Parser, required: bool = False, devices: bool = False) -> None:
    amount = parser.add_mutually_exclusive_group(required=required)
    amount.add_argument("--gpu", type=_gpu, metavar="N", help="a share such as 0.5, or whole devices such as 2")
    amount.add_argument("--gpu-memory", type=_memory, metavar="SIZE", help="device memory instead, such as 20G")
    if devices:
        amount.add_argument("--devices", type=_devices, metavar="N", help="whole devices, such as 2")


CELL_VERBS: Mapping[str, Kind] = {"train": "training", "run": "interactive"}
"""What `%%runai` makes of a cell, by its verb."""
VERBS = {
    "list": "workloads that run or wait",
    "logs": "the output of a workload",
    "suspend": "free what a workload holds and keep it",
    "resume": "let a suspended workload start again",
    "resize": "change what a workload asks for",
    "stop": "end a workload for good",
    "explain": "why a workload waits, or how it ended",
    "delete": "remove an ended workload; it can be restored for 14 days",
    "restore": "bring a deleted workload back",
    "devices": "the devices and who holds them",
    "queues": "quota, fair share and use of each project",
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
