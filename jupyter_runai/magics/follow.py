"""Stays with a cell's workload: its line, the output of its tasks, and what an interrupt means."""

from __future__ import annotations

from pathlib import Path

from jupyter_runai.client import Client, never_starts
from jupyter_runai.client.leaving import goes_on, wants_it_stopped, was_stopped
from jupyter_runai.magics.errors import interrupted
from jupyter_runai.magics.line import ProgressLine
from jupyter_runai.magics.output import RichOutput
from jupyter_runai.magics.stay import Stay
from jupyter_runai.running.displays import display_file
from jupyter_runai.words.output import MOST_FOLLOWED, LabelledOutput, PlainOutput
from scheduler_core.workload import Workload


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


def has_run(client: Client, workload: Workload) -> bool:
    """Whether a workload that was followed has run to an end; if not, people are told what became of it."""
    if not workload.has_ended:
        print(goes_on(workload, "%runai"))
        return False
    if never_starts(workload):
        print(f"It was not started and is withdrawn; the figures: %runai explain {workload.name}")
        print(client.info().notice, end="")
        return False
    return True


def _outputs(client: Client, workload: Workload, line: ProgressLine, stay: Stay) -> list[PlainOutput]:
    displays = Path(display_file(str(client.results(workload.id))))
    start = stay.starts.get(0, 0)
    if workload.tasks == 1:
        return [RichOutput(displays, PlainOutput(), line.show_again, start, stay.shown)]
    # Pictures are those of task 0: the same ones of all tasks would bury it.
    others = range(1, min(workload.tasks, MOST_FOLLOWED))
    return [
        RichOutput(displays, LabelledOutput(0), None, start, stay.shown),
        *(LabelledOutput(rank) for rank in others),
    ]


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
    received = [stay.starts.get(task, 0) for task in range(len(outputs))]
    for update in client.follow_tasks(seen[-1].id, range(len(outputs)), stay.tick_s, stay.starts):
        if isinstance(update, tuple):
            task, data = update
            received[task] += len(data)
            outputs[task].feed(data)
            continue
        if update is None:
            for output in outputs:
                output.catch_up()
        else:
            seen.append(update)
        workload = seen[-1]
        if stay.is_over(client, workload, received):
            return
        line.show(stay.seen(workload))
        if workload.state == "pending" and never_starts(workload):
            seen.append(client.stop(workload.id))
            line.show(seen[-1])
            return
        if until_placed and (workload.state == "running" or workload.verdict is not None):
            return


def _detach_or_stop(client: Client, workload: Workload) -> None:
    if not workload.has_ended and wants_it_stopped(workload, lambda sentence: print(f"\n{sentence}", flush=True)):
        raise interrupted(was_stopped(client.stop(workload.id))) from None
