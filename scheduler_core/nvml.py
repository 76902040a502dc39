"""The devices of this machine as NVML shows them, and what is measured on them.

The only place that imports pynvml (package nvidia-ml-py). Its calls block, so they belong in a thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pynvml
from msgspec import Struct

MIB = 1024 * 1024
_MPS_SERVER = "nvidia-cuda-mps"
SIMULATE_EXAMPLE = "2xA100-80GB"
NO_GPU_NOTICE = (
    "This machine has no NVIDIA GPU. You can still run workloads on its CPUs, or try everything with simulated "
    f"devices: %runai config simulate {SIMULATE_EXAMPLE}"
)


class PhysicalDevice(Struct, frozen=True, kw_only=True):
    """One device, or one slice of a partitioned (MIG) one: `id` is its UUID, `memory_mib` all its memory.

    A slice has the `index` of its device.
    """

    id: str
    index: int
    model: str
    memory_mib: int


class Sample(Struct, frozen=True, kw_only=True):
    """One reading of a device; null where nothing measures.

    `used_mib` is without what the driver keeps for itself. `processes` maps pids to the MiB they hold, `busy` to the
    share of the device's computing that is theirs, null of clients of MPS that compute beside others: it is measured
    for all of them together. `energy_mj` are the millijoules that it has taken since its driver was loaded.
    """

    ready: bool
    used_mib: int | None = None
    utilization: float | None = None
    processes: Mapping[int, int] = {}
    busy: Mapping[int, float | None] | None = None
    energy_mj: int | None = None


class NvmlDevices:
    """The devices that the NVIDIA driver shows; none, with a notice that says why, where there is no driver."""

    simulated: str | None = None

    def __init__(self) -> None:
        self.notice = ""
        self._handles: dict[str, Any] = {}
        self._busy_until: dict[str, int] = {}
        try:
            pynvml.nvmlInit()
            indices = range(pynvml.nvmlDeviceGetCount())
            self.physical = tuple(device for index in indices for device in self._open(index))
        except pynvml.NVMLError as error:
            self.physical = ()
            self.notice = NO_GPU_NOTICE if _is_absent(error) else f"The NVIDIA driver does not answer: {error}."
            return
        if not self.physical:
            self.notice = NO_GPU_NOTICE
        elif any(_is_partitioned(handle) for handle in self._handles.values()):
            self.notice = "A partitioned (MIG) device without slices is listed but not given out."

    def sample(self) -> dict[str, Sample]:
        return {device.id: self._sample(device.id) for device in self.physical}

    def _open(self, index: int) -> list[PhysicalDevice]:
        """The device, or the slices that it is partitioned into."""
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        return [self._opened(part, index) for part in _slices(handle) or [handle]]

    def _opened(self, handle: Any, index: int) -> PhysicalDevice:
        uuid = _text(pynvml.nvmlDeviceGetUUID(handle))
        self._handles[uuid] = handle
        return PhysicalDevice(
            id=uuid,
            index=index,
            model=_text(pynvml.nvmlDeviceGetName(handle)),
            memory_mib=pynvml.nvmlDeviceGetMemoryInfo(handle).total // MIB,
        )

    def _sample(self, uuid: str) -> Sample:
        handle = self._handles[uuid]
        try:
            used_mib = _used_mib(handle)
        except pynvml.NVMLError:
            return Sample(ready=False)
        utilization = None
        with suppress(pynvml.NVMLError):
            utilization = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
        energy_mj = None
        with suppress(pynvml.NVMLError):
            energy_mj = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        return Sample(
            ready=not _is_partitioned(handle),
            used_mib=used_mib,
            utilization=utilization,
            processes=_processes(handle),
            busy=self._busy(uuid, handle),
            energy_mj=energy_mj,
        )

    def _busy(self, uuid: str, handle: Any) -> Mapping[int, float | None] | None:
        """Who computed since the last reading; null where the driver does not tell processes apart."""
        try:
            samples = pynvml.nvmlDeviceGetProcessUtilization(handle, self._busy_until.get(uuid, 0))
        except pynvml.NVMLError as error:
            # Nobody did: said as "not found", or raised as a success without samples.
            return {} if error.value in (pynvml.NVML_ERROR_NOT_FOUND, pynvml.NVML_SUCCESS) else None
        self._busy_until[uuid] = max((sample.timeStamp for sample in samples), default=0)
        by_pid: dict[int, list[float]] = {}
        for sample in samples:
            by_pid.setdefault(sample.pid, []).append(sample.smUtil / 100)
        return _with_clients(handle, {pid: sum(shares) / len(shares) for pid, shares in by_pid.items()})


def _used_mib(handle: Any) -> int:
    """Memory in use; drivers before r510 count what they keep for themselves."""
    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2)
    except pynvml.NVMLError as error:
        if error.value not in (pynvml.NVML_ERROR_FUNCTION_NOT_FOUND, pynvml.NVML_ERROR_NOT_SUPPORTED):
            raise
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return int(memory.used // MIB)


def _with_clients(handle: Any, busy: dict[int, float]) -> Mapping[int, float | None]:
    """What NVML counts for a server of MPS, as its clients': of one alone it is all, of several nobody knows."""
    served = sum(share for pid, share in busy.items() if _serves(pid))
    if not served:
        return busy
    clients: list[int] = []
    with suppress(pynvml.NVMLError):
        clients = [process.pid for process in pynvml.nvmlDeviceGetMPSComputeRunningProcesses(handle)]
    return busy | dict.fromkeys(clients, served if len(clients) == 1 else None)


def _serves(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().startswith(_MPS_SERVER)
    return False


def _processes(handle: Any) -> dict[int, int]:
    found: dict[int, int] = {}
    for list_processes in (
        pynvml.nvmlDeviceGetComputeRunningProcesses,
        pynvml.nvmlDeviceGetMPSComputeRunningProcesses,
        pynvml.nvmlDeviceGetGraphicsRunningProcesses,
    ):
        with suppress(pynvml.NVMLError):
            for process in list_processes(handle):
                held = (process.usedGpuMemory or 0) // MIB
                found[process.pid] = max(held, found.get(process.pid, 0))
    return found


def _slices(handle: Any) -> list[Any]:
    """The slices of a partitioned device; those that are made later are seen at the next start."""
    found: list[Any] = []
    if _is_partitioned(handle):
        for index in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
            with suppress(pynvml.NVMLError):
                found.append(pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index))
    return found


def _is_partitioned(handle: Any) -> bool:
    try:
        return bool(pynvml.nvmlDeviceGetMigMode(handle)[0] == pynvml.NVML_DEVICE_MIG_ENABLE)
    except pynvml.NVMLError:
        return False


def _is_absent(error: pynvml.NVMLError) -> bool:
    return error.value in (
        pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
        pynvml.NVML_ERROR_NO_PERMISSION,
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
