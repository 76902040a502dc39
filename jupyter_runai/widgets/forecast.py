"""What a verdict says of a submission: where, when, at whose cost."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from jupyter_runai.widgets import strings
from jupyter_runai.words import panel as words
from jupyter_runai.words.figures import ordinal
from scheduler_core.model import MILLI, TaskRequest, Verdict
from scheduler_core.workload import Device, WorkloadSpec

_HOPELESS = frozenset({"never_fits", "queue_not_found"})


class Row(Struct, frozen=True):
    """One thing that is known, and its name."""

    label: str
    text: str


class _Place(Struct, frozen=True):
    node: str
    devices: tuple[str, ...] = ()


class _Taking(Struct, frozen=True):
    workload: str
    action: str
    tasks: int


class _Facts(Struct, frozen=True):
    """Those facts of a verdict that are used here; an engine may leave any of them out."""

    queue: str = ""
    place: tuple[_Place, ...] = ()
    takes_from: tuple[_Taking, ...] = ()


def forecast(verdict: Verdict, spec: WorkloadSpec, devices: Sequence[Device]) -> tuple[Row, ...]:
    """The rows of a submission that was looked at and not made."""
    facts = msgspec.convert(verdict.facts, _Facts)
    return (
        Row(strings.PLACE, ", ".join(_place(place, devices) for place in facts.place) or strings.NOWHERE),
        Row(strings.STARTS, _starts(verdict, facts.queue or spec.queue)),
        Row(strings.TAKES_FROM, ", ".join(map(_taking, facts.takes_from)) or strings.NOBODY),
        Row(strings.COST, _cost(spec.request, spec.tasks)),
    )


def _place(place: _Place, devices: Sequence[Device]) -> str:
    taken = [device for device in devices if device.id in place.devices]
    names = [words.device_name(device.model, device.index, device.simulated) for device in taken]
    return f"{', '.join(names)} ({place.node})" if names else place.node


def _starts(verdict: Verdict, queue: str) -> str:
    if verdict.state == "placed":
        return strings.NOW
    if verdict.state == "partly_placed":
        return strings.IN_PART
    if verdict.state == "nominated":
        return strings.WHEN_FREED.format(verdict.message)
    if verdict.code in _HOPELESS:
        return strings.NEVER.format(verdict.message)
    if verdict.queue_position is None:
        return verdict.message
    return strings.WAITS_AT.format(ordinal(verdict.queue_position), queue, verdict.message)


def _taking(taking: _Taking) -> str:
    tasks = strings.TASK if taking.tasks == 1 else strings.TASKS.format(taking.tasks)
    return strings.TAKEN.format(taking.workload, taking.action, tasks)


def _cost(request: TaskRequest, tasks: int) -> str:
    if request.gpu_memory_mib or request.mig:
        one = words.requested(request)
        return f"{tasks} × {one}" if tasks > 1 else one
    milli = tasks * (request.whole_devices * MILLI + request.portion_milli * request.gpu_devices)
    return strings.DEVICES_COST.format(words.devices_number(milli / MILLI)) if milli else strings.CPU_ONLY
