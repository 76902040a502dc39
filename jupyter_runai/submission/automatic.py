"""`--gpu auto`: as much as the last runs of the same name have really used, and some to spare."""

from __future__ import annotations

import sys
from math import ceil
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from jupyter_runai.client import Client
from jupyter_runai.submission.specification import Asked
from jupyter_runai.verbs.option_types import AUTO
from jupyter_runai.words.figures import memory, share
from scheduler_core.errors import InvalidRequest
from scheduler_core.model import MILLI
from scheduler_core.workload import Workload

A = TypeVar("A", bound=Asked)
_RUNS = 5
_SPARE_PERCENT = 20
_STEP_MILLI = 50


class Peak(Struct, frozen=True, kw_only=True):
    """The most that one task of a run used in a minute, all tasks of a gang taken to be alike.

    `memory_mib` is on at most so many `devices` of `device_mib` each; `utilization`, in devices, is null where nothing
    measures it.
    """

    memory_mib: float
    devices: int
    device_mib: float
    utilization: float | None


def with_amount_found(client: Client, asked: A) -> A:
    """What is asked for, with an amount in place of `auto`; people are told which, and why.

    Raises:
        InvalidRequest: there is no run of that name to go by.
    """
    if asked.gpu != AUTO:
        return asked
    if asked.name is None:
        raise InvalidRequest("gpu auto goes by the last runs of the same name.", "Give it a name: --name NAME")
    peaks = _last_peaks(client, asked.name)
    if not peaks:
        raise InvalidRequest(
            f"No run of {asked.name!r} on a device has been measured yet: gpu auto has nothing to go by.",
            "Run it once with an amount, such as --gpu 0.5.",
        )
    needed = max(_milli(peak) for peak in peaks)
    sys.stderr.write(f"{_said(asked.name, needed, peaks)}\n")
    return replace(asked, gpu=needed // MILLI if needed % MILLI == 0 else share(needed))


def _last_peaks(client: Client, name: str) -> list[Peak]:
    """Of one's own last runs that were measured; of the tasks of an array nobody knows how many ran at once."""
    info = client.info()
    runs = [
        run
        for run in client.list()
        if (run.name, run.owner, run.simulated) == (name, info.user, bool(info.simulated))
        and (run.gang or run.tasks == 1)
    ]
    peaks: list[Peak] = []
    for run in reversed(runs):
        peak = _peak(client, run)
        if peak is not None:
            peaks.append(peak)
        if len(peaks) == _RUNS:
            break
    return peaks


def _peak(client: Client, run: Workload) -> Peak | None:
    devices = run.allocation.devices if run.allocation is not None else ()
    measured = client.measurements(run.id, "minute") if devices else ()
    memories = [one.gpu_memory_peak_mib for one in measured if one.gpu_memory_peak_mib is not None]
    if not memories:
        return None
    loads = [one.gpu_utilization for one in measured if one.gpu_utilization is not None]
    return Peak(
        memory_mib=max(memories) / run.min_tasks,
        devices=max(run.request.whole_devices, run.request.gpu_devices),
        device_mib=min(device.memory_mib * MILLI / device.portion_milli for device in devices),
        utilization=max(loads) / run.min_tasks if loads else None,
    )


def _milli(peak: Peak) -> int:
    """Thousandths of a device that hold this peak and some to spare, in steps; above one device whole ones.

    Never more devices than it had: it has shown no use for them.
    """
    used = max(peak.memory_mib / peak.device_mib, peak.utilization or 0.0)
    spared = used * MILLI * (100 + _SPARE_PERCENT) / 100
    step = _STEP_MILLI if spared <= MILLI else MILLI
    return min(max(_STEP_MILLI, ceil(spared / step) * step), peak.devices * MILLI)


def _said(name: str, needed: int, peaks: list[Peak]) -> str:
    runs = f"last {len(peaks)} runs" if len(peaks) > 1 else "last run"
    used = f"{memory(max(peak.memory_mib for peak in peaks))} of GPU memory"
    loads = [peak.utilization for peak in peaks if peak.utilization is not None]
    used += f" and {max(loads):.2f} GPU" if loads else " (its load was not measured)"
    return f"gpu auto asks for {share(needed)}: the {runs} of {name} peaked at {used}, and {_SPARE_PERCENT} % to spare."
