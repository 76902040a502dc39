"""`jupyter runai submit`: stays with a command in a terminal, and ends as it ends."""

from __future__ import annotations

import sys
import time
from argparse import Namespace

from jupyter_runai.client import Client, never_starts
from jupyter_runai.client.leaving import goes_on, wants_it_stopped, was_stopped
from jupyter_runai.verbs.command import check_followed, submit
from jupyter_runai.words.output import MOST_FOLLOWED, LabelledOutput, PlainOutput
from jupyter_runai.words.progress import progress
from scheduler_core.workload import Workload

FAILED = 1
INTERRUPTED = 130
_SIGNALLED = 128


class _RawOutput(PlainOutput):
    """Bytes as they come: standard output may lead anywhere."""

    def feed(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def run_command(client: Client, options: Namespace) -> int:
    """Submit a command, show its output on standard output and all else on standard error; its exit status.

    Of a process that a signal ended it is 128 and the signal's number, as in a shell; 1 of a workload that has none or
    did not complete.

    Raises:
        RunaiError: it was refused; nothing was submitted.
    """
    check_followed(options)
    seen = [submit(client, options)]
    try:
        _follow(client, seen)
    except KeyboardInterrupt:
        return _leave(client, seen[-1], options.prefix)
    except BrokenPipeError:
        _say(goes_on(seen[-1], options.prefix))
        raise
    if never_starts(seen[-1]):
        _say(f"It was not started and is withdrawn; the figures: {options.prefix} explain {seen[-1].name}")
        _say(client.info().notice)
    return _status(seen[-1])


def _follow(client: Client, seen: list[Workload]) -> None:
    """Show what comes; the last of `seen` is the workload as it is now."""
    count = min(seen[0].tasks, MOST_FOLLOWED)
    outputs = [_RawOutput()] if seen[0].tasks == 1 else [LabelledOutput(rank) for rank in range(count)]
    said = ""
    try:
        for update in client.follow_tasks(seen[0].id, range(count)):
            if isinstance(update, tuple):
                outputs[update[0]].feed(update[1])
            elif update is not None:
                seen.append(update)
                said = _show(update, said)
                if update.state == "pending" and never_starts(update):
                    seen.append(client.stop(update.id))
                    _show(seen[-1], said)
                    return
    finally:
        for output in outputs:
            output.close()


def _show(workload: Workload, said: str) -> str:
    text, _ = progress(workload, time.time())
    if text != said:
        _say(text)
    return text


def _leave(client: Client, workload: Workload, prefix: str) -> int:
    if not workload.has_ended:
        stop = wants_it_stopped(workload, _say)
        _say(was_stopped(client.stop(workload.id)) if stop else goes_on(workload, prefix))
    return INTERRUPTED


def _status(workload: Workload) -> int:
    if workload.state == "completed":
        return 0
    status = workload.exit_code or FAILED
    return status if status > 0 else _SIGNALLED - status


def _say(text: str) -> None:
    if text:
        print(text, file=sys.stderr, flush=True)  # noqa: T201 (this is the terminal)
