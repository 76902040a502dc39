"""What workloads use now."""

from __future__ import annotations

import time
from collections.abc import Iterable

from msgspec import Struct

from jupyter_runai.client import Client
from jupyter_runai.words.figures import asked, held_share, idle_time, memory
from jupyter_runai.words.tables import Table
from scheduler_core.errors import NotAllowed
from scheduler_core.workload import Measurement, Workload

_RECENT_S = 15.0
"""What was measured longer ago is not now."""


class Use(Struct, frozen=True, kw_only=True):
    """A running workload and its last second; null where nothing was measured, or it is another user's to see."""

    workload: Workload
    now: Measurement | None


def in_use(client: Client) -> list[Use]:
    """Everything that holds devices or runs, what uses most of them first."""
    holding = [workload for workload in client.list() if workload.allocation is not None and not workload.has_ended]
    uses = [Use(workload=workload, now=last_second(client, workload)) for workload in holding]
    return sorted(uses, key=lambda use: -((use.now and use.now.gpu_utilization) or 0.0))


def last_second(client: Client, workload: Workload) -> Measurement | None:
    """What a workload used in its last second."""
    try:
        measured = client.measurements(workload.id, "second", time.time() - _RECENT_S)
    except NotAllowed:
        return None
    return measured[-1] if measured else None


def use_table(uses: Iterable[Use]) -> Table:
    """A line for each workload; what nothing measures is a dash."""
    now = time.time()
    rows = tuple(
        (use.workload.name, asked(use.workload), *_figures(use), idle_time(use.workload, now) or "-") for use in uses
    )
    return Table(("name", "asks for", "holds", "GPU used", "GPU memory", "cores", "memory", "idle"), rows)


def use_sentence(now: Measurement, simulated: bool) -> str:
    """What was used in one second: 0.42 GPU, 1.2 GB of GPU memory, 0.9 cores, 0.4 GB."""
    parts = [f"{now.cpu_cores:.1f} cores", memory(now.memory_mib)]
    if now.gpu_memory_mib is not None:
        parts.insert(0, f"{memory(now.gpu_memory_mib)} of GPU memory")
    if now.gpu_utilization is not None:
        parts.insert(0, f"{now.gpu_utilization:.2f} GPU")
    return ", ".join(parts) + (" (what is of the GPU is simulated)" if simulated else "")


def _figures(use: Use) -> tuple[str, ...]:
    holds, now = held_share(use.workload), use.now
    if now is None:
        return (holds, "-", "-", "-", "-")
    mark = " (simulated)" if use.workload.simulated else ""
    gpu = "-" if now.gpu_utilization is None else f"{now.gpu_utilization:.2f}{mark}"
    gpu_memory = "-" if now.gpu_memory_mib is None else f"{memory(now.gpu_memory_mib)}{mark}"
    return (holds, gpu, gpu_memory, f"{now.cpu_cores:.1f}", memory(now.memory_mib))
