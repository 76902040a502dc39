"""A workload as a script or a manifest, for the way to production; of its environment nothing goes along."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from jupyter_runai.submission.travelling import KEEPER, RUNNER
from jupyter_runai.verbs.answer import Answer
from jupyter_runai.verbs.manifest import manifest
from jupyter_runai.words.figures import share
from scheduler_core.errors import InvalidRequest
from scheduler_core.model import MILLI, NON_PREEMPTIBLE_PRIORITY, TaskRequest
from scheduler_core.workload import DEFAULT_QUEUE, KIND_PRIORITY, PRIORITIES, Workload, WorkloadSpec

_ENVIRONMENT = "Its environment is left out: it may hold secrets. What the command needs of it is to be set here."
_OURS = tuple(list(script.parts[-2:]) for script in (RUNNER, KEEPER))


def exported(workload: Workload, spec: WorkloadSpec, form: str, image: str | None) -> Answer:
    """The workload in that `form`, script or kubernetes.

    Raises:
        InvalidRequest: it cannot be written so.
    """
    _check_is_command(workload, spec)
    if form == "kubernetes":
        text, documents = manifest(workload, spec, image, _ENVIRONMENT)
        return Answer(text, documents)
    _check_can_be_submitted(workload, spec)
    script = _script(workload, spec)
    return Answer(script.rstrip(), {"script": script})


def _script(workload: Workload, spec: WorkloadSpec) -> str:
    line = shlex.join(["jupyter", "runai", "submit", *_options(workload, spec), "--", *spec.command])
    return (
        f"#!/bin/sh\n# {workload.name} as jupyter-runai ran it. {_ENVIRONMENT}\n"
        "# What follows -- runs by itself, too.\n"
        f"set -eu\ncd {shlex.quote(spec.cwd)}\nexec {line}\n"
    )


def _options(workload: Workload, spec: WorkloadSpec) -> Iterator[str]:
    yield from ("--name", workload.name)
    yield from _amount(spec.request)
    if spec.tasks > 1:
        few = spec.fewest_tasks
        yield from ("--elastic", f"{few}:{spec.tasks}") if few < spec.tasks else ("--workers", str(spec.tasks))
    if spec.kind != "training":
        yield from ("--kind", spec.kind)
    if spec.queue != DEFAULT_QUEUE:
        yield from ("--project", spec.queue)
    names = [name for name, value in PRIORITIES.items() if value == spec.effective_priority]
    if names and spec.effective_priority != KIND_PRIORITY[spec.kind]:
        yield from ("--priority", names[0])
    if spec.retries:
        yield from ("--retries", str(spec.retries))
    if spec.max_run_s is not None:
        yield from ("--max-time", f"{spec.max_run_s:.3f}".rstrip("0").rstrip(".") + "s")


def _amount(request: TaskRequest) -> Iterator[str]:
    if request.gpu_memory_mib:
        yield from ("--gpu-memory", f"{request.gpu_memory_mib}M")
    elif amount := request.whole_devices * MILLI + request.portion_milli:
        yield from ("--gpu", share(amount))
    if request.limit_milli:
        yield from ("--gpu-limit", share(request.limit_milli))
    if request.gpu_memory_limit_mib:
        yield from ("--gpu-memory-limit", f"{request.gpu_memory_limit_mib}M")


def _check_is_command(workload: Workload, spec: WorkloadSpec) -> None:
    if any(word.rsplit("/", 2)[-2:] in _OURS for word in spec.command):
        raise InvalidRequest(
            f"{workload.name} is a cell or a function with values from its notebook: neither script nor manifest has "
            "them.",
            "Write the code to a file (%%writefile train.py) and submit that: submit -- python train.py; that can be "
            "exported.",
        )
    if spec.kind == "workspace":
        raise InvalidRequest(f"{workload.name} is a kernel of a notebook: by itself it runs nothing.")


def _check_can_be_submitted(workload: Workload, spec: WorkloadSpec) -> None:
    """Refuse what `submit` has no option for: a script that leaves it out would be another workload."""
    request = spec.request
    others = {
        "an array of independent tasks": spec.tasks > 1 and not spec.gang,
        "cores or memory asked for": bool(request.cpu_milli or request.memory_mib),
        "slices asked for": bool(request.mig),
        "a share of several devices": request.gpu_devices > 1,
        "models of devices": request.models is not None,
        "a priority without a name": spec.effective_priority not in PRIORITIES.values(),
        "a preemptibility of its own": spec.preemptible
        not in (None, spec.effective_priority < NON_PREEMPTIBLE_PRIORITY),
    }
    for what, is_there in others.items():
        if is_there:
            raise InvalidRequest(
                f"{workload.name} has what submit has no option for: {what}.", "Try: --format kubernetes"
            )
