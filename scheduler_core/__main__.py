"""The planner on the command line: `python -m scheduler_core plan SNAPSHOT.json [--out PLAN.json]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scheduler_core.planning.errors import BadSnapshot
from scheduler_core.planning.plan import plan
from scheduler_core.planning.snapshot_json import plan_to_json, snapshot_from_json

PLANNED = 0
BAD_SNAPSHOT = 2
STANDARD_STREAM = "-"


def main(arguments: list[str] | None = None) -> int:
    """Plan one snapshot. Returns 0 when planned, 2 for a bad snapshot; a defect ends in a traceback and 1."""
    options = _parser().parse_args(arguments)
    try:
        encoded = plan_to_json(plan(snapshot_from_json(_read(options.snapshot))))
    except BadSnapshot as error:
        return _refuse(f"bad snapshot: {error}")
    except OSError as error:
        return _refuse(f"cannot read {options.snapshot}: {error.strerror}")
    try:
        _write(options.out, encoded)
    except OSError as error:
        return _refuse(f"cannot write {options.out}: {error.strerror}")
    return PLANNED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scheduler_core", description="The scheduling core.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("plan", help="plan one snapshot", description="Read a snapshot, write its plan.")
    command.add_argument("snapshot", metavar="SNAPSHOT.json", help='the snapshot; "-" is standard input')
    command.add_argument(
        "--out",
        metavar="PLAN.json",
        default=STANDARD_STREAM,
        help='where the plan goes; "-", the default, is standard output',
    )
    return parser


def _read(source: str) -> bytes:
    return sys.stdin.buffer.read() if source == STANDARD_STREAM else Path(source).read_bytes()


def _write(target: str, data: bytes) -> None:
    if target == STANDARD_STREAM:
        sys.stdout.buffer.write(data + b"\n")
    else:
        Path(target).write_bytes(data + b"\n")


def _refuse(message: str) -> int:
    sys.stderr.write(message + "\n")
    return BAD_SNAPSHOT


if __name__ == "__main__":
    sys.exit(main())
