"""The environment of whoever submits, as far as it is handed on."""

from __future__ import annotations

from collections.abc import Mapping

from scheduler_core.caps import HOOKS

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
