"""Which engine a notebook or a command talks to."""

from __future__ import annotations

import os

from jupyter_runai.client.runtime import Runtime
from scheduler_core.engine import Engine
from scheduler_core.errors import EngineUnavailable, InvalidRequest

ENGINE_VARIABLE = "RUNAI_ENGINE"
"""`local`, or `kubernetes`, or `kubernetes:CONTEXT` with a context of the kubeconfig."""


def chosen_engine(runtime: Runtime) -> Engine | None:
    """The engine that RUNAI_ENGINE names; null for this host's.

    Raises:
        InvalidRequest: it names none.
        EngineUnavailable: the cluster does not answer, or this Python has no Kubernetes client.
    """
    name, _, context = os.environ.get(ENGINE_VARIABLE, "local").partition(":")
    if name == "local":
        return None
    if name != "kubernetes":
        raise InvalidRequest(f"{ENGINE_VARIABLE} names no engine: {name!r}.", "There are: local, kubernetes.")
    try:
        from scheduler_core.kubernetes.engine import KubernetesEngine  # noqa: PLC0415 (an extra that few install)
    except ImportError:
        raise EngineUnavailable(
            "This Python cannot talk to a cluster.", "Install what it needs: pip install 'jupyter-runai[kubernetes]'"
        ) from None
    return runtime.run(KubernetesEngine.open(context or None))
