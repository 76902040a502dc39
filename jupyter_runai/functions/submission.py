"""One call of a function as a workload."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar, Unpack

from msgspec.structs import replace

from jupyter_runai.client import Client, shared_client
from jupyter_runai.functions.errors import door
from jupyter_runai.functions.fingerprint import fingerprint
from jupyter_runai.functions.handle import Handle
from jupyter_runai.functions.options import Options, plain, with_options
from jupyter_runai.functions.packing import Call, pack_call
from jupyter_runai.submission.automatic import with_amount_found
from jupyter_runai.submission.handshake import shake_hands
from jupyter_runai.submission.specification import Asked, specification
from jupyter_runai.submission.surroundings import name_of
from jupyter_runai.submission.templates import with_template
from scheduler_core.errors import InvalidRequest
from scheduler_core.workload import Workload, WorkloadSpec

R = TypeVar("R")


@with_options
@door
def submit(
    function: Callable[..., R],
    /,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    **options: Unpack[Options],
) -> Handle[R]:
    """Run `function(*args, **kwargs)` as a workload, and go on at once with a handle of it.

    What stands by name is for us (`gpu=0.5`, see `Options`); what the function is to get by name goes into `kwargs`, or
    into a `functools.partial`. Functions and classes of the notebook travel by value with what they read, modules by
    import; it runs with this process's own Python, folder, module path and environment. With `workers=4` each of four
    tasks calls the function, with torchrun's variables in its environment; the value is that of the first.

    With a `name`, the same call (function, arguments, workers) in this kernel or another finds the workload again that
    waits, runs or has completed, whatever it was given of devices; one that failed or was stopped is followed by a new
    one. Without a name it is a new one each time.

    Raises:
        InvalidRequest: an option or the arguments are wrong, or something cannot be pickled; nothing was submitted.
        TooLarge: what travels is over 2 GB.
    """
    called, asked = plain(function, options)
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise InvalidRequest("kwargs are the function's arguments by name.", "Write them as kwargs={'lr': 0.1}.")
    call = Call(called, args, kwargs or {})
    client = shared_client()
    asked = with_amount_found(client, with_template(client, asked))
    with client.staging() as folder:
        pack_call(folder, call)
        key = None if asked.name is None else key_of(asked, call.function, call.args, dict(call.kwargs))
        spec = specification(asked, name_hint(call), key)
        return Handle(client, submitted(client, spec, folder, anew=("failed", "stopped")))


def key_of(asked: Asked, *values: object) -> str:
    """By what a named workload is found again."""
    return fingerprint(asked.name, asked.workers, *values)


def submitted(client: Client, spec: WorkloadSpec, folder: Path, anew: Collection[str]) -> Workload:
    """The workload of this key; where that has come to an end from which one starts `anew`, one more.

    Raises:
        InvalidRequest: its Python cannot load what was pickled here.
    """
    python = spec.command[0]
    if python != sys.executable and client.info().kind == "local":
        shake_hands(python)
    while (workload := client.submit(spec, folder)).state in anew:
        following = hashlib.sha256(f"{spec.key} after {workload.id}".encode()).hexdigest()
        spec = replace(spec, key=following)
    return workload


def name_hint(call: Call) -> str:
    """The function's name as far as a workload can be called so."""
    return name_of(call.name, "call")
