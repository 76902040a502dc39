"""What a workload takes along to where neither this Python nor its files are: our runner, and nothing of this host."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cloudpickle
from msgspec.structs import replace

from jupyter_runai.running.kept.warm import KEEPING
from jupyter_runai.submission.pieces import pieces_of
from scheduler_core.workload import WorkloadSpec

RUNNER = Path(__file__).parents[1] / "runner.py"
"""Runs what lies in a workload's inputs."""
_RUNNING = RUNNER.with_name("running")
KEEPER = _RUNNING / "kept" / "warm.py"
"""Runs the cell there and those that come after it, each in an interpreter of its own."""
_NOT_OF_KEPT = ("keeping.py", "calls.py", "items.py", "outcomes.py", "processes.py")
"""What runs no cell in an interpreter of its own."""
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
        order, script = for_another_host(inputs), RUNNER
        if order is not None and order["keep"] is not None:
            _write_first(inputs, order)
            script = KEEPER
        _put_runner(inputs / FOLDER, is_kept=script is KEEPER)
        command = (_python(command[0]), "-u", "-c", launching(script.relative_to(RUNNER.parent).as_posix()))
    else:
        command = (_python(command[0]), *command[1:])
    return replace(spec, command=command, env=of_no_host(spec.env))


def for_this_host(spec: WorkloadSpec, inputs: Path | None) -> WorkloadSpec:
    """The workload as it runs here: the cells of a gang that is kept have interpreters of their own here too."""
    if inputs is None or spec.tasks == 1 or not (inputs / "cell.json").exists():
        return spec
    order = in_fresh_interpreter(inputs)
    if order is None or order["keep"] is None:
        return spec
    _write_first(inputs, order)
    return replace(spec, command=tuple(str(KEEPER) if word == str(RUNNER) else word for word in spec.command))


def _write_first(inputs: Path, order: dict[str, Any]) -> None:
    """Put the first order where a keeper finds it, with what its gang's tasks know each other by."""
    (inputs / KEEPING).write_text(json.dumps({**order, "token": secrets.token_hex(32)}))


def launching(script: str) -> str:
    """Python that runs a script of ours from a workload's inputs."""
    path = f"os.path.join(os.environ['RUNAI_INPUTS'], {FOLDER!r}, {script!r})"
    return f"import os, runpy; runpy.run_path({path}, run_name='__main__')"


def _python(program: str) -> str:
    return PYTHON if program == sys.executable else program


def _put_runner(folder: Path, is_kept: bool) -> None:
    """As little as it can be: a Secret has room for it and not for much more."""
    leave_out = shutil.ignore_patterns("__pycache__", *(_NOT_OF_KEPT if is_kept else (KEEPER.parent.name,)))
    shutil.copytree(_RUNNING, folder / _RUNNING.name, ignore=leave_out)
    shutil.copytree(Path(cloudpickle.__file__).parent, folder / "lib" / "cloudpickle", ignore=leave_out)
    shutil.copy(RUNNER, folder)


def for_another_host(inputs: Path) -> dict[str, Any] | None:
    """Let modules be looked for where an image has them; of a cell the order that a keeper there gets, else null."""
    order = in_fresh_interpreter(inputs, path=None)
    return None if order is None else {**order, "inputs": pieces_of(inputs)}


def in_fresh_interpreter(inputs: Path, **changes: Any) -> dict[str, Any] | None:
    """Let what lies there run alone in its interpreter; of a cell the order that a keeper gets, else null."""
    for name in ("cell.json", "call.json"):
        if not (inputs / name).exists():
            continue
        content = json.loads((inputs / name).read_bytes())
        keep = content.get("keep")
        # Its task is kept by another process, which is the task's first.
        kept = {"keep": None} if keep is not None else {}
        (inputs / name).write_text(json.dumps({**content, **changes, **kept}))
        return {"id": content["id"], "keep": keep} if name == "cell.json" else None
    return None


def of_no_host(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that mean the same on any host."""
    return {
        name: value
        for name, value in variables.items()
        if name not in _OF_THIS_HOST and not name.startswith(_OF_THIS_HOST_ALL)
    }
