"""What can be asked of workspaces over REST; suspend, resume and resize are those of their workloads."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from jupyter_runai.client import AsyncClient
from jupyter_runai.kernels import lifetime
from jupyter_runai.kernels.workspaces import Workspace, all_workspaces, with_kernel
from jupyter_runai.server.verbs import Context, environment_named
from jupyter_runai.server.wire import Seconds
from scheduler_core.workload import PriorityName

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$")]


class WorkspaceList(Struct, frozen=True):
    """All workspaces, by their names."""

    workspaces: tuple[Workspace, ...]


class Share(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a workspace asks for, where and as whom; a relative `folder` begins at the server's root folder.

    `gpu` is a share such as "0.5" or whole devices such as "2", or `gpu_memory_mib` device memory instead. Below the
    priority `high`, null for the usual one, it may be evicted; it is stopped after `max_time_s`, unless that is 0. What
    is left out is, of a copy, as it was.
    """

    name: Name
    gpu: str | UnsetType = UNSET
    gpu_memory_mib: Annotated[int, Meta(ge=0, le=2**31)] | UnsetType = UNSET
    folder: str | UnsetType = UNSET
    project: str | UnsetType = UNSET
    preemptible: bool | UnsetType = UNSET
    priority: PriorityName | UnsetType | None = UNSET
    max_time_s: Seconds | UnsetType = UNSET


class NewWorkspace(Share, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workspace to be made, of the kernel of this name or with this interpreter, else the server's own.

    An `environment` of the catalog gives it variables and, where nothing else is said, an interpreter and a folder.
    """

    kernel: str | None = None
    python: str | None = None
    environment: str | None = None


async def workspaces(context: Context) -> WorkspaceList:
    """All workspaces and where each is."""
    return WorkspaceList(await all_workspaces(_client(context)))


async def create_workspace(context: Context, body: NewWorkspace) -> Workspace:
    """Make a workspace; it runs, or waits for its device."""
    environment = await environment_named(context, body.environment)
    config = {"folder": environment.folder or str(context.root), **_config(context, body)}
    inside = with_kernel(environment, body.kernel, body.python)
    return await lifetime.create(_client(context), body.name, body.kernel, inside, config)


async def copy_workspace(context: Context, name: str, body: Share) -> Workspace:
    """Make another like it."""
    return await lifetime.copy(_client(context), name, body.name, _config(context, body))


async def open_workspace(context: Context, name: str) -> Workspace:
    """Start a workspace where it does not run."""
    return await lifetime.start(_client(context), name)


async def delete_workspace(context: Context, name: str) -> None:
    """End a workspace, and offer it no longer."""
    await lifetime.delete(_client(context), name)


def _client(context: Context) -> AsyncClient:
    return AsyncClient(context.engine)


def _config(context: Context, asked: Share) -> dict[str, Any]:
    given = {name: getattr(asked, name) for name in Share.__struct_fields__ if name != "name"}
    config = {name: value for name, value in given.items() if value is not UNSET}
    if "folder" in config:
        config["folder"] = str(context.root / config["folder"])
    if "gpu" in config or "gpu_memory_mib" in config:
        config = {"gpu": "", "gpu_memory_mib": 0, **config}
    if config.get("priority", "") is None:
        config["priority"] = ""
    return config
