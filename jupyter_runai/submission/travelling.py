"""What a workload takes along to where neither this Python nor its files are: our runner, and nothing of this host."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cloudpickle
from msgspec.structs import replace

from jupyter_runai.running.warm import KEEPING
from jupyter_runai.submission.pieces import pieces_of
from scheduler_core.workload import WorkloadSpec

RUNNER = Path(__file__).parents[1] / "runner.py"
_RUNNING, _WARM = "running", "warm.py"
PYTHON = "python3"
"""As images call it."""
FOLDER = "runner"
"""Where in a workload's inputs what is ours lies."""
_TOLD_FROM = 10_000_000
"""In bytes."""
_OF_THIS_HOST = (
    *("PATH", "HOME", "PWD", "OLDPWD", "SHELL", "USER", "LOGNAME", "HOSTNAME", "TERM", "TMPDIR", "SHLVL", "_"),
    *("DISPLAY", "LS_COLORS", "VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD"),
    *("KUBECONFIG", "IPYTHONDIR", "MPLBACKEND", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"),
)
_OF_THIS_HOST_ALL = ("JPY_", "JUPYTER", "CONDA_", "XDG_", "SSH_", "DBUS_", "KUBERNETES_", "RUNAI_", "PYENV_", "PYDEVD_")


def for_pods(spec: WorkloadSpec, inputs: Path | None) -> WorkloadSpec:
    """The workload as it runs in a pod; what our runner is made of is put beside its inputs."""
    command = spec.command
    size = 0 if inputs is None else sum(file.stat().st_size for file in inputs.rglob("*") if file.is_file())
    if size > _TOLD_FROM:
        sys.stderr.write(f"{size / 1e6:.0f} MB travel to the cluster; a path on a volume (--mount) would be faster.\n")
    if inputs is not None and str(RUNNER) in command:
        script, keeping = RUNNER.name, for_another_host(inputs)
        if keeping is not None and keeping["keep"] is not None:
            (inputs / KEEPING).write_text(json.dumps(keeping))
            script = f"{_RUNNING}/{_WARM}"
        _put_runner(inputs / FOLDER)
        command = (_python(command[0]), "-u", "-c", launching(script))
    else:
        command = (_python(command[0]), *command[1:])
    return replace(spec, command=command, env=of_no_host(spec.env))


def launching(script: str) -> str:
    """Python that runs a script of ours from a workload's inputs."""
    path = f"os.path.join(os.environ['RUNAI_INPUTS'], {FOLDER!r}, {script!r})"
    return f"import os, runpy; runpy.run_path({path}, run_name='__main__')"


def _python(program: str) -> str:
    return PYTHON if program == sys.executable else program


def _put_runner(folder: Path) -> None:
    leave_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(RUNNER.with_name(_RUNNING), folder / _RUNNING, ignore=leave_out)
    shutil.copytree(Path(cloudpickle.__file__).parent, folder / "lib" / "cloudpickle", ignore=leave_out)
    shutil.copy(RUNNER, folder)


def for_another_host(inputs: Path) -> dict[str, Any] | None:
    """Let modules be looked for where an image has them; of a cell what `running/warm.py` is told of it, else null."""
    for name in ("cell.json", "call.json"):
        if not (inputs / name).exists():
            continue
        content = json.loads((inputs / name).read_bytes())
        keep = content.get("keep")
        # Its process is kept by another one, which is the pod's first.
        kept = {"keep": None} if keep is not None else {}
        (inputs / name).write_text(json.dumps({**content, "path": None, **kept}))
        if name == "cell.json":
            return {"id": content["id"], "keep": keep, "inputs": pieces_of(inputs)}
    return None


def of_no_host(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that mean the same on any host."""
    return {
        name: value
        for name, value in variables.items()
        if name not in _OF_THIS_HOST and not name.startswith(_OF_THIS_HOST_ALL)
    }
