"""A kernel that runs in a pod: what travels there with it, and where it listens."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from jupyter_runai.kernels import keeper
from jupyter_runai.kernels.channel import KernelLaunch
from jupyter_runai.submission.travelling import FOLDER, PYTHON, launching, of_no_host
from scheduler_core.errors import InvalidRequest
from scheduler_core.workload import WorkloadSpec

PORTS = {
    "shell_port": 52317,
    "iopub_port": 52318,
    "stdin_port": 52319,
    "control_port": 52320,
    "hb_port": 52321,
}
"""At which each of its channels listens: in a network of its own nobody else does."""

_IN_A_POD = "KUBERNETES_SERVICE_HOST"


def pod_launch(launch: KernelLaunch) -> KernelLaunch:
    """The same kernel as it is started in a pod, by the Python of its image.

    On its loopback alone where this server has to come by way of the cluster's API.

    Raises:
        InvalidRequest: its channels are files of this host.
    """
    connection = launch.connection
    if connection["transport"] != "tcp":
        raise InvalidRequest(
            f"A kernel in a pod cannot be reached by {connection['transport']}.",
            "Leave KernelManager.transport out of Jupyter's configuration, or set it to tcp.",
        )
    first, *rest = launch.argv
    address = "0.0.0.0" if _IN_A_POD in os.environ else "127.0.0.1"  # noqa: S104 (of the pod, and signed)
    return replace(
        launch,
        argv=(PYTHON if first == sys.executable else first, *rest),
        connection={**connection, "ip": address, **PORTS},
    )


def pod_specification(spec: WorkloadSpec, folder: Path) -> WorkloadSpec:
    """The workload of such a kernel; its keeper is put beside its plan in this folder."""
    ours = folder / FOLDER
    ours.mkdir()
    for script in (Path(keeper.__file__), Path(keeper.WATCHER)):
        shutil.copy(script, ours)
    command = (PYTHON, "-u", "-c", launching(Path(keeper.__file__).name))
    return replace(spec, command=command, env=of_no_host(spec.env))


def seen_from_here(connection: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Its connection file's content with the address and ports of `own`, which lead to it."""
    found = {**connection, "key": connection["key"].encode()}
    return found | {name: own[name] for name in ("ip", *PORTS)}
