"""The kernelspecs of leased kernels: `jupyter runai kernelspec install`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel

from scheduler_core.errors import InvalidRequest, NotAllowed, NotFound
from scheduler_core.policies.templates import Environment

PREFIX = "runai-"
WORKSPACE_PREFIX = "workspace-"
HERE = Environment(name="")
_PROVISIONER = "runai"
_LONGEST_LOOK_S = 60


def install_spec(
    profile: str, display_name: str, config: dict[str, Any], sys_prefix: bool, environment: Environment = HERE
) -> Path:
    """Write the kernelspec of this profile, for the user or for this Python's own environment; its folder.

    It is one of this Python, or of the interpreter and with the variables of an `environment`.

    Raises:
        InvalidRequest: this Python has no ipykernel.
        NotAllowed: the folder cannot be written.
    """
    spec = leased(own_spec(environment), display_name, config)
    prefix = sys.prefix if sys_prefix else None
    return write_spec(KernelSpecManager(), PREFIX + profile, spec, own_logos(), prefix)


def own_logos() -> str:
    """The folder of the logos of this Python's kernels."""
    from ipykernel.kernelspec import RESOURCES  # noqa: PLC0415 (whoever asks has made a kernelspec of it)

    return str(RESOURCES)


def own_spec(environment: Environment = HERE) -> dict[str, Any]:
    """The kernelspec of this Python, or of an `environment`, as it is without a lease.

    Raises:
        InvalidRequest: it has no ipykernel.
    """
    try:
        from ipykernel.kernelspec import get_kernel_dict  # noqa: PLC0415 (without it there is nothing to install)
    except ImportError:
        raise InvalidRequest(
            f"{sys.executable} has no ipykernel, which kernels are made of.", "Install it: pip install ipykernel"
        ) from None
    spec: dict[str, Any] = get_kernel_dict()
    spec["argv"][0] = environment.python or sys.executable
    if environment.variables:
        spec["env"] = {**spec.get("env", {}), **environment.variables}
    return spec


def in_environment(spec: KernelSpec, environment: Environment) -> KernelSpec:
    """A kernelspec with the variables of an environment; where that names an interpreter, one of it instead.

    Raises:
        InvalidRequest: the interpreter cannot be run, or has no ipykernel.
    """
    if environment.python is not None:
        _check_interpreter(environment.python)
        return KernelSpec(resource_dir=own_logos(), **own_spec(environment))
    given = {**spec.to_dict(), "env": {**spec.env, **environment.variables}}
    return KernelSpec(resource_dir=spec.resource_dir, **given)


def leased(spec: Mapping[str, Any], display_name: str, config: dict[str, Any]) -> dict[str, Any]:
    """The same kernel under a lease of what `config` asks for."""
    stanza = {"provisioner_name": _PROVISIONER, "config": config}
    metadata = {**spec.get("metadata", {}), "kernel_provisioner": stanza}
    return {**spec, "display_name": display_name, "metadata": metadata}


def write_spec(
    manager: KernelSpecManager, name: str, spec: dict[str, Any], logos: str, prefix: str | None = None
) -> Path:
    """Write a kernelspec with the logos of a folder, for the user or below `prefix`; its folder.

    Raises:
        NotAllowed: the folder cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "kernel.json").write_text(json.dumps(spec, indent=1))
            for logo in Path(logos).glob("logo-*"):
                shutil.copy(logo, folder)
            Path(folder).chmod(0o755)
            return Path(manager.install_kernel_spec(folder, name, user=prefix is None, prefix=prefix))
    except OSError as error:
        hint = "" if prefix is None else "Leave --sys-prefix out."
        raise NotAllowed(f"The kernelspec cannot be written: {error}.", hint) from None


def installed_specs() -> dict[str, KernelSpec]:
    """The kernelspecs of leased kernels by their profiles."""
    return _specs_named(PREFIX)


def workspace_specs() -> dict[str, KernelSpec]:
    """The kernelspecs of workspaces by their names."""
    return _specs_named(WORKSPACE_PREFIX)


def _specs_named(prefix: str) -> dict[str, KernelSpec]:
    """The kernelspecs of ours whose names begin so, by the rest of their names."""
    manager = KernelSpecManager()
    found = {}
    for name in sorted(manager.find_kernel_specs()):
        if name.startswith(prefix):
            spec = manager.get_kernel_spec(name)
            if provisioner_config(spec) is not None:
                found[name.removeprefix(prefix)] = spec
    return found


def provisioner_config(spec: KernelSpec) -> dict[str, Any] | None:
    """What a kernelspec of a leased kernel asks for; null for any other."""
    stanza = spec.metadata.get("kernel_provisioner", {})
    return stanza.get("config", {}) if stanza.get("provisioner_name") == _PROVISIONER else None


def remove_profile(profile: str) -> Path:
    """Remove the kernelspec of a profile; the folder it was in.

    Raises:
        NotFound: there is none; the hint names those there are.
        NotAllowed: it is somebody else's.
    """
    known = installed_specs()
    if profile not in known:
        raise NotFound(f"There is no profile {profile!r}.", f"There is: {', '.join(known) or 'none'}.")
    return remove_spec(PREFIX + profile)


def remove_spec(name: str) -> Path:
    """Remove a kernelspec; the folder it was in.

    Raises:
        NotFound: it has just been removed.
        NotAllowed: it is somebody else's.
    """
    try:
        return Path(KernelSpecManager().remove_kernel_spec(name))
    except NoSuchKernel:
        raise NotFound(f"The kernelspec {name} has just been removed.") from None
    except OSError as error:
        raise NotAllowed(f"The kernelspec cannot be removed: {error}.") from None


def amount_words(config: dict[str, Any]) -> str:
    """What a kernelspec asks for, as people say it."""
    if config.get("gpu_memory_mib"):
        return f"{config['gpu_memory_mib'] / 1024:g} GB of a GPU"
    gpu = config.get("gpu", "0")
    return f"{gpu} GPU" if gpu in ("0", "1") or not str(gpu).isdecimal() else f"{gpu} GPUs"


def _check_interpreter(python: str) -> None:
    try:
        looked = subprocess.run(
            [python, "-c", "import ipykernel"], capture_output=True, check=False, timeout=_LONGEST_LOOK_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InvalidRequest(f"{python} is no Python that can be run: {error}.") from None
    if looked.returncode:
        raise InvalidRequest(f"{python} has no ipykernel.", f"Install it: {python} -m pip install ipykernel")
