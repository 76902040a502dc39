"""A function on many items, as one array of tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, Unpack

from msgspec.structs import replace

from jupyter_runai.client import Client, never_starts, shared_client
from jupyter_runai.functions.errors import Detached, door
from jupyter_runai.functions.handle import Handle
from jupyter_runai.functions.options import Options, plain, with_options
from jupyter_runai.functions.packing import Call, pack_items
from jupyter_runai.functions.progress import Progress
from jupyter_runai.functions.spreading import FEW, tasks_at, tasks_for
from jupyter_runai.functions.submission import key_of, name_hint, submitted
from jupyter_runai.submission.specification import Asked, specification
from jupyter_runai.submission.templates import with_template
from jupyter_runai.verbs.option_types import AUTO
from jupyter_runai.verbs.options import with_amount
from scheduler_core.errors import InvalidRequest, NotAllowed
from scheduler_core.model import TaskRequest
from scheduler_core.workload import DEFAULT_QUEUE, Workload

T = TypeVar("T")
R = TypeVar("R")

_TICK_S = 0.25


@with_options
@door
def map(  # noqa: A001 (people write runai.map)
    function: Callable[[T], R], items: Iterable[T], /, *, chunksize: int | None = None, **options: Unpack[Options]
) -> list[R | Exception]:
    """Call `function(item)` for each item, in one workload with a task an item, and show how far it is.

    Each task gets what is asked for (`gpu=0.25`, see `Options`) and starts as soon as there is room. Of many items each
    task takes several, one after another in one process: as many as `chunksize` says, else as few as still keep all
    devices busy; where a task has a `max_time`, one. More than 1000 tasks there are not. The results come in
    the order of the items; where the function raised, its exception stands in place of the result. A process that dies
    takes the item that it was at along, and no other. With `retries` a task that failed is tried again, for the items
    that have no result yet.

    With a `name`, the same call (function and items) in this kernel or another finds the workload again, be it waiting,
    running or at its end; one that was stopped is followed by a new one.

    Raises:
        InvalidRequest: an option is wrong, or something cannot be pickled: nothing was submitted. Or it can never start
            here, and was withdrawn.
        RemoteError: it was stopped, or no task of it could start.
        KeyboardInterrupt: somebody interrupted the waiting; the workload goes on.
    """
    called, asked = plain(function, options)
    if asked.workers is not None:
        raise InvalidRequest("workers go with submit: each task of a map works alone.", "Leave workers out.")
    if asked.gpu == AUTO:
        raise InvalidRequest(
            "gpu='auto' goes with submit: what one task of a map uses is not measured by itself.", "Give an amount."
        )
    work = list(items)
    if not work:
        return []
    call = Call(called)
    client = shared_client()
    asked = with_template(client, asked)
    tasks = _tasks(client, len(work), chunksize, asked)
    with client.staging() as folder:
        pack_items(folder, call, work, tasks)
        key = None if asked.name is None else key_of(asked, "map", called, work)
        spec = replace(specification(asked, name_hint(call), key), tasks=tasks, min_tasks=None, gang=False)
        workload = submitted(client, spec, folder, anew=("stopped",))
    _stay(client, workload)
    handle: Handle[Any] = Handle(client, workload)
    results: list[R | Exception] = handle.result()
    return results


def _tasks(client: Client, items: int, chunksize: int | None, asked: Asked) -> int:
    if chunksize is not None:
        return tasks_for(items, chunksize)
    if items <= FEW or _is_limited(client, asked):
        return tasks_for(items, 1)
    try:
        devices = client.devices()
    except NotAllowed:
        # Of a cluster somebody may see no more than their own namespace.
        devices = ()
    return tasks_at(items, with_amount(TaskRequest(), asked), devices)


def _is_limited(client: Client, asked: Asked) -> bool:
    """Whether a task has so much time and no more, be it by policy: several items would need more than one."""
    if asked.max_time is not None:
        return True
    policy = client.policy(asked.project or DEFAULT_QUEUE, asked.kind)
    return any(clause.field == "max_time" for clause in policy.clauses)


def _stay(client: Client, workload: Workload) -> None:
    """Show how far it is until it has ended, or until it is known that it never starts."""
    progress = Progress()
    progress.show(workload)
    try:
        for change in client.changes(workload.id, tick_s=_TICK_S):
            workload = workload if change is None else change
            progress.show(workload)
            if workload.state == "pending" and never_starts(workload):
                return
    except KeyboardInterrupt:
        again = f"runai.get({workload.name!r}).result() waits for it again"
        raise Detached(f"{workload.name} goes on. {again}; so does the same call, where it has a name.") from None
