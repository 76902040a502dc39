"""An image of this very Python, with what cells and workers need, made of what lies on this machine."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

PYTHON_IMAGE = "localhost/python:3"
_TOOLS = ("sh", "echo", "sleep", "true", "false", "cat")
_PACKAGES = ("cloudpickle", "numpy", "jax", "ipykernel", "scikit-learn", "msgspec", "nvidia-ml-py")
_ROOT = Path(__file__).parents[2]
_READER = (
    "scheduler_core/__init__.py",
    "scheduler_core/model.py",
    "scheduler_core/nvml.py",
    "scheduler_core/kubernetes/__init__.py",
    "scheduler_core/kubernetes/sharing/__init__.py",
    "scheduler_core/kubernetes/sharing/device_reader.py",
)
"""What runs in pods that hold a device for others."""
_NVML = _ROOT / "tests" / "fake_nvml" / "nvml.c"
_LIBRARY = "usr/lib/libnvidia-ml.so.1"
_DEVICE = "device GPU-HOSTNAME 81920 0 ok NVIDIA A100-SXM4-80GB\n"
"""Each pod sees one device, which is called as the pod is."""
_NO_NEED = ("site-packages", "test", "idlelib", "tkinter", "ensurepip", "lib2to3", "turtledemo", "__pycache__")
_MEMBERS = "/usr/local/bin"


def make_image(target: Path) -> Path:
    """Write it to a file as `docker save` does, unless that is there already."""
    name = f"python-{_digest()}.tar"
    if not (target / name).exists():
        target.mkdir(parents=True, exist_ok=True)
        fresh = target / f"{name}.new"
        _write(fresh)
        fresh.rename(target / name)
        for other in target.glob("python-*.tar"):
            if other.name != name:
                other.unlink()
    return target / name


def _digest() -> str:
    versions = [f"{name} {importlib.metadata.version(name)}" for name in sorted(_requirements())]
    texts = [path.read_text() for path in (Path(__file__), _NVML, *(_ROOT / name for name in _READER))]
    said = "\n".join([sys.version, sys.base_prefix, *texts, *versions])
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def _requirements() -> set[str]:
    """The packages and all that they need."""
    found: set[str] = set()
    waiting = list(_PACKAGES)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name not in found:
            found.add(name)
            needed = map(Requirement, importlib.metadata.requires(name) or ())
            waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def _write(path: Path) -> None:
    layer = path.with_suffix(".layer")
    with tarfile.open(layer, "w") as archive:
        _fill(archive)
    with layer.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    variables = [f"PATH={_MEMBERS}:/usr/bin:/bin", "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"]
    variables.append("FAKE_NVML_STATE=/etc/devices")
    # Pods are held by a container of their own, which does nothing: it is of this image too.
    config = {"Entrypoint": ["/bin/sleep", "infinity"], "Env": variables}
    layers = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
    content = {"architecture": "amd64", "os": "linux", "config": config, "rootfs": layers}
    manifest = [{"Config": "config.json", "RepoTags": [PYTHON_IMAGE], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        for name, said in (("config.json", content), ("manifest.json", manifest)):
            data = json.dumps(said).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        archive.add(layer, "layer.tar")
    layer.unlink()


def _fill(archive: tarfile.TarFile) -> None:
    base, version = Path(sys.base_prefix), f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for folder, mode in (("tmp", 0o1777), ("root", 0o755), ("bin", 0o755)):
        entry = tarfile.TarInfo(folder)
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        archive.addfile(entry)
    program = (base / "bin" / version).resolve()
    standard = base / "lib" / version
    tools = [Path("/bin") / name for name in _TOOLS]
    for tool in tools:
        archive.add(tool.resolve(), str(tool)[1:])
    archive.add(program, str(program)[1:])
    archive.add(standard, str(standard)[1:], filter=_needed)
    for name in ("python3", "python"):
        _link(archive, f"{_MEMBERS}/{name}", str(program))
    files = list(_files_of_packages())
    for file in files:
        archive.add(file, f"{standard}/site-packages/{file.relative_to(_site_of(file))}"[1:])
    for name in _READER:
        archive.add(_ROOT / name, f"{standard}/site-packages/{name}"[1:])
    _add_devices(archive)
    extensions = [*(standard / "lib-dynload").glob("*.so"), *(file for file in files if ".so" in file.suffixes)]
    for library in _libraries([program, *(tool.resolve() for tool in tools), *extensions]):
        archive.add(library.resolve(), str(library)[1:])


def _add_devices(archive: tarfile.TarFile) -> None:
    """A library of NVIDIA's in which each pod sees one device."""
    with tempfile.TemporaryDirectory() as folder:
        library, state = Path(folder) / "library", Path(folder) / "state"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, _NVML], check=True)
        state.write_text(_DEVICE)
        archive.add(library, _LIBRARY)
        archive.add(state, "etc/devices")


def _needed(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(entry.name).name in _NO_NEED else entry


def _link(archive: tarfile.TarFile, path: str, target: str) -> None:
    entry = tarfile.TarInfo(path[1:])
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    archive.addfile(entry)


def _files_of_packages() -> Iterator[Path]:
    for name in sorted(_requirements()):
        for file in importlib.metadata.files(name) or ():
            path = Path(str(file.locate())).resolve()
            if path.is_file() and ".." not in file.parts and not {"tests", "__pycache__"} & set(file.parts):
                yield path


def _site_of(path: Path) -> Path:
    return next(parent for parent in path.parents if parent.name == "site-packages")


def _libraries(programs: list[Path]) -> list[Path]:
    """The shared libraries that these need, where their loader finds them."""
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    found = {Path(path) for path in re.findall(r"(/\S+) \(0x", said)}
    return sorted(path for path in found if path.exists() and "site-packages" not in path.parts)
