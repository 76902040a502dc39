"""What `%runai kernelspec ...` and `jupyter runai kernelspec ...` say."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from jupyter_runai.answer import Answer
from jupyter_runai.kernels.specs import amount_words, install_spec, installed_specs, provisioner_config, remove_profile
from jupyter_runai.words import table
from scheduler_core.workload import DEFAULT_QUEUE


def install_kernelspec(options: Namespace) -> Answer:
    """Offer kernels of this Python on a share of a device."""
    config: dict[str, Any] = {"gpu": str(options.gpu)} if options.gpu else {"gpu_memory_mib": options.gpu_memory}
    if options.project:
        config["project"] = options.project
    if options.preemptible:
        config["preemptible"] = True
    name = options.name or f"Python {sys.version_info.major} ({amount_words(config)})"
    folder = install_spec(options.profile, name, config, options.sys_prefix)
    data = {"profile": options.profile, "name": name, "folder": str(folder)}
    return Answer(f"The launcher offers {name!r} now. Its kernelspec: {folder}", data)


def list_kernelspecs(options: Namespace) -> Answer:
    """The kernelspecs of leased kernels."""
    rows, data = [], []
    for profile, spec in installed_specs().items():
        config = provisioner_config(spec) or {}
        rows.append((profile, spec.display_name, amount_words(config), config.get("project", DEFAULT_QUEUE)))
        data.append({"profile": profile, "name": spec.display_name, **config})
    header = ("profile", "name", "asks for", "project")
    return Answer(table(header, rows) if rows else "No kernel asks for a device yet.", data)


def remove_kernelspec(options: Namespace) -> Answer:
    """Offer such kernels no longer; those that run go on."""
    folder = remove_profile(options.profile)
    data = {"profile": options.profile, "folder": str(folder)}
    return Answer(f"The profile {options.profile} is gone: {folder}. Kernels that run go on.", data)
