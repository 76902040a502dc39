"""The kernelspecs of leased kernels: `jupyter runai kernelspec install`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel

from scheduler_core.errors import InvalidRequest, NotAllowed, NotFound

PREFIX = "runai-"
_PROVISIONER = "runai"


def install_spec(profile: str, display_name: str, config: dict[str, Any], sys_prefix: bool) -> Path:
    """Write the kernelspec of this Python and this profile, for the user or for this environment; its folder.

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
    spec["argv"][0] = sys.executable
    place = sys.prefix if sys_prefix else None
    return write_spec(KernelSpecManager(), PREFIX + profile, leased(spec, display_name, config), place)


def leased(spec: dict[str, Any], display_name: str, config: dict[str, Any]) -> dict[str, Any]:
    """The same kernel under a lease of what `config` asks for."""
    stanza = {"provisioner_name": _PROVISIONER, "config": config}
    metadata = {**spec.get("metadata", {}), "kernel_provisioner": stanza}
    return {**spec, "display_name": display_name, "metadata": metadata}


def write_spec(manager: KernelSpecManager, name: str, spec: dict[str, Any], prefix: str | None = None) -> Path:
    """Write a kernelspec, for the user or below a prefix; its folder.

    Raises:
        NotAllowed: the folder cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "kernel.json").write_text(json.dumps(spec, indent=1))
            Path(folder).chmod(0o755)
            place = {"prefix": prefix} if prefix else {"user": True}
            return Path(manager.install_kernel_spec(folder, name, **place))
    except OSError as error:
        hint = "Leave --sys-prefix out." if prefix else ""
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


def amount_words(config: dict[str, Any]) -> str:
    """What a kernelspec asks for, as people say it."""
    if config.get("gpu_memory_mib"):
        return f"{config['gpu_memory_mib'] / 1024:g} GB of a GPU"
    gpu = config.get("gpu", "0")
    return f"{gpu} GPU" if gpu in ("0", "1") or not str(gpu).isdecimal() else f"{gpu} GPUs"
