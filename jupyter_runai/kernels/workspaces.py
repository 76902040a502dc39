"""Workspaces: a kernel's environment, folder and share under a name; its kernel outlives whoever has opened it.

What a workspace is stands in a kernelspec, so that whatever starts kernels offers it; the workload of its name is where
it lives, waits or is suspended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from msgspec import Struct
from msgspec.structs import replace

from jupyter_runai.client import AsyncClient
from jupyter_runai.kernels.specs import (
    WORKSPACE_PREFIX,
    in_environment,
    leased,
    own_logos,
    own_spec,
    provisioner_config,
    workspace_specs,
    write_spec,
)
from jupyter_runai.words.figures import asked_for
from scheduler_core.errors import Conflict, InvalidRequest, NotFound
from scheduler_core.model import NON_PREEMPTIBLE_PRIORITY, TaskRequest
from scheduler_core.policies.templates import Environment
from scheduler_core.workload import DEFAULT_QUEUE, PRIORITIES, PriorityName, Workload


class Workspace(Struct, frozen=True, kw_only=True):
    """A workspace; notebooks open it by the kernel `kernelspec`, which people see as `display_name`.

    `command` starts its kernel in `folder`. `workload` is null while it has none: after its end, until it is opened.
    `priority` is the one that was asked for, if one was, and 0 for `max_time_s` no longest time.
    """

    name: str
    kernelspec: str
    display_name: str
    command: tuple[str, ...]
    folder: str
    project: str
    request: TaskRequest
    preemptible: bool
    priority: PriorityName | None
    max_time_s: float
    workload: Workload | None


def define(name: str, kernel: str | None, environment: Environment, config: Mapping[str, Any]) -> None:
    """Write down what a workspace is: the kernel of a kernelspec, else of this Python, in an environment.

    `config` is that of its provisioner.

    Raises:
        Conflict: there is one of this name.
        NotFound: there is no such kernelspec.
        InvalidRequest: no such amount, folder or interpreter, or that has no ipykernel.
        NotAllowed: the kernelspec cannot be written.
    """
    _write(name, _spec_of(kernel, environment), config)


def with_kernel(environment: Environment, kernel: str | None, python: str | None) -> Environment:
    """The environment as far as neither a kernelspec nor an interpreter takes the place of its own interpreter."""
    return environment if kernel is None and python is None else replace(environment, python=python)


def define_copy(name: str, other: str, changes: Mapping[str, Any]) -> None:
    """Write down a workspace that is as another, but for these changes of its `config`.

    Raises:
        NotFound: there is no such workspace.
        Conflict, InvalidRequest, NotAllowed: as `define`.
    """
    spec = definition(name)
    _write(other, spec, {**(provisioner_config(spec) or {}), **changes})


def definition(name: str) -> KernelSpec:
    """The kernelspec of a workspace.

    Raises:
        NotFound: there is none; the hint names the nearest, or those there are.
    """
    known = workspace_specs()
    if name not in known:
        nearest = get_close_matches(name, known, 1)
        there = f"There is: {', '.join(known) or 'none'}."
        raise NotFound(f"There is no workspace {name!r}.", f"Did you mean {nearest[0]}?" if nearest else there)
    return known[name]


async def all_workspaces(client: AsyncClient) -> tuple[Workspace, ...]:
    """All of them, by their names."""
    user, workloads = (await client.engine.info()).user, await client.engine.list()
    specs = workspace_specs()
    return tuple(_shown(name, spec, _living(workloads, name, user)) for name, spec in specs.items())


async def workspace(client: AsyncClient, name: str) -> Workspace:
    """One of them.

    Raises:
        NotFound: there is no such workspace.
    """
    return _shown(name, definition(name), await living_workload(client, name))


async def living_workload(client: AsyncClient, name: str) -> Workload | None:
    """The workload that one's own workspace of this name is now; null while it has none."""
    return _living(await client.engine.list(), name, (await client.engine.info()).user)


def _living(workloads: Iterable[Workload], name: str, user: str) -> Workload | None:
    wanted = ("workspace", name, user)
    live = [one for one in workloads if (one.kind, one.name, one.owner) == wanted and not one.has_ended]
    return live[-1] if live else None


def _shown(name: str, spec: KernelSpec, workload: Workload | None) -> Workspace:
    config = provisioner_config(spec) or {}
    return Workspace(
        name=name,
        kernelspec=WORKSPACE_PREFIX + name,
        display_name=spec.display_name,
        command=tuple(spec.argv),
        folder=config.get("folder", ""),
        project=config.get("project", DEFAULT_QUEUE),
        request=request_of(config) if workload is None else workload.request,
        preemptible=_preemptible(config) if workload is None else workload.preemptible,
        priority=config.get("priority") or None,
        max_time_s=config.get("max_time_s", 0.0),
        workload=workload,
    )


def _preemptible(config: Mapping[str, Any]) -> bool:
    priority = PRIORITIES.get(config.get("priority", ""), NON_PREEMPTIBLE_PRIORITY)
    return bool(config.get("preemptible")) or priority < NON_PREEMPTIBLE_PRIORITY


def request_of(config: Mapping[str, Any]) -> TaskRequest:
    """What a provisioner of this `config` asks for."""
    gpu = str(config.get("gpu", "")) or "0"
    amount: int | str = int(gpu) if gpu.isdecimal() else gpu
    return TaskRequest(gpu=amount, gpu_memory_mib=config.get("gpu_memory_mib", 0))


def _write(name: str, spec: KernelSpec, config: Mapping[str, Any]) -> None:
    if name in workspace_specs():
        raise Conflict(f"There is a workspace {name!r} already.", "Choose another name, or delete that one.")
    if not Path(config["folder"]).is_dir():
        raise InvalidRequest(f"There is no folder {config['folder']}.")
    try:
        amount = asked_for(request_of(config), 1)
    except ValueError as error:
        raise InvalidRequest(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    display_name = f"Workspace {name} ({amount})"
    fresh = leased(spec.to_dict(), display_name, {**config, "workspace": name})
    write_spec(KernelSpecManager(), WORKSPACE_PREFIX + name, fresh, spec.resource_dir)


def _spec_of(kernel: str | None, environment: Environment) -> KernelSpec:
    if kernel is None:
        own = KernelSpec(resource_dir=own_logos(), **own_spec())
        return in_environment(own, environment)
    try:
        return in_environment(KernelSpecManager().get_kernel_spec(kernel), environment)
    except NoSuchKernel:
        known = ", ".join(KernelSpecManager().find_kernel_specs())
        raise NotFound(f"There is no kernel {kernel!r}.", f"There is: {known}.") from None
