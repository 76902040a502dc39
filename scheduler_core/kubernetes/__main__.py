"""`jupyter runai cluster`: put what a cluster needs in place, look whether it is, or take it away."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

import yaml

from scheduler_core.errors import RunaiError
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.setup.checks import Outcome, check, is_usable
from scheduler_core.kubernetes.setup.installation import (
    Change,
    install,
    planned_installation,
    planned_removal,
    uninstall,
    workloads_there,
)
from scheduler_core.kubernetes.setup.manifest import manifest

DONE = 0
REFUSED = 1

_MARKS: dict[Outcome, str] = {"good": "✓", "bad": "✗", "note": "·"}
_YES = ("y", "yes")


def main(words: list[str] | None = None, prog: str = "python -m scheduler_core.kubernetes") -> int:
    """Run one command. Exit status: 0 done, 1 refused, not wanted, or something is missing, 2 not understood."""
    options = _parser(prog).parse_args(words)
    try:
        return asyncio.run(_run(options))
    except RunaiError as error:
        print(error, file=sys.stderr)  # noqa: T201 (this is a command)
        return REFUSED


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    known: tuple[tuple[str, str, Callable[[Connection, argparse.Namespace], Awaitable[int]]], ...] = (
        ("install", "show what would be made or changed, then do it", _install),
        ("check", "look whether this cluster can be used from here", _check),
        ("uninstall", "show what would be deleted, then do it", _uninstall),
    )
    for name, text, run in known:
        command = commands.add_parser(name, help=text, description=text.capitalize())
        command.add_argument("--context", help="a context of the kubeconfig (default: the current one)")
        command.set_defaults(run=run, manifest=False, image=None, history=None)
        if name != "check":
            command.add_argument("--yes", action="store_true", help="do it without asking")
        if name == "install":
            command.add_argument(
                "--image", metavar="IMAGE", help="with Python and this package: what the controller runs in there"
            )
            command.add_argument(
                "--history",
                metavar="CLAIM",
                help="a PersistentVolumeClaim of the namespace jupyter-runai, for the controller to keep history in: "
                "who used what, and what ended tasks said",
            )
            command.add_argument(
                "--manifest", action="store_true", help="print all of it for kubectl apply, and ask no cluster"
            )
    return parser


async def _run(options: argparse.Namespace) -> int:
    if options.manifest:
        _say(yaml.safe_dump_all(manifest(options.image, options.history), sort_keys=False).rstrip())
        return DONE
    connection = await Connection.open(options.context)
    try:
        status: int = await options.run(connection, options)
        return status
    finally:
        await connection.close()


async def _install(connection: Connection, options: argparse.Namespace) -> int:
    changes = await planned_installation(connection, options.image, options.history)
    _show(connection, changes)
    if options.image is None:
        _say(
            "Without --image no controller is put there. One can run outside: "
            "python -m scheduler_core.kubernetes.controller"
        )
    if all(change.action == "keep" for change in changes):
        _say("Nothing is to do.")
        return DONE
    if not _is_wanted(options):
        return REFUSED
    await install(connection, options.image, options.history)
    _say("Done. jupyter runai cluster check says what can be used from here.")
    return DONE


async def _uninstall(connection: Connection, options: argparse.Namespace) -> int:
    changes = await planned_removal(connection)
    if not changes:
        _say("Nothing of ours is there.")
        return DONE
    _show(connection, changes)
    count = await workloads_there(connection)
    if count:
        _say(f"With them go {count} workload{'s' if count > 1 else ''}, and what runs of them.")
    if not _is_wanted(options):
        return REFUSED
    await uninstall(connection)
    _say("Done.")
    return DONE


async def _check(connection: Connection, options: argparse.Namespace) -> int:
    findings = await check(connection)
    for finding in findings:
        _say(f"{_MARKS[finding.outcome]} {finding.what}" + (f"\n  {finding.hint}" if finding.hint else ""))
    return DONE if is_usable(findings) else REFUSED


def _show(connection: Connection, changes: Sequence[Change]) -> None:
    _say(f"In the cluster at {connection.server}:")
    for change in changes:
        _say(f"  {change.action:<7} {change.kind} {change.name}")


def _is_wanted(options: argparse.Namespace) -> bool:
    if options.yes:
        return True
    if not sys.stdin.isatty():
        _say("Nothing was changed. Add --yes to do it.")
        return False
    return input("Do it? [y/N] ").strip().lower() in _YES


def _say(text: str) -> None:
    print(text)  # noqa: T201 (this is the answer)


if __name__ == "__main__":
    sys.exit(main())
