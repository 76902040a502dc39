"""Kernelspecs of kernels on a share of a device, each made from another one: what "Start kernel with GPU" starts."""

from __future__ import annotations

import re
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel

from jupyter_runai.kernels.specs import (
    HERE,
    PREFIX,
    amount_words,
    in_environment,
    leased,
    provisioner_config,
    write_spec,
)
from jupyter_runai.words.figures import elapsed
from scheduler_core.errors import InvalidRequest, NotFound
from scheduler_core.policies.templates import Environment
from scheduler_core.workload import DEFAULT_QUEUE

_BASE = "runai_base"
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9._-]+")
_WHAT_IT_IS = re.compile(r" \([^()]*\)$")


def derived_spec(
    manager: KernelSpecManager, base: str, config: dict[str, Any], environment: Environment = HERE
) -> tuple[str, str]:
    """Offer the kernel of `base` on what `config` asks for; the name of its kernelspec, and what people see of it.

    In an `environment` it has its variables and, where that names an interpreter, is one of that instead.

    The same request has the same kernelspec, so that a notebook finds it again.

    Raises:
        InvalidRequest: it asks for no device, or there is no such interpreter.
        NotFound: there is no kernelspec `base`.
        NotAllowed: the folder of the user's kernelspecs cannot be written.
    """
    if not (config.get("gpu") or config.get("gpu_memory_mib")):
        raise InvalidRequest("The kernel asks for no GPU.", "Ask for a share such as 0.5, or for memory.")
    origin, spec = _origin(manager, base)
    project = config.get("project", DEFAULT_QUEUE)
    inside = [environment.name] if environment.name else []
    words = [*inside, amount_words(config), *([project] if project != DEFAULT_QUEUE else [])]
    words += ["preemptible"] if config.get("preemptible") else []
    words += [f"{config['priority']} priority"] if config.get("priority") else []
    longest = config.get("max_time_s")
    limits = [f"{longest:.10g}s"] if longest else []
    name = PREFIX + _NOT_IN_A_NAME.sub("-", "-".join([origin, *words, *limits]).lower())
    words += [f"at most {elapsed(longest)}"] if longest else []
    inner = in_environment(spec, environment)
    fresh = leased(inner.to_dict(), f"{_plain_name(inner)} ({', '.join(words)})", config)
    fresh["metadata"][_BASE] = origin
    if name not in manager.find_kernel_specs() or manager.get_kernel_spec(name).to_dict() != fresh:
        write_spec(manager, name, fresh, inner.resource_dir)
    return name, fresh["display_name"]


def _origin(manager: KernelSpecManager, base: str) -> tuple[str, KernelSpec]:
    """The kernelspec itself, or the one that it was made from."""
    try:
        spec = manager.get_kernel_spec(base)
        origin = spec.metadata.get(_BASE)
        return (origin, manager.get_kernel_spec(origin)) if origin else (base, spec)
    except NoSuchKernel as error:
        raise NotFound(f"There is no kernelspec {error.name!r}.", "jupyter kernelspec list names them.") from None


def _plain_name(spec: KernelSpec) -> str:
    """What people see of it, without what it asks for."""
    says_more = provisioner_config(spec) is not None or spec.display_name.endswith("(ipykernel)")
    return str(_WHAT_IT_IS.sub("", spec.display_name) if says_more else spec.display_name)
