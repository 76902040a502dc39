"""Users of this system other than the one who tests: whoever is root can be any of them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from scheduler_core.errors import ErrorRecord, error_from_record
from scheduler_core.workload import Workload, WorkloadSpec

T = TypeVar("T")

_ROOT = Path(__file__).parents[2]
_AGENT = Path(__file__).with_name("as_user.py")
_NEEDED = ("msgspec", "tornado", "numpy", "pynvml")
_IMPORTS = f"import sys, {', '.join(_NEEDED)}, scheduler_core.local; print(sys.version_info[:2])"


class Answer(msgspec.Struct):
    answer: msgspec.Raw = msgspec.Raw()
    error: ErrorRecord | None = None


class User:
    """A user by number, who runs this Python, which finds the packages in `path`."""

    def __init__(self, uid: int, python: Path, path: str, gid: int | None = None) -> None:
        self.uid = uid
        self.gid = uid if gid is None else gid
        self._python = python
        self._path = path

    def run(self, *arguments: str, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
        """Run their Python with these arguments to its end."""
        return subprocess.run(
            [self._python, *arguments],
            input=stdin,
            capture_output=True,
            cwd="/",
            env=self.environment() | variables,
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            check=False,
        )

    def environment(self) -> dict[str, str]:
        shared = {name: os.environ[name] for name in ("RUNAI_SHARED_DIR",) if name in os.environ}
        return {"PATH": os.defpath, "HOME": "/nonexistent", "PYTHONPATH": self._path, **shared}

    def ask(self, kind: type[T], method: str, *arguments: Any) -> T:
        """What the engine answers this user to a method of the port, raised where that is an error."""
        (told,) = self.ask_all((method, *arguments))
        if told.error is not None:
            raise error_from_record(told.error)
        return msgspec.json.decode(told.answer, type=kind)

    def ask_all(self, *asked: tuple[Any, ...]) -> list[Answer]:
        """What the engine answers to several methods, each with its arguments, one after the other."""
        agent = Path(self._path.split(":")[0]) / "tests" / "local" / _AGENT.name
        calls = [(method, arguments) for method, *arguments in asked]
        done = self.run(str(agent), stdin=msgspec.json.encode(calls, enc_hook=str))
        assert done.returncode == 0, done.stderr.decode()
        return msgspec.json.decode(done.stdout, type=list[Answer])

    def spec(self, code: str = "print('hello')", **fields: Any) -> WorkloadSpec:
        """A workload that runs this code in this user's Python."""
        return WorkloadSpec(
            command=(str(self._python), "-u", "-c", code),
            cwd=fields.pop("cwd", "/"),
            env=fields.pop("env", {"PATH": os.defpath}),
            **fields,
        )

    def submit(self, code: str = "print('hello')", **fields: Any) -> Workload:
        return self.ask(Workload, "submit", self.spec(code, **fields))


def python_for_users(folder: Path) -> tuple[Path, str]:
    """A Python, and the path of its packages, that every user may run and read; copied into `folder` where need be."""
    site = Path(msgspec.__file__).parents[1]
    for path_of in (lambda: f"{_ROOT}:{site}", lambda: _copied(folder)):
        path = path_of()
        for python in (Path(sys.executable), Path(sys.executable).resolve(), *map(Path, _other_pythons())):
            if _works(User(2001, python, path)):
                return python, path
    pytest.skip("no Python of this version can be run by other users here")


def _other_pythons() -> list[str]:
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return [found for place in ("/usr/bin", "/usr/local/bin") if (found := shutil.which(name, path=place))]


def _works(user: User) -> bool:
    try:
        done = user.run("-c", _IMPORTS)
    except OSError:
        return False
    return done.stdout.decode().strip() == str(tuple(sys.version_info[:2]))


def _copied(folder: Path) -> str:
    """Copies of the packages that a client and a daemon need, open to everybody."""
    target = folder / "packages"
    if not target.exists():
        for name in _NEEDED:
            found = importlib.util.find_spec(name)
            assert found is not None and found.origin is not None
            source = Path(found.origin)
            if source.name == "__init__.py":
                shutil.copytree(source.parent, target / name)
                if (libraries := source.parents[1] / f"{name}.libs").exists():
                    shutil.copytree(libraries, target / libraries.name)
            else:
                shutil.copy(source, target)
        shutil.copytree(_ROOT / "scheduler_core", target / "scheduler_core")
        (target / "tests" / "local").mkdir(parents=True)
        shutil.copy(_AGENT, target / "tests" / "local")
        for path in target.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
    return str(target)
