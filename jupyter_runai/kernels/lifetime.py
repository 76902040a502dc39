"""What people decide of a workspace: that it is there, that it runs, that it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from traitlets.config import Config

from jupyter_runai.client import AsyncClient
from jupyter_runai.kernels.specs import WORKSPACE_PREFIX, remove_spec
from jupyter_runai.kernels.workspaces import (
    Workspace,
    define,
    define_copy,
    definition,
    living_workload,
    workspace,
)
from scheduler_core.errors import Conflict, RunaiError
from scheduler_core.policies.templates import Environment

_PLACED_WITHIN_S = 2.0
"""What gets no device in so long is said to wait."""


async def create(
    client: AsyncClient, name: str, kernel: str | None, environment: Environment, config: Mapping[str, Any]
) -> Workspace:
    """A new workspace that runs, or waits for its device: the kernel of a kernelspec, else of this Python.

    Raises:
        RunaiError: it cannot be as asked for, or never starts; nothing is left of it.
    """
    await _check_is_free(client, name)
    # An interpreter is run to see what it has.
    await asyncio.to_thread(define, name, kernel, environment, config)
    return await _first_started(client, name)


async def copy(client: AsyncClient, name: str, other: str, changes: Mapping[str, Any]) -> Workspace:
    """A new workspace like one that there is, but for what changes in its provisioner's `config`.

    Raises:
        RunaiError: as `create`.
    """
    definition(name)
    await _check_is_free(client, other)
    define_copy(name, other, changes)
    return await _first_started(client, other)


async def start(client: AsyncClient, name: str) -> Workspace:
    """See to it that a workspace runs, or waits for its device: one that does is left as it is.

    It is opened as a notebook opens it, and left.

    Raises:
        NotFound: there is no such workspace.
        Conflict: it never starts.
    """
    definition(name)
    config = Config({"RunaiProvisioner": {"queue_timeout": _PLACED_WITHIN_S}})
    manager = AsyncKernelManager(kernel_name=WORKSPACE_PREFIX + name, config=config)
    try:
        await manager.start_kernel()
        await manager.shutdown_kernel()
    except RunaiError:
        manager.cleanup_connection_file()
        if await living_workload(client, name) is None:
            raise
    return await workspace(client, name)


async def suspend(client: AsyncClient, name: str) -> Workspace:
    """Free its device and keep it: its kernel ends, what it has in its checkpoint folder stays.

    Raises:
        NotFound: there is no such workspace.
        Conflict: it has no workload.
    """
    await client.engine.suspend(await _workload_of(client, name))
    return await workspace(client, name)


async def resume(client: AsyncClient, name: str) -> Workspace:
    """Let a suspended workspace wait for its device again.

    Raises:
        NotFound, Conflict: as `suspend`.
    """
    await client.engine.resume(await _workload_of(client, name))
    return await workspace(client, name)


async def delete(client: AsyncClient, name: str) -> Workspace:
    """End a workspace, and offer it no longer; what it was.

    Raises:
        NotFound: there is no such workspace.
        NotAllowed: its kernelspec cannot be removed.
    """
    known = await workspace(client, name)
    remove_spec(known.kernelspec)
    if known.workload is not None:
        await client.engine.stop(known.workload.id)
    return known


async def _workload_of(client: AsyncClient, name: str) -> str:
    known = await workspace(client, name)
    if known.workload is None:
        raise Conflict(f"The workspace {name} does not run.", f"Start it: %runai workspace open {name}")
    return known.workload.id


async def _check_is_free(client: AsyncClient, name: str) -> None:
    """Refuse a name that a workload has: nobody could tell which is meant."""
    if any(known.name == name and not known.has_ended for known in await client.engine.list()):
        raise Conflict(f"A workload is called {name} already.", "Choose another name, or stop that one.")


async def _first_started(client: AsyncClient, name: str) -> Workspace:
    try:
        return await start(client, name)
    except RunaiError:
        remove_spec(WORKSPACE_PREFIX + name)
        raise
