"""What a workload of this process is made of: its own Python, folder and environment, and what was asked for."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from msgspec import Struct

from jupyter_runai.submission.surroundings import is_text, text_environment
from jupyter_runai.submission.travelling import RUNNER
from jupyter_runai.verbs.options import with_amount
from scheduler_core.errors import InvalidRequest
from scheduler_core.model import TaskRequest
from scheduler_core.policies.templates import Environment
from scheduler_core.workload import DEFAULT_QUEUE, PRIORITIES, JobKindName, Kind, Mount, WorkloadSpec


class Asked(Struct, frozen=True, kw_only=True):
    """What people ask for, checked: `gpu_memory` and its limit are in MiB, `max_time` in seconds.

    An `environment` is its name until it has been looked up.
    """

    kind: Kind = "training"
    gpu: int | str | None = None
    gpu_memory: int | None = None
    gpu_limit: int | str | None = None
    gpu_memory_limit: int | None = None
    name: str | None = None
    project: str | None = None
    priority: str | None = None
    workers: int | None = None
    elastic: tuple[int, int] | None = None
    retries: int = 0
    max_time: float | None = None
    template: str | None = None
    environment: str | Environment | None = None
    image: str | None = None
    job_kind: JobKindName = "Job"
    mount: list[Mount] = []


def specification(
    asked: Asked, name_hint: str, key: str | None = None, command: tuple[str, ...] | None = None
) -> WorkloadSpec:
    """The workload that runs a command, without one what lies in its inputs; without a `key` it is one of its own.

    In an environment with an interpreter that takes the place of this process's own.

    Raises:
        InvalidRequest: this process's folder is gone, or its name is no text; what was asked for contradicts itself.
    """
    if asked.elastic and asked.job_kind != "Job":
        raise InvalidRequest(
            f"--elastic and --job-kind contradict each other: a {asked.job_kind} stays of one size.",
            "Leave one of them out.",
        )
    fewest, most = asked.elastic or (asked.workers or 1,) * 2
    chosen = asked.environment if isinstance(asked.environment, Environment) else Environment(name="")
    first, *rest = command or (sys.executable, "-P", "-u", str(RUNNER))
    return WorkloadSpec(
        command=(chosen.python or first if first == sys.executable else first, *rest),
        cwd=chosen.folder or working_folder(),
        env={**environment(), **chosen.variables},
        job_kind=asked.job_kind,
        image=asked.image or chosen.image,
        mounts=tuple(asked.mount) or chosen.mounts,
        name=asked.name or "",
        name_hint=name_hint,
        kind=asked.kind,
        queue=asked.project or DEFAULT_QUEUE,
        tasks=most,
        min_tasks=fewest,
        retries=asked.retries,
        max_run_s=asked.max_time,
        priority=None if asked.priority is None else PRIORITIES[asked.priority],
        request=with_amount(TaskRequest(), asked),
        key=key or secrets.token_hex(16),
    )


def module_path() -> list[str]:
    """Where this process looks for modules; Python itself looks into nothing else that may stand there."""
    return [entry for entry in sys.path if isinstance(entry, str)]


def working_folder() -> str:
    """Where this process works.

    Raises:
        InvalidRequest: the folder is gone, or its name is no text.
    """
    try:
        folder = str(Path.cwd())
    except FileNotFoundError:
        raise InvalidRequest(
            "The folder that this notebook or shell works in is gone.", "Go to another one: %cd FOLDER"
        ) from None
    if not is_text(folder):
        raise InvalidRequest(f"The folder {folder!a} cannot be used: its name is not UTF-8.", "Rename it.")
    return folder


def environment() -> dict[str, str]:
    """This process's variables; of those that are no text a workload does without, and people are told."""
    variables = text_environment(os.environ)
    left_out = sorted(os.environ.keys() - variables.keys())
    if left_out:
        names = ", ".join(ascii(name)[1:-1] for name in left_out)
        sys.stderr.write(f"The workload goes without the environment variables that are not UTF-8: {names}.\n")
    return variables
