"""The fields that policies speak of: how people write their values, and where they stand in a submission."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.model import MILLI, TaskRequest
from scheduler_core.policies.policy import Value
from scheduler_core.quantities import milli_of, milli_text, seconds_of, time_text
from scheduler_core.workload import PRIORITIES, WorkloadSpec

MODELS, POOLS = "device_models", "node_pools"
"""Names of which a policy gives patterns, such as `NVIDIA A100*`."""
Rule: TypeAlias = Literal["default", "min", "max", "options", "required"]


class Offer(Struct, frozen=True, kw_only=True):
    """What an engine can give: the memory of its devices in MiB by their models, and its node pool."""

    models: Mapping[str, int] = {}
    pool: str = "default"


class Unit(Struct, frozen=True, kw_only=True):
    """How a value is written; `read` raises a ValueError that says how."""

    read: Callable[[object], Value]
    text: Callable[[Value], str]


class Field(Struct, frozen=True, kw_only=True):
    """A field by its name.

    `of` is its value in a submission, null for none, `is_said` whether somebody chose it; `put` takes a default.
    """

    name: str
    unit: Unit
    rules: frozenset[Rule]
    of: Callable[[WorkloadSpec, Offer], Value | None]
    is_said: Callable[[WorkloadSpec], bool] = lambda spec: True
    put: Callable[[WorkloadSpec, Value], WorkloadSpec] | None = None


def asked_milli(request: TaskRequest, offer: Offer) -> int:
    """Thousandths of a device that one task asks for; of device memory on the largest device that is there."""
    if request.mig:
        return MILLI * sum(request.mig.values())
    if request.gpu_memory_mib:
        largest = max(offer.models.values(), default=request.gpu_memory_mib)
        return -(-request.gpu_memory_mib * MILLI // largest) * request.gpu_devices
    return request.whole_devices * MILLI + request.portion_milli * request.gpu_devices


def _gpu(spec: WorkloadSpec, offer: Offer) -> int | None:
    return asked_milli(spec.request, offer) or None


def _with_gpu(spec: WorkloadSpec, value: Value) -> WorkloadSpec:
    whole, milli = divmod(int(value), MILLI)  # type: ignore[arg-type]
    return replace(spec, request=replace(spec.request, gpu=milli_text(milli) if milli else whole))


def _read_gpu(written: object) -> Value:
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        raise ValueError(f"a share such as 0.5, or whole devices such as 2, not {written!r}")
    return milli_of(written)


def _read_devices(written: object) -> Value:
    """Devices of all tasks together: any sum of shares."""
    if isinstance(written, bool) or not isinstance(written, int | float) or not 0 <= written < MILLI**2:
        raise ValueError(f"a number of devices such as 4 or 1.5, not {written!r}")
    return round(written * MILLI)


def _read_number(written: object) -> Value:
    if isinstance(written, bool) or not isinstance(written, int) or written < 0:
        raise ValueError(f"a whole number, not {written!r}")
    return written


def _read_time(written: object) -> Value:
    return seconds_of(str(written))


def _read_priority(written: object) -> Value:
    if written not in PRIORITIES:
        raise ValueError(f"one of {', '.join(PRIORITIES)}, not {written!r}")
    return PRIORITIES[str(written)]


def _read_flag(written: object) -> Value:
    if not isinstance(written, bool):
        raise ValueError(f"true or false, not {written!r}")
    return written


def _read_word(written: object) -> Value:
    if not isinstance(written, str) or not written:
        raise ValueError(f"a name, not {written!r}")
    return written


def _priority_text(value: Value) -> str:
    return next((name for name, number in PRIORITIES.items() if number == value), str(value))


def _flag_text(value: Value) -> str:
    return "true" if value else "false"


GPU = Unit(read=_read_gpu, text=lambda value: milli_text(int(value)))  # type: ignore[arg-type]
DEVICES = Unit(read=_read_devices, text=lambda value: milli_text(int(value)))  # type: ignore[arg-type]
NUMBER = Unit(read=_read_number, text=str)
TIME = Unit(read=_read_time, text=lambda value: time_text(float(value)))  # type: ignore[arg-type]
PRIORITY = Unit(read=_read_priority, text=_priority_text)
FLAG = Unit(read=_read_flag, text=_flag_text)
WORD = Unit(read=_read_word, text=str)

FIELDS: Mapping[str, Field] = {
    field.name: field
    for field in (
        Field(
            name="gpu",
            unit=GPU,
            rules=frozenset({"default", "min", "max", "required"}),
            of=_gpu,
            is_said=lambda spec: _gpu(spec, Offer()) is not None,
            put=_with_gpu,
        ),
        Field(
            name="devices",
            unit=DEVICES,
            rules=frozenset({"max"}),
            of=lambda spec, offer: asked_milli(spec.request, offer) * spec.tasks or None,
        ),
        Field(name="workers", unit=NUMBER, rules=frozenset({"max"}), of=lambda spec, offer: spec.tasks),
        Field(name="retries", unit=NUMBER, rules=frozenset({"max"}), of=lambda spec, offer: spec.retries),
        Field(
            name="priority",
            unit=PRIORITY,
            rules=frozenset({"default", "max", "options"}),
            of=lambda spec, offer: spec.effective_priority,
            is_said=lambda spec: spec.priority is not None,
            put=lambda spec, value: replace(spec, priority=int(value)),  # type: ignore[arg-type]
        ),
        Field(
            name="preemptible",
            unit=FLAG,
            rules=frozenset({"default", "options"}),
            of=lambda spec, offer: spec.effective_preemptible,
            is_said=lambda spec: spec.preemptible is not None,
            put=lambda spec, value: replace(spec, preemptible=bool(value)),
        ),
        Field(
            name="max_time",
            unit=TIME,
            rules=frozenset({"default", "min", "max", "required"}),
            of=lambda spec, offer: spec.max_run_s,
            is_said=lambda spec: spec.max_run_s is not None,
            put=lambda spec, value: replace(spec, max_run_s=float(value)),  # type: ignore[arg-type]
        ),
        Field(
            name="name",
            unit=WORD,
            rules=frozenset({"required"}),
            of=lambda spec, offer: spec.name or None,
            is_said=lambda spec: bool(spec.name),
        ),
        Field(name=MODELS, unit=WORD, rules=frozenset({"options"}), of=lambda spec, offer: None),
        Field(name=POOLS, unit=WORD, rules=frozenset({"options"}), of=lambda spec, offer: None),
    )
}
"""What is there, in the order in which it is shown."""
