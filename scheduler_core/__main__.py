"""The planner on the command line: `python -m scheduler_core plan|check|explain|shares SNAPSHOT.json`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from scheduler_core.model import Plan, Remedy, Snapshot
from scheduler_core.planning import tables
from scheduler_core.planning.check import check
from scheduler_core.planning.errors import BadSnapshot
from scheduler_core.planning.plan import plan
from scheduler_core.planning.remedies import remedies
from scheduler_core.planning.snapshot_json import plan_from_json, plan_to_json, snapshot_from_json

DONE = 0
INVALID_PLAN = 1
BAD_INPUT = 2
STANDARD_STREAM = "-"

_ENCODER = msgspec.json.Encoder(order="deterministic")


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns 0 when it is done, 1 for a plan that is not valid, 2 for input that cannot be read."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = _COMMANDS[options.command]
    try:
        return command(options)
    except BadSnapshot as error:
        return _refuse(f"bad snapshot: {error}")
    except _BadFileError as error:
        return _refuse(str(error))


def _plan(options: argparse.Namespace) -> int:
    _write(options.out, plan_to_json(plan(_snapshot(options))))
    return DONE


def _check(options: argparse.Namespace) -> int:
    """One line for each violation; none for a valid plan."""
    violations = check(_snapshot(options), _read_plan(options.plan))
    if options.json:
        _print(_ENCODER.encode(violations).decode())
    else:
        _print("\n".join(f"{v.rule}: {v.message}" for v in violations) or "The plan is valid.")
    return INVALID_PLAN if violations else DONE


def _explain(options: argparse.Namespace) -> int:
    """Why work waits: a table of all, or all about one with what would help."""
    snapshot = _snapshot(options)
    made = plan(snapshot)
    if options.workload is None:
        _print(_json(made.verdicts) if options.json else tables.verdicts(snapshot, made))
        return DONE
    verdict = next((v for v in made.verdicts if v.workload == options.workload), None)
    if verdict is None:
        return _refuse(f"nothing of a workload {options.workload!r} is pending in this snapshot")
    helpful: list[Remedy] = remedies(snapshot, options.workload)
    _print(_json({"verdict": verdict, "remedies": helpful}) if options.json else tables.verdict(verdict, helpful))
    return DONE


def _shares(options: argparse.Namespace) -> int:
    """What each queue is owed, holds and asks for."""
    snapshot = _snapshot(options)
    made = plan(snapshot)
    _print(_json(made.shares) if options.json else tables.shares(snapshot, made))
    return DONE


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "plan": _plan,
    "check": _check,
    "explain": _explain,
    "shares": _shares,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scheduler_core", description='The scheduling core. SNAPSHOT.json may be "-", standard input.'
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def add(name: str, about: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("snapshot", metavar="SNAPSHOT.json")
        return command

    add("plan", "Read a snapshot, write its plan.").add_argument(
        "--out", metavar="PLAN.json", default=STANDARD_STREAM, help='where the plan goes; "-" is standard output'
    )
    checked = add("check", "Check a plan against every rule that a valid plan keeps.")
    checked.add_argument("plan", metavar="PLAN.json")
    explained = add("explain", "Say why work waits, and for one workload what would help.")
    explained.add_argument("workload", metavar="WORKLOAD", nargs="?")
    for command in (checked, explained, add("shares", "Show what each queue is owed, holds and asks for.")):
        command.add_argument("--json", action="store_true", help="for programs")
    return parser


class _BadFileError(Exception):
    """A file that cannot be read, or written, in one sentence."""


def _snapshot(options: argparse.Namespace) -> Snapshot:
    return snapshot_from_json(_read(options.snapshot))


def _read_plan(source: str) -> Plan:
    try:
        return plan_from_json(_read(source))
    except msgspec.DecodeError as error:
        raise _BadFileError(f"bad plan: {error}") from None


def _read(source: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if source == STANDARD_STREAM else Path(source).read_bytes()
    except OSError as error:
        raise _BadFileError(f"cannot read {source}: {error.strerror}") from None


def _write(target: str, data: bytes) -> None:
    if target == STANDARD_STREAM:
        _print(data.decode())
        return
    try:
        Path(target).write_bytes(data + b"\n")
    except OSError as error:
        raise _BadFileError(f"cannot write {target}: {error.strerror}") from None


def _json(value: object) -> str:
    return _ENCODER.encode(value).decode()


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def _refuse(message: str) -> int:
    sys.stderr.write(message + "\n")
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
