"""Named templates, which are parts of a submission, and environments that work can run in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from msgspec import Struct

from scheduler_core.policies.fields import NUMBER, PRIORITY, TIME, Unit
from scheduler_core.quantities import mib_of, milli_of
from scheduler_core.workload import MOST_RETRIES, MOST_TASKS, Kind, Mount
from scheduler_core.written import Written

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")


class Environment(Struct, frozen=True, kw_only=True):
    """What a workload runs in: null or empty leaves it as it is where the workload is submitted.

    `python` is the path of an interpreter, `packages` is what it has, for people to read; `variables` are added to
    those of the submission; `folder` is the working directory. On a cluster it is an `image` with the volumes `mounts`.
    """

    name: str
    python: str | None = None
    packages: tuple[str, ...] = ()
    variables: Mapping[str, str] = {}
    folder: str | None = None
    image: str | None = None
    mounts: tuple[Mount, ...] = ()


class Template(Struct, frozen=True, kw_only=True):
    """A part of a submission, for what it does not say itself; `gpu_memory` is in MiB, `max_time` in seconds."""

    name: str
    kind: Kind | None = None
    project: str | None = None
    gpu: int | str | None = None
    gpu_memory: int | None = None
    workers: int | None = None
    retries: int | None = None
    max_time: float | None = None
    priority: str | None = None
    environment: str | None = None


class Catalog(Struct, frozen=True, kw_only=True):
    """The templates and environments that an engine offers, by their names."""

    templates: tuple[Template, ...] = ()
    environments: tuple[Environment, ...] = ()


class _WrittenTemplate(Struct, frozen=True, kw_only=True):
    kind: str | None = None
    project: str | None = None
    gpu: int | float | str | None = None
    gpu_memory: str | None = None
    workers: int | None = None
    retries: int | None = None
    max_time: int | float | str | None = None
    priority: str | None = None
    environment: str | None = None


class _WrittenEnvironment(Struct, frozen=True, kw_only=True):
    python: str | None = None
    packages: tuple[str, ...] = ()
    variables: dict[str, str | int | float] = {}
    folder: str | None = None


def read_environment(written: Written, path: list[str], value: object) -> Environment:
    """The environment at this path of a file.

    Raises:
        InvalidRequest: as the file's refusals, with the line.
    """
    _check_name(written, path)
    found = written.fields(path, written.table(path, value), _WrittenEnvironment)
    for place in ("python", "folder"):
        given = getattr(found, place)
        if given is not None and not given.startswith("/"):
            raise written.bad([*path, place], f"{place}: an absolute path, not {given!r}")
    for name in found.variables:
        if not name or "=" in name or "\0" in name + str(found.variables[name]):
            raise written.bad([*path, "variables", name], f"{name!r} cannot be a variable")
    variables = {name: str(given) for name, given in found.variables.items()}
    return Environment(
        name=path[-1], python=found.python, packages=found.packages, variables=variables, folder=found.folder
    )


def read_template(written: Written, path: list[str], value: object) -> Template:
    """The template at this path of a file.

    Raises:
        InvalidRequest: as the file's refusals, with the line.
    """
    _check_name(written, path)
    found = written.fields(path, written.table(path, value), _WrittenTemplate)
    if found.kind is not None and found.kind not in get_args(Kind):
        raise written.bad([*path, "kind"], f"kind: one of {', '.join(get_args(Kind))}, not {found.kind!r}")
    if found.gpu is not None and found.gpu_memory is not None:
        raise written.bad([*path, "gpu_memory"], "it goes with no gpu")
    for name, most in (("workers", MOST_TASKS), ("retries", MOST_RETRIES)):
        if (getattr(found, name) or 0) > most or found.workers == 0:
            raise written.bad([*path, name], f"{name}: at most {most}, not {getattr(found, name)}")

    def read(name: str, unit: Unit) -> Any:
        given = getattr(found, name)
        try:
            return None if given is None else unit.read(given)
        except ValueError as error:
            raise written.bad([*path, name], f"{name}: {error}") from None

    read("priority", PRIORITY)
    return Template(
        name=path[-1],
        kind=found.kind,  # type: ignore[arg-type]
        project=found.project,
        gpu=read("gpu", _GPU),
        gpu_memory=read("gpu_memory", _MEMORY),
        workers=read("workers", NUMBER),
        retries=read("retries", NUMBER),
        max_time=read("max_time", TIME),
        priority=found.priority,
        environment=found.environment,
    )


def _check_name(written: Written, path: list[str]) -> None:
    if not _NAME.fullmatch(path[-1]):
        raise written.bad(path, f"a name has lower-case letters, digits, '-', '_' and '.', not {path[-1]!r}")


def _as_asked(written: object) -> int | str:
    """An amount as submissions have it: whole devices as a number, a share as it is written."""
    milli = milli_of(written)  # type: ignore[arg-type]
    return milli // 1000 if milli % 1000 == 0 else str(written)


_GPU = Unit(read=_as_asked, text=str)
_MEMORY = Unit(read=lambda written: mib_of(str(written)), text=str)
