"""Stays with a cell's workload: its line, the output of its tasks, and what an interrupt means."""

from __future__ import annotations

import time

from jupyter_runai.client import Client, never_starts
from jupyter_runai.magics.errors import interrupted
from jupyter_runai.magics.kept import Stay
from jupyter_runai.magics.line import ProgressLine
from jupyter_runai.magics.output import LabelledOutput, PlainOutput, RichOutput
from jupyter_runai.running.displays import display_file
from scheduler_core.workload import DEFAULT_GRACE_S, Workload

MOST_FOLLOWED = 16
"""Of more tasks than that the first ones' output is shown; `%runai logs NAME --task N` has that of each."""
_AGAIN_S = 2.0


def follow(client: Client, workload: Workload, line: ProgressLine, until_placed: bool, stay: Stay) -> Workload:
    """Show a cell's workload until it, or in a kept process the cell, has ended, or until it runs or is known to wait.

    One that can never start is stopped; its verdict stays to be read. An interrupt leaves it to itself, a second one
    soon after stops it.

    Raises:
        CellFailed: it was told to stop.
    """
    outputs: list[PlainOutput] = []
    seen = [workload]
    try:
        line.show(stay.seen(workload))
        outputs += _outputs(client, workload, line, stay)
        _show(client, line, outputs, seen, until_placed, stay)
    except KeyboardInterrupt:
        _detach_or_stop(client, seen[-1])
    finally:
        for output in outputs:
            output.close()
        stay.close()
    return stay.seen(seen[-1])


def say_detached(workload: Workload) -> None:
    """Tell where to find it."""
    print(f"Detached: {workload.name} goes on. %runai logs {workload.name} · %runai stop {workload.name}")


def _outputs(client: Client, workload: Workload, line: ProgressLine, stay: Stay) -> list[PlainOutput]:
    displays = display_file(client.results(workload.id))
    if workload.tasks == 1:
        return [RichOutput(displays, PlainOutput(), line.show_again, stay.start, stay.shown)]
    # Pictures are those of task 0: the same ones of all tasks would bury it.
    others = range(1, min(workload.tasks, MOST_FOLLOWED))
    return [RichOutput(displays, LabelledOutput(0), None), *(LabelledOutput(rank) for rank in others)]


def _show(
    client: Client,
    line: ProgressLine,
    outputs: list[PlainOutput],
    seen: list[Workload],
    until_placed: bool,
    stay: Stay,
) -> None:
    """Show what comes; the last of `seen` is the workload as it is now."""
    if len(outputs) < seen[-1].tasks:
        print(f"The output of the first {len(outputs)} tasks; of others: %runai logs {seen[-1].name} --task N")
    results, received = client.results(seen[-1].id), stay.start
    for update in client.follow_tasks(seen[-1].id, range(len(outputs)), stay.tick_s, stay.start):
        if isinstance(update, tuple):
            task, data = update
            received += len(data)
            outputs[task].feed(data)
            continue
        if update is None:
            for output in outputs:
                output.catch_up()
        else:
            seen.append(update)
        workload = seen[-1]
        if stay.is_over(results, received):
            return
        line.show(stay.seen(workload))
        if workload.state == "pending" and never_starts(workload):
            seen.append(client.stop(workload.id))
            line.show(seen[-1])
            return
        if until_placed and (workload.state == "running" or workload.verdict is not None):
            return


def _detach_or_stop(client: Client, workload: Workload) -> None:
    if workload.has_ended:
        return
    try:
        print(f"\nDetaches in {_AGAIN_S:.0f} s; interrupt again to stop {workload.name}.", flush=True)
        time.sleep(_AGAIN_S)
    except KeyboardInterrupt:
        stopped = client.stop(workload.id)
        ending = (
            stopped.state if stopped.has_ended else f"told to stop and has {DEFAULT_GRACE_S:.0f} s to end by itself"
        )
        raise interrupted(f"{workload.name} was {ending}.") from None
