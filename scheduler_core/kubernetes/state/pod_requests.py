"""What a pod asks for, from its containers' resources and the words of KAI for shares of a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from msgspec import Struct

from scheduler_core.kubernetes.api.resources import (
    DEVICE_COUNT_ANNOTATION,
    DEVICE_MEMORY_ANNOTATION,
    DEVICES,
    FRACTION_ANNOTATION,
    MIG_DEVICES,
    variable_path,
)
from scheduler_core.kubernetes.state import amounts
from scheduler_core.model import TaskRequest
from scheduler_core.planning.demand import mig_devices


class ResourceLists(Struct, frozen=True):
    """What a container is given at least, and at most."""

    requests: dict[str, str] = {}
    limits: dict[str, str] = {}

    def asked(self, resource: str) -> str:
        return self.requests.get(resource) or self.limits.get(resource, "0")


class _FieldRef(Struct, frozen=True, rename="camel"):
    field_path: str = ""


class _Source(Struct, frozen=True, rename="camel"):
    field_ref: _FieldRef = _FieldRef()


class Variable(Struct, frozen=True, rename="camel"):
    """A variable of a container, and where its value comes from."""

    name: str
    value_from: _Source = _Source()


class Container(Struct, frozen=True, rename="camel"):
    """The resources of a container; one of the first that starts anew whenever it ends runs beside the others."""

    env: tuple[Variable, ...] = ()
    resources: ResourceLists = ResourceLists()
    restart_policy: str = ""


class PodResources(Struct, frozen=True, rename="camel"):
    """The parts of a pod that say what it takes; `resources` are those of the whole pod."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    overhead: dict[str, str] = {}
    resources: ResourceLists = ResourceLists()

    def takes(self, variable: str) -> bool:
        """Whether a container takes this variable from the pod's annotation for it."""
        path = f"metadata.annotations['{variable_path(variable)}']"
        return any(path == one.value_from.field_ref.field_path for each in self.containers for one in each.env)

    def total(self, resource: str) -> str:
        """All containers together, or what the largest of the first ones takes before them."""
        if resource in self.resources.requests:
            return self.resources.requests[resource]
        if len(self.containers) == 1 and not self.init_containers and not self.overhead:
            return self.containers[0].resources.asked(resource)
        beside, peak = amounts.amount("0"), amounts.amount("0")
        for container in self.init_containers:
            asked = amounts.amount(container.resources.asked(resource))
            peak = max(peak, beside + asked)
            beside += asked if container.restart_policy == "Always" else 0
        running = beside + sum(amounts.amount(one.resources.asked(resource)) for one in self.containers)
        return amounts.written(max(peak, running) + amounts.amount(self.overhead.get(resource, "0")))

    def slices(self) -> tuple[tuple[str, str], ...]:
        """The profiles of slices asked for, with how many."""
        names = {name for one in self.containers for name in one.resources.limits if name.startswith(MIG_DEVICES)}
        return tuple((name.removeprefix(MIG_DEVICES), self.total(name)) for name in sorted(names))


def request_of(asked: PodResources, annotations: Mapping[str, str]) -> tuple[TaskRequest, str]:
    """The request, and why it makes no sense: empty where it does, and then the request is for nothing of a device."""
    words = (FRACTION_ANNOTATION, DEVICE_MEMORY_ANNOTATION, DEVICE_COUNT_ANNOTATION)
    host = (asked.total("cpu"), asked.total("memory"))
    return _request(*host, asked.total(DEVICES), asked.slices(), *(annotations.get(word) for word in words))


def is_share(request: TaskRequest) -> bool:
    """Whether it is for a share of devices."""
    return bool(request.portion_milli or request.gpu_memory_mib)


@lru_cache(maxsize=4096)
def _request(
    cpu: str,
    memory: str,
    devices: str,
    slices: Sequence[tuple[str, str]],
    fraction: str | None,
    device_memory: str | None,
    count: str | None,
) -> tuple[TaskRequest, str]:
    """One object for all pods that ask for the same."""
    cpu_milli, memory_mib = amounts.milli(cpu), amounts.mib(memory)
    try:
        whole = _whole(devices, DEVICES)
        request = TaskRequest(
            cpu_milli=cpu_milli,
            memory_mib=memory_mib,
            gpu=_share(fraction) if fraction is not None and not whole else whole,
            gpu_memory_mib=0 if device_memory is None else _whole(device_memory, DEVICE_MEMORY_ANNOTATION),
            gpu_devices=1 if count is None else _whole(count, DEVICE_COUNT_ANNOTATION),
            mig={_profile(name): _whole(asked, name) for name, asked in slices if asked != "0"},
        )
        if fraction is not None and whole:
            raise ValueError(f"{FRACTION_ANNOTATION} goes without {DEVICES}")
    except ValueError as error:
        return TaskRequest(cpu_milli=cpu_milli, memory_mib=memory_mib), f"What it asks for makes no sense: {error}."
    return request, ""


def _whole(text: str, what: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise ValueError(f"{what} is a whole number, not {text[:40]!r}")
    return int(text)


def _profile(name: str) -> str:
    mig_devices(name)
    return name


def _share(text: str) -> int | str:
    """Above 0 and at most 1: a whole device may be written as a fraction too."""
    return 1 if text.strip() in ("1", "1.0") else text.strip()
