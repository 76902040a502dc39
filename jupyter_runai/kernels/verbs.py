"""What `%runai kernelspec ...` and `jupyter runai kernelspec ...` say."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from jupyter_runai.kernels.specs import install_spec, installed_specs, provisioner_config, remove_spec
from jupyter_runai.words import table
from scheduler_core.workload import DEFAULT_QUEUE


def install_kernelspec(options: Namespace) -> str:
    """Offer kernels of this Python on a share of a device."""
    config: dict[str, Any] = {"gpu": str(options.gpu)} if options.gpu else {"gpu_memory_mib": options.gpu_memory}
    if options.project:
        config["project"] = options.project
    if options.preemptible:
        config["preemptible"] = True
    name = options.name or f"Python {sys.version_info.major} ({_amount(config)})"
    folder = install_spec(options.profile, name, config, options.sys_prefix)
    return f"The launcher offers {name!r} now. Its kernelspec: {folder}"


def list_kernelspecs(options: Namespace) -> str:
    """The kernelspecs of leased kernels."""
    rows = []
    for profile, spec in installed_specs().items():
        config = provisioner_config(spec) or {}
        rows.append((profile, spec.display_name, _amount(config), config.get("project", DEFAULT_QUEUE)))
    return table(("profile", "name", "asks for", "project"), rows) if rows else "No kernel asks for a device yet."


def remove_kernelspec(options: Namespace) -> str:
    """Offer such kernels no longer; those that run go on."""
    folder = remove_spec(options.profile)
    return f"The profile {options.profile} is gone: {folder}. Kernels that run go on."


def _amount(config: dict[str, Any]) -> str:
    if config.get("gpu_memory_mib"):
        return f"{config['gpu_memory_mib'] / 1024:g} GB of a GPU"
    gpu = config.get("gpu", "0")
    return f"{gpu} GPU" if gpu in ("0", "1") or not str(gpu).isdecimal() else f"{gpu} GPUs"
