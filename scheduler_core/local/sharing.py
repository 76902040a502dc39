"""The environment of a workload: what it sees of its devices, and how frameworks are capped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scheduler_core.model import MILLI
from scheduler_core.workload import Allocation

HOOKS = Path(__file__).with_name("hooks")
"""A folder whose sitecustomize module caps the frameworks that have no variable for it."""

_SECRET_PREFIXES = ("JPY_", "JUPYTERHUB_")
_SECRETS = ("JUPYTER_TOKEN", "JUPYTER_SERVER_PASSWORD", "CONFIGPROXY_AUTH_TOKEN")
_TASK_PREFIXES = ("RUNAI_TASK_", "RUNAI_WORKLOAD_", "RUNAI_GPU_", "RUNAI_CAP_", "CUDA_MPS_", "PET_")
_TASK_VARIABLES = (
    *("RUNAI_SIMULATED", "RUNAI_CHECKPOINT_DIR", "RUNAI_RESTARTS", "RUNAI_INPUTS", "RUNAI_RESULTS", "RUNAI_REPORT"),
    "RUNAI_ACTIVITY",
    *("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"),
    *("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION", "CUPY_GPU_MEMORY_LIMIT"),
    *("TF_FORCE_GPU_ALLOW_GROWTH", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"),
)


def handed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment less what was for its owner alone: Jupyter's tokens, and what made it that of a task.

    A daemon that a task starts must not bear its mark, nor work that it submits its limits.
    """
    is_tasks = "RUNAI_TASK_ID" in environment
    prefixes = (*_SECRET_PREFIXES, *_TASK_PREFIXES) if is_tasks else _SECRET_PREFIXES
    names = {*_SECRETS, *_TASK_VARIABLES} if is_tasks else {*_SECRETS}
    kept = {name: value for name, value in environment.items() if name not in names and not name.startswith(prefixes)}
    if is_tasks and "PYTHONPATH" in kept:
        kept["PYTHONPATH"] = ":".join(part for part in kept["PYTHONPATH"].split(":") if part != str(HOOKS))
    return kept


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
        "XLA_CLIENT_MEM_FRACTION": fraction,
        "XLA_PYTHON_CLIENT_MEM_FRACTION": fraction,
        "CUPY_GPU_MEMORY_LIMIT": f"{_decimal(share * 100)}%",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "RUNAI_CAP_FRACTION": fraction,
        "RUNAI_CAP_MEMORY_MIB": memory_mib,
        "PYTHONPATH": f"{HOOKS}:{path}" if path else str(HOOKS),
    }


def _decimal(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
