"""What a workload sees of its devices, and how frameworks are capped to its share of them, by variables alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scheduler_core.model import MILLI
from scheduler_core.workload import Allocation

HOOKS = Path(__file__).with_name("hooks")
"""A folder whose sitecustomize module caps the frameworks that have no variable for it."""


def allocation_environment(
    allocation: Allocation, memory_mib: Mapping[str, int], simulated: bool, environment: Mapping[str, str]
) -> dict[str, str]:
    """The variables that show a workload its devices and cap what frameworks take of them.

    `memory_mib` is the physical memory of each device: frameworks take their caps as a share of that. A workload
    without a device, or with simulated ones, sees no device at all.
    """
    devices = allocation.devices
    variables = {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": "" if simulated else ",".join(device.id for device in devices),
        "RUNAI_GPU_IDS": ",".join(device.id for device in devices),
        "RUNAI_GPU_PORTION": _decimal(sum(device.portion_milli for device in devices) / MILLI),
        "RUNAI_GPU_MEMORY_MIB": str(min((device.memory_mib for device in devices), default=0)),
        "RUNAI_GPU_MEMORY_LIMIT_MIB": str(min((device.most_mib for device in devices), default=0)),
        "RUNAI_SIMULATED": "1" if simulated else "0",
    }
    shares = [device.most_mib / memory_mib[device.id] for device in devices if memory_mib[device.id]]
    if shares and min(shares) < 1 and not simulated:
        variables |= framework_caps(min(shares), variables["RUNAI_GPU_MEMORY_LIMIT_MIB"], environment)
    return variables


def framework_caps(share: float, memory_mib: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Memory caps of JAX and CuPy by variable, of PyTorch and TensorFlow by a hook that runs at their import."""
    path = environment.get("PYTHONPATH", "")
    fraction = _decimal(share)
    return {
        # All versions of JAX know the older name; those that know both take no device at all where both are set.
        "XLA_PYTHON_CLIENT_MEM_FRACTION": fraction,
        "XLA_CLIENT_MEM_FRACTION": "",
        "CUPY_GPU_MEMORY_LIMIT": f"{_decimal(share * 100)}%",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "RUNAI_CAP_FRACTION": fraction,
        "RUNAI_CAP_MEMORY_MIB": memory_mib,
        "PYTHONPATH": f"{HOOKS}:{path}" if path else str(HOOKS),
    }


def _decimal(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
