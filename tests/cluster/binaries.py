"""The programs of a control plane: found where people keep them, else built from Go modules into a cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

_MODULES = Path(__file__).with_name("go")
_PACKAGES = {
    "etcd": ("etcd", "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": ("controlplane", "k8s.io/kubernetes/cmd/kube-apiserver"),
    "kube-controller-manager": ("controlplane", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    "kube-scheduler": ("controlplane", "k8s.io/kubernetes/cmd/kube-scheduler"),
    "kwok": ("kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    "kubelet": ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
    "coredns": ("coredns", "github.com/coredns/coredns"),
}
"""Of each program the folder of its module and its package."""


CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kwok")
NODE = ("kubelet", "coredns")
DEFAULT_SCHEDULER = ("kube-scheduler",)
"""No test needs it: benchmarks measure what it does beside us."""


def binaries(names: Iterable[str]) -> dict[str, Path]:
    """Programs by their names; what is found nowhere is built, which takes minutes once."""
    return {name: _given(name) or _built(name) or _on_path(name) or _build(name) for name in names}


def _given(name: str) -> Path | None:
    """Where tests of Kubernetes controllers look for them by convention."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    return _if_there(Path(folder) / name) if folder else None


def _built(name: str) -> Path | None:
    return _if_there(_target(name))


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None


def _if_there(path: Path) -> Path | None:
    return path if path.is_file() else None


def cache() -> Path:
    """What takes long to make lies here."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jupyter-runai" / "cluster"


def _target(name: str) -> Path:
    """The file that this version of a program is built into."""
    digest = hashlib.sha256(_flags(name).encode())
    for file in sorted((_MODULES / _PACKAGES[name][0]).iterdir()):
        digest.update(file.read_bytes())
    return cache() / f"{name}-{digest.hexdigest()[:12]}"


def _flags(name: str) -> str:
    """Without its version every part of Kubernetes calls itself v0.0.0-master."""
    found = re.search(r"k8s.io/kubernetes (v(\d+)\.(\d+)\S*)", (_MODULES / _PACKAGES[name][0] / "go.mod").read_text())
    if found is None:
        return "-s -w"
    stamp = "k8s.io/component-base/version.git"
    return f"-s -w -X {stamp}Version={found[1]} -X {stamp}Major={found[2]} -X {stamp}Minor={found[3]}"


def _build(name: str) -> Path:
    if shutil.which("go") is None:
        raise SystemExit("The tests on a cluster need Go 1.21 or newer once, to build Kubernetes: make test-cluster.")
    folder, package = _PACKAGES[name]
    target = _target(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            started = time.monotonic()
            print(f"▸ building {name} ...", flush=True)
            fresh = target.with_name(f"{target.name}.new")
            # Where this Go is older than a module asks for, it fetches that one as a module too.
            environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "auto"}
            options = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", _flags(name)]
            command = ["go", "build", *options, "-o", fresh, package]
            subprocess.run(command, cwd=_MODULES / folder, env=environment, check=True)
            fresh.rename(target)
            print(f"  {time.monotonic() - started:.0f} s", flush=True)
    for other in target.parent.glob(f"{name}-*"):
        if other != target and len(other.name) == len(target.name):
            other.unlink()
    return target
