"""What `%runai kernelspec ...` and `jupyter runai kernelspec ...` say."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

import msgspec

from jupyter_runai.client import Client
from jupyter_runai.kernels.specs import (
    HERE,
    amount_words,
    install_spec,
    installed_specs,
    provisioner_config,
    remove_profile,
)
from jupyter_runai.submission.specification import Asked
from jupyter_runai.submission.templates import with_template
from jupyter_runai.verbs.answer import Answer
from jupyter_runai.verbs.parser import UsageError
from jupyter_runai.words.tables import Table
from scheduler_core.policies.templates import Environment
from scheduler_core.workload import DEFAULT_QUEUE


def install_kernelspec(client: Client, options: Namespace) -> Answer:
    """Offer kernels of this Python, or of an environment, on a share of a device.

    Raises:
        UsageError: neither the line nor a template says how much.
    """
    given = {name: getattr(options, name) for name in ("gpu", "gpu_memory", "project", "template", "environment")}
    asked = with_template(client, Asked(**given))
    if not asked.gpu and not asked.gpu_memory:
        raise UsageError("kernelspec install needs an amount.", "Say it: --gpu 0.5, or a --template that has one.")
    config: dict[str, Any] = {"gpu": str(asked.gpu)} if asked.gpu else {"gpu_memory_mib": asked.gpu_memory}
    if asked.project:
        config["project"] = asked.project
    config |= placed(options) | of_template(asked)
    if options.preemptible:
        config["preemptible"] = True
    name = options.name or f"Python {sys.version_info.major} ({amount_words(config)})"
    chosen = asked.environment if isinstance(asked.environment, Environment) else HERE
    folder = install_spec(options.profile, name, config, options.sys_prefix, chosen)
    data = {"profile": options.profile, "name": name, "folder": str(folder)}
    return Answer(f"The launcher offers {name!r} now. Its kernelspec: {folder}{without_meaning(asked)}", data)


def placed(options: Namespace) -> dict[str, Any]:
    """What options say of where on a cluster a kernel runs, as a provisioner's `config`."""
    said: dict[str, Any] = {"image": options.image} if options.image else {}
    return said | ({"mounts": msgspec.to_builtins(options.mount)} if options.mount else {})


def of_template(asked: Asked) -> dict[str, Any]:
    """What only a template says of a kernel, its priority and its longest time, as a provisioner's `config`."""
    said: dict[str, Any] = {"priority": asked.priority} if asked.priority else {}
    return said | ({"max_time_s": asked.max_time} if asked.max_time else {})


def without_meaning(asked: Asked) -> str:
    """A line on what a template says that has no meaning for a kernel; empty where there is nothing."""
    said = [word for word in ("workers", "retries") if getattr(asked, word)]
    if not said:
        return ""
    return (
        f"\nOf the template {asked.template} its {' and '.join(said)} are left out: a kernel is one task, started once."
    )


def list_kernelspecs(client: Client, options: Namespace) -> Answer:
    """The kernelspecs of leased kernels."""
    rows, data = [], []
    for profile, spec in installed_specs().items():
        config = provisioner_config(spec) or {}
        rows.append((profile, spec.display_name, amount_words(config), config.get("project", DEFAULT_QUEUE)))
        data.append({"profile": profile, "name": spec.display_name, **config})
    header = ("profile", "name", "asks for", "project")
    return Answer.of(data, Table(header, tuple(rows)) if rows else "No kernel asks for a device yet.")


def remove_kernelspec(client: Client, options: Namespace) -> Answer:
    """Offer such kernels no longer; those that run go on."""
    folder = remove_profile(options.profile)
    data = {"profile": options.profile, "folder": str(folder)}
    return Answer(f"The profile {options.profile} is gone: {folder}. Kernels that run go on.", data)
