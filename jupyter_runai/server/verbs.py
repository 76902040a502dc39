"""What can be asked over REST.

A verb's signature is its interface: what of the path, the `query` and the `body` it takes, and its answer.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from jupyter_runai.client.aio import joined
from jupyter_runai.kernels.derived import derived_spec
from jupyter_runai.kernels.specs import HERE
from jupyter_runai.server import wire
from jupyter_runai.submission.surroundings import text_environment
from jupyter_runai.submission.templates import named
from scheduler_core.accounting.past import QueueHistory
from scheduler_core.accounting.usage import Usage
from scheduler_core.audit import AuditPage, AuditQuery
from scheduler_core.engine import Engine
from scheduler_core.errors import InvalidRequest
from scheduler_core.model import TaskRequest, Verdict
from scheduler_core.policies.clauses import PolicyCheck, PolicyClauses
from scheduler_core.policies.templates import Catalog, Environment
from scheduler_core.workload import DEFAULT_QUEUE, EngineInfo, Explanation, Resized, Scale, Workload, WorkloadSpec


class Context(Struct, frozen=True):
    """What verbs work on: the engine, the folder that relative paths begin at, and the server's managers of kernels."""

    engine: Engine
    root: Path
    kernels: Any
    kernelspecs: Any


async def info(context: Context) -> EngineInfo:
    """Which engine answers, for whom and with which devices."""
    return await context.engine.info()


async def simulate(context: Context, body: wire.Simulate) -> EngineInfo:
    """Change between simulated and real devices."""
    return await context.engine.simulate(body.devices)


async def devices(context: Context) -> wire.DeviceList:
    """All devices and who holds them."""
    return wire.DeviceList(await context.engine.devices())


async def queues(context: Context) -> wire.QueueList:
    """All queues with their quota, fair share and use."""
    return wire.QueueList(await context.engine.queues())


async def workloads(context: Context, query: wire.Listed) -> wire.WorkloadList:
    """All workloads, or those in the trash."""
    return wire.WorkloadList(await context.engine.list(query.deleted))


async def usage(context: Context, query: wire.Accounted) -> Usage:
    """Who used what; the whole numbers of a long time may be more than a browser tells apart (2^53)."""
    return await context.engine.usage(query.by, query.since, query.until, query.step, query.most)


async def queue_history(context: Context, query: wire.PastQueues) -> QueueHistory:
    """What queues deserved, got and held, and why work waited in them."""
    return await context.engine.queue_history(query.since, query.until, query.step)


async def policy(context: Context, query: wire.OfProject) -> PolicyClauses:
    """What holds for a kind of work in a project, and who says so."""
    return await context.engine.policy(query.project, query.kind)


async def check_policies(context: Context, body: wire.PolicyText) -> PolicyCheck:
    """Whom a file of policies would hit now; nothing is done to them."""
    return await context.engine.check_policies(body.text)


async def catalog(context: Context) -> Catalog:
    """The templates and environments that there are."""
    return await context.engine.catalog()


async def audit(context: Context, query: AuditQuery) -> AuditPage:
    """Who did what and when, as far as the server's user may read it; `next` asks for what follows as `after`."""
    return await context.engine.audit(query)


async def submit(context: Context, body: WorkloadSpec, query: wire.Submitted) -> Workload:
    """Submit a workload; a relative working directory begins at the server's root folder."""
    spec = _in_folder(context, body)
    if query.inherit_env:
        spec = replace(spec, env={**text_environment(os.environ), **spec.env})
    return await context.engine.submit(spec)


async def preview(context: Context, body: WorkloadSpec) -> Verdict:
    """Check a specification and say what would become of it now; nothing is submitted."""
    return await context.engine.preview(_in_folder(context, body))


async def workload(context: Context, workload_id: str) -> Workload:
    """One workload."""
    return await context.engine.get(workload_id)


async def delete(context: Context, workload_id: str, query: wire.Deleted) -> None:
    """Delete a workload that has ended."""
    await context.engine.delete(workload_id, query.purge)


async def restore(context: Context, workload_id: str) -> Workload:
    """Bring a deleted workload back."""
    return await context.engine.restore(workload_id)


async def suspend(context: Context, workload_id: str) -> Workload:
    """Free what a workload holds and keep it."""
    return await context.engine.suspend(workload_id)


async def resume(context: Context, workload_id: str) -> Workload:
    """Let a suspended workload wait for its devices again."""
    return await context.engine.resume(workload_id)


async def snooze(context: Context, workload_id: str) -> Workload:
    """Put off, once, what a rule is to do about an idle workload."""
    return await context.engine.snooze(workload_id)


async def stop(context: Context, workload_id: str) -> Workload:
    """End a workload for good."""
    return await context.engine.stop(workload_id)


async def resize(context: Context, workload_id: str, body: TaskRequest) -> Resized:
    """Change what each task of a workload asks for."""
    return await context.engine.resize(workload_id, body)


async def scale(context: Context, workload_id: str, body: Scale) -> Resized:
    """Change how many tasks a workload has."""
    return await context.engine.scale(workload_id, body)


async def explain(context: Context, workload_id: str, query: wire.Explained) -> Explanation:
    """Why a workload is where it is and, asked for, what would let it start."""
    return await context.engine.explain(workload_id, query.remedies)


async def specification(context: Context, workload_id: str) -> WorkloadSpec:
    """What was submitted, as it was changed since."""
    return await context.engine.specification(workload_id)


async def tasks(context: Context, workload_id: str) -> wire.TaskList:
    """Each task of a workload."""
    return wire.TaskList(await context.engine.tasks(workload_id))


async def measurements(context: Context, workload_id: str, query: wire.Measured) -> wire.MeasurementList:
    """What a workload used of devices, cores and memory."""
    return wire.MeasurementList(await context.engine.measurements(workload_id, query.step, query.since))


async def results(context: Context, workload_id: str, query: wire.OfTask) -> wire.ResultFolder:
    """Where the results of a task lie."""
    return wire.ResultFolder(str(await context.engine.results(workload_id, query.task)))


async def logs(context: Context, workload_id: str, query: wire.LogRange) -> wire.TextStream:
    """The output of a task so far; a line says where some is not kept any more."""
    name = (await context.engine.get(workload_id)).name
    of_task = f"-{query.task}" if query.task else ""
    pieces = _output(context.engine, workload_id, query)
    return wire.TextStream(pieces, saved_as=f"{name}{of_task}.log" if query.download else None)


async def leases(context: Context) -> wire.KernelLeaseList:
    """Which workload each kernel of this server is."""
    provisioners = (
        (kernel, getattr(context.kernels.get_kernel(kernel), "provisioner", None))
        for kernel in context.kernels.list_kernel_ids()
    )
    workloads = ((kernel, getattr(provisioner, "workload_id", None)) for kernel, provisioner in provisioners)
    return wire.KernelLeaseList(tuple(wire.KernelLease(kernel, found) for kernel, found in workloads if found))


async def lease_kernel(context: Context, body: wire.LeasedKernel) -> wire.KernelSpecName:
    """Offer a kernel on a share of a device, to be started by the name of its kernelspec."""
    try:
        TaskRequest(gpu=body.gpu, gpu_memory_mib=body.gpu_memory_mib)
    except ValueError as error:
        raise InvalidRequest(f"The request is not valid: {error}.") from None
    asked = {
        "gpu": "" if body.gpu in (0, "", "0") else str(body.gpu),
        "gpu_memory_mib": body.gpu_memory_mib,
        "project": "" if body.project == DEFAULT_QUEUE else body.project,
        "preemptible": body.preemptible,
        "priority": body.priority,
        "max_time_s": body.max_time_s,
    }
    config = {name: value for name, value in asked.items() if value}
    environment = await environment_named(context, body.environment)
    # An interpreter is run to see what it has.
    found = await asyncio.to_thread(derived_spec, context.kernelspecs, body.base, config, environment)
    return wire.KernelSpecName(*found)


async def environment_named(context: Context, name: str | None) -> Environment:
    """The environment of this name in the catalog; without a name one that changes nothing.

    Raises:
        NotFound: there is none; the hint names the nearest, or those there are.
    """
    if name is None:
        return HERE
    return named((await context.engine.catalog()).environments, name, "environment")


async def submission_schema(context: Context) -> dict[str, Any]:
    """The JSON schema that a submission is checked with; `cwd` has the server's root folder as its default."""
    from jupyter_runai.server.openapi import schema_of  # noqa: PLC0415 (only asked for by dialogs)

    schema = schema_of(WorkloadSpec)
    schema["$defs"]["WorkloadSpec"]["properties"]["cwd"]["default"] = str(context.root)
    return schema


async def interface(context: Context) -> dict[str, Any]:
    """This document."""
    from jupyter_runai.server.openapi import document  # noqa: PLC0415 (made from the routes, which name this)

    return document()


def _in_folder(context: Context, spec: WorkloadSpec) -> WorkloadSpec:
    return replace(spec, cwd=str(context.root / spec.cwd))


async def _output(engine: Engine, workload_id: str, asked: wire.LogRange) -> AsyncGenerator[bytes, None]:
    offset = asked.offset
    async with aclosing(engine.logs(workload_id, offset, task=asked.task)) as pieces:
        async for piece in pieces:
            yield joined(piece, offset)
            offset = piece.offset + len(piece.data)
