"""The engine that people have chosen: this machine's, or that of a cluster."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_runai.client.deferred import deferred
from scheduler_core.engine import Engine
from scheduler_core.errors import EngineUnavailable, InvalidRequest
from scheduler_core.local import LocalEngine
from scheduler_core.local.machine.paths import ENGINE_DIRECTORY_VARIABLE

ENGINE_VARIABLE = "RUNAI_ENGINE"
"""`local`, `kubernetes`, or `kubernetes:CONTEXT` for a context of the kubeconfig; overrides what was chosen."""

_LOCAL = "local"
_KUBERNETES = "kubernetes"


def chosen_engine() -> Engine:
    """The engine of RUNAI_ENGINE, else the one whose folder is named, else what was chosen last, else this machine's.

    Raises:
        InvalidRequest: there is no such engine.
    """
    return engine_of(engine_name())


def engine_name() -> str:
    """What is chosen now."""
    named = os.environ.get(ENGINE_VARIABLE)
    if named:
        return named
    if os.environ.get(ENGINE_DIRECTORY_VARIABLE):
        return _LOCAL
    try:
        return _file().read_text().strip() or _LOCAL
    except OSError:
        return _LOCAL


def engine_of(name: str) -> Engine:
    """The engine of this name; nothing is asked of it yet.

    Raises:
        InvalidRequest: there is none.
    """
    kind, _, context = name.partition(":")
    if name == _LOCAL:
        return LocalEngine()
    if kind == _KUBERNETES:
        return deferred(lambda: _on_cluster(context or None))
    raise InvalidRequest(f"There is no engine {name!r}.", "There are: local, kubernetes, kubernetes:CONTEXT.")


def choose_engine(name: str) -> None:
    """From the next start of a kernel or a server on.

    Raises:
        EngineUnavailable: it cannot be written down.
    """
    file = _file()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = file.with_name(f"{file.name}.new")
        fresh.touch(mode=0o600)
        fresh.write_text(f"{name}\n")
        fresh.replace(file)
    except OSError as error:
        raise EngineUnavailable(f"{file} cannot be written: {error.strerror}.", f"Or set {ENGINE_VARIABLE}.") from error


async def _on_cluster(context: str | None) -> Engine:
    try:
        from scheduler_core.kubernetes.engine import KubernetesEngine  # noqa: PLC0415 (what it needs is an extra)
    except ImportError as error:
        raise EngineUnavailable(
            f"The engine on Kubernetes needs more ({error.name} is missing).", "pip install 'jupyter-runai[kubernetes]'"
        ) from error
    return await KubernetesEngine.open(context)


def _file() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "jupyter-runai" / "engine"
