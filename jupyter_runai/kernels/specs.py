"""The kernelspecs of leased kernels: `jupyter runai kernelspec install`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel

from scheduler_core.errors import InvalidRequest, NotAllowed, NotFound
from scheduler_core.policies.templates import Environment

PREFIX = "runai-"
HERE = Environment(name="")
_PROVISIONER = "runai"


def install_spec(
    profile: str, display_name: str, config: dict[str, Any], sys_prefix: bool, environment: Environment = HERE
) -> Path:
    """Write the kernelspec of this profile, for the user or for this Python's own environment; its folder.

    It is one of this Python, or of the interpreter and with the variables of an `environment`.

    Raises:
        InvalidRequest: this Python has no ipykernel.
        NotAllowed: the folder cannot be written.
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
    spec["display_name"] = display_name
    spec["metadata"] = {
        **spec.get("metadata", {}),
        "kernel_provisioner": {"provisioner_name": _PROVISIONER, "config": config},
    }
    try:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "kernel.json").write_text(json.dumps(spec, indent=1))
            Path(folder).chmod(0o755)
            place = {"prefix": sys.prefix} if sys_prefix else {"user": True}
            return Path(KernelSpecManager().install_kernel_spec(folder, PREFIX + profile, **place))
    except OSError as error:
        hint = "Leave --sys-prefix out." if sys_prefix else ""
        raise NotAllowed(f"The kernelspec cannot be written: {error}.", hint) from None


def installed_specs() -> dict[str, KernelSpec]:
    """The kernelspecs of leased kernels by their profiles."""
    manager = KernelSpecManager()
    found = {}
    for name in sorted(manager.find_kernel_specs()):
        spec = manager.get_kernel_spec(name)
        if name.startswith(PREFIX) and provisioner_config(spec) is not None:
            found[name.removeprefix(PREFIX)] = spec
    return found


def provisioner_config(spec: KernelSpec) -> dict[str, Any] | None:
    """What a kernelspec of a leased kernel asks for; null for any other."""
    stanza = spec.metadata.get("kernel_provisioner", {})
    return stanza.get("config", {}) if stanza.get("provisioner_name") == _PROVISIONER else None


def remove_spec(profile: str) -> Path:
    """Remove the kernelspec of a profile; the folder it was in.

    Raises:
        NotFound: there is none; the hint names those there are.
        NotAllowed: it is somebody else's.
    """
    known = installed_specs()
    if profile not in known:
        raise NotFound(f"There is no profile {profile!r}.", f"There is: {', '.join(known) or 'none'}.")
    try:
        return Path(KernelSpecManager().remove_kernel_spec(PREFIX + profile))
    except NoSuchKernel:
        raise NotFound(f"The profile {profile!r} has just been removed.") from None
    except OSError as error:
        raise NotAllowed(f"The kernelspec cannot be removed: {error}.") from None
