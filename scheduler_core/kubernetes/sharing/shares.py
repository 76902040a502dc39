"""How a pod learns of its share of a device: annotations that are written when it is bound, and read as variables.

A pod's variables are fixed when it is made, and which device it shares is known only when it is placed. So each of
these variables takes its value from an annotation of the pod, and the kubelet reads it when it starts the container.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping

from msgspec.structs import replace

from scheduler_core.caps import HOOKS, allocation_environment
from scheduler_core.errors import RunaiError
from scheduler_core.kubernetes.api.connection import Json
from scheduler_core.kubernetes.api.resources import CAPS_VARIABLE, DEVICE_VARIABLE, GROUP, variable_path
from scheduler_core.kubernetes.sharing.reservation_pods import ReservedDevice, Slot
from scheduler_core.kubernetes.sharing.reservations import Reservations
from scheduler_core.kubernetes.state.cluster import Binding
from scheduler_core.workload import Allocation, Enforcement, HeldDevice

_log = logging.getLogger(__name__)

HOOKS_FOLDER = "/runai/hooks"
"""Where a pod finds what caps its frameworks: first on its PYTHONPATH."""

_HOOK = "sitecustomize.py"
_HOOK_ANNOTATION = f"{GROUP}/hook"
_VOLUME = "hooks"
_OF_DEVICE = (DEVICE_VARIABLE, "CUDA_VISIBLE_DEVICES", "RUNAI_GPU_IDS")
_OF_LIMITS = (
    "RUNAI_GPU_MEMORY_MIB",
    "RUNAI_GPU_MEMORY_LIMIT_MIB",
    "RUNAI_CAP_MEMORY_MIB",
    CAPS_VARIABLE,
    "XLA_CLIENT_MEM_FRACTION",
    "XLA_PYTHON_CLIENT_MEM_FRACTION",
    "CUPY_GPU_MEMORY_LIMIT",
    "TF_FORCE_GPU_ALLOW_GROWTH",
)
_FRAMEWORK = Enforcement(level="framework", memory="soft", compute="none")
_NOT_HELD = Enforcement(level="none", memory="none", compute="none")


def take_share(metadata: Json, pod: Json, container: Json) -> None:
    """Let a container of a pod that is about to be made see its share, and keep to it.

    Its PYTHONPATH is up to whoever makes the pod: `HOOKS_FOLDER` comes first on it.
    """
    metadata.setdefault("annotations", {})[_HOOK_ANNOTATION] = (HOOKS / _HOOK).read_text()
    source = {"fieldRef": {"fieldPath": f"metadata.annotations['{_HOOK_ANNOTATION}']"}, "path": _HOOK}
    pod.setdefault("volumes", []).append({"name": _VOLUME, "downwardAPI": {"items": [source]}})
    container.setdefault("volumeMounts", []).append({"name": _VOLUME, "mountPath": HOOKS_FOLDER})
    variables = [_variable(name) for name in (*_OF_DEVICE, *_OF_LIMITS)]
    container.setdefault("env", []).extend([{"name": "CUDA_DEVICE_ORDER", "value": "PCI_BUS_ID"}, *variables])


def sees_share() -> list[Json]:
    """The variables by which any container sees the devices that its pod shares, and nothing else of it."""
    return [_variable(name) for name in _OF_DEVICE]


class Shares:
    """Makes devices ready for those who are about to share them."""

    def __init__(self, reservations: Reservations) -> None:
        self._reservations = reservations
        self._used: Collection[Slot] = ()
        self._settling: asyncio.Task[None] | None = None

    async def reserve(self, binding: Binding) -> Binding | None:
        """A binding with what its pod is to be told; null where one of its devices cannot be held."""
        slots = {*slots_of(binding.allocation)}
        devices = await self._reservations.reserve(slots)
        return told(binding, devices) if devices.keys() >= slots else None

    def refusals(self) -> Mapping[Slot, str]:
        """Why devices cannot be shared now."""
        return self._reservations.refusals()

    def settle(self, used: Collection[Slot]) -> None:
        """Hold the devices that are shared now, or are about to be, and no others."""
        self._used = used
        if self._settling is None or self._settling.done():
            self._settling = asyncio.ensure_future(self._settle())

    async def _settle(self) -> None:
        used: Collection[Slot] | None = None
        while used is not self._used:
            used = self._used
            try:
                await self._reservations.keep(used)
            except RunaiError as error:
                _log.warning("Reservations are looked at again later: %s", error)


def slots_of(allocation: Allocation) -> tuple[Slot, ...]:
    """The devices of an allocation by their places."""
    return tuple(Slot(allocation.node, device.index) for device in allocation.devices)


def told(binding: Binding, devices: Mapping[Slot, ReservedDevice]) -> Binding:
    """A binding with how its share is held, and with the values of its pod's variables."""
    pod = binding.pod
    allocation = replace(binding.allocation, enforcement=_FRAMEWORK if pod.takes_caps else _NOT_HELD)
    real = {slot: devices[slot] for slot in slots_of(allocation)}
    held = tuple(_real(share, real[Slot(allocation.node, share.index)]) for share in allocation.devices)
    memory_mib = {device.id: device.memory_mib for device in real.values()}
    variables = allocation_environment(replace(allocation, devices=held), memory_mib, False, {})
    variables[DEVICE_VARIABLE] = variables["CUDA_VISIBLE_DEVICES"]
    said = {variable_path(name): variables[name] for name in (*_OF_DEVICE, *_OF_LIMITS) if name in variables}
    return replace(binding, allocation=allocation, annotations=said)


def _real(share: HeldDevice, device: ReservedDevice) -> HeldDevice:
    """A share of the device as it says it is, with the memory that it has."""
    most = min(share.memory_mib, device.memory_mib) if device.memory_mib else share.memory_mib
    return replace(share, id=device.id, memory_mib=most)


def _variable(name: str) -> Json:
    path = f"metadata.annotations['{variable_path(name)}']"
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
