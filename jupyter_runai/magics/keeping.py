"""What `--keep` goes with, and what a cell may ask for of what is kept under its name."""

from __future__ import annotations

from typing import Protocol

from msgspec.structs import replace

from jupyter_runai.submission.specification import Asked
from jupyter_runai.verbs.option_types import AUTO
from jupyter_runai.verbs.options import with_amount
from jupyter_runai.words.figures import asked, asked_for
from scheduler_core.errors import InvalidRequest
from scheduler_core.model import TaskRequest
from scheduler_core.workload import PRIORITIES, JobKindName, Workload


class Keeping(Protocol):
    """What the line of a cell says of keeping."""

    @property
    def name(self) -> str | None: ...
    @property
    def keep(self) -> float | None: ...
    @property
    def workers(self) -> int | None: ...
    @property
    def elastic(self) -> tuple[int, int] | None: ...
    @property
    def job_kind(self) -> JobKindName: ...
    @property
    def retries(self) -> int: ...
    @property
    def detach(self) -> bool: ...


def check_keep(options: Keeping) -> None:
    """Refuse what does not go with `--keep`.

    Raises:
        InvalidRequest: it has no name, or something is asked for that cannot be kept.
    """
    if options.keep is None:
        return
    if options.name is None:
        hint = "Try: --name digits --keep 10m"
        raise InvalidRequest("--keep needs --name: the next cell of that name goes on there.", hint)
    if options.elastic:
        raise InvalidRequest(
            "--elastic: not allowed with argument --keep. The next cell goes on with as many tasks as there were.",
            f"Say how many: --workers {options.elastic[1]}",
        )
    if options.job_kind != "Job" and (options.workers or 1) > 1:
        raise InvalidRequest(
            f"--job-kind {options.job_kind}: not allowed with arguments --keep and --workers.", "Leave one of them out."
        )
    for word in ("retries", "detach"):
        if getattr(options, word):
            raise InvalidRequest(f"--{word}: not allowed with argument --keep.")


def check_same(options: Asked, workload: Workload) -> None:
    """Refuse what cannot be otherwise where a workload is kept, of whatever size.

    Raises:
        InvalidRequest: the cell asks for it.
    """
    others = {
        "project": options.project not in (None, workload.queue),
        "priority": options.priority is not None and PRIORITIES[options.priority] != workload.priority,
        "elastic": options.elastic is not None,
        "retries": options.retries > 0,
        "max-time": options.max_time is not None,
    }
    for word, differs in others.items():
        if differs:
            raise InvalidRequest(
                f"{workload.name} is kept as it was submitted: --{word} cannot change there.", _hint(workload)
            )
    if options.kind != workload.kind:
        raise InvalidRequest(f"{workload.name} is kept as {workload.kind}, not as {options.kind}.", _hint(workload))


def other_size(options: Asked, workload: Workload) -> InvalidRequest | None:
    """Why a cell cannot run where a workload is kept with other devices or tasks; what it leaves out is as it is."""
    if options.gpu == AUTO:
        options = replace(options, gpu=None)
    wanted, workers = with_amount(TaskRequest(), options), options.workers or workload.tasks
    of_others = (options.gpu or options.gpu_memory) and asked_for(wanted, 1) != asked_for(workload.request, 1)
    if not of_others and workers == workload.tasks:
        return None
    asks = asked_for(wanted, options.workers or 1)
    return InvalidRequest(
        f"{workload.name} is kept with {asked(workload)}, and this cell asks for {asks}.", _hint(workload)
    )


def _hint(workload: Workload) -> str:
    return f"Leave it out, or end what is kept: %runai stop {workload.name}"
