"""What a workload takes along to where neither this Python nor its files are: our runner, and nothing of this host."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import cloudpickle
from msgspec.structs import replace

from scheduler_core.errors import InvalidRequest
from scheduler_core.workload import WorkloadSpec

RUNNER = Path(__file__).parents[1] / "runner.py"
PYTHON = "python3"
"""As images call it."""
_FOLDER = "runner"
_LAUNCH = (
    "import os, runpy; "
    f"runpy.run_path(os.path.join(os.environ['RUNAI_INPUTS'], {_FOLDER!r}, {RUNNER.name!r}), run_name='__main__')"
)
_OF_THIS_HOST = (
    *("PATH", "HOME", "PWD", "OLDPWD", "SHELL", "USER", "LOGNAME", "HOSTNAME", "TERM", "TMPDIR", "SHLVL", "_"),
    *("DISPLAY", "LS_COLORS", "VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD"),
    *("KUBECONFIG", "IPYTHONDIR", "MPLBACKEND", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"),
)
_OF_THIS_HOST_ALL = ("JPY_", "JUPYTER", "CONDA_", "XDG_", "SSH_", "DBUS_", "KUBERNETES_", "RUNAI_", "PYENV_", "PYDEVD_")


def for_pods(spec: WorkloadSpec, inputs: Path | None) -> WorkloadSpec:
    """The workload as it runs in a pod; what our runner is made of is put beside its inputs.

    Raises:
        InvalidRequest: it asks for something that pods do not have.
    """
    command = spec.command
    if inputs is not None and str(RUNNER) in command:
        _put_runner(inputs / _FOLDER)
        for name in ("cell.json", "call.json"):
            _without_this_host(inputs / name)
        command = (_python(command[0]), "-u", "-c", _LAUNCH)
    else:
        command = (_python(command[0]), *command[1:])
    return replace(spec, command=command, env=_of_no_host(spec.env))


def _python(program: str) -> str:
    return PYTHON if program == sys.executable else program


def _put_runner(folder: Path) -> None:
    leave_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(RUNNER.with_name("running"), folder / "running", ignore=leave_out)
    shutil.copytree(Path(cloudpickle.__file__).parent, folder / "lib" / "cloudpickle", ignore=leave_out)
    shutil.copy(RUNNER, folder)


def _without_this_host(path: Path) -> None:
    """Modules are looked for where the image has them."""
    if not path.exists():
        return
    content = json.loads(path.read_bytes())
    if content.get("keep") is not None:
        raise InvalidRequest("A pod is not kept for the next cell yet.", "Leave --keep out.")
    path.write_text(json.dumps({**content, "path": None}))


def _of_no_host(variables: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in variables.items()
        if name not in _OF_THIS_HOST and not name.startswith(_OF_THIS_HOST_ALL)
    }
