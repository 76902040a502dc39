"""Local modules whose files have changed since the notebook imported them: they travel as the notebook has them."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import cloudpickle

_INSTALLED = frozenset({"site-packages", "dist-packages"})
_OURS = frozenset({"jupyter_runai", "scheduler_core"})
_STDLIB = sysconfig.get_path("stdlib")

_Stamp = tuple[object, int, int]
"""Which load of a module it is, and when its file was written, in nanoseconds, and its size."""


class LocalModules:
    """Notes how the files of a notebook's own modules are when it imports them; call `note` after each cell."""

    def __init__(self) -> None:
        self._noted: dict[str, _Stamp] = {}
        self._foreign: set[str] = set()
        self.note()

    def note(self, *_: object) -> None:
        for name, module in list(sys.modules.items()):
            if name in self._foreign:
                continue
            file = _local_file(name, module)
            if file is None:
                self._foreign.add(name)
                continue
            load = getattr(module, "__spec__", None)
            if name not in self._noted or self._noted[name][0] is not load:
                self._noted[name] = (load, *_written(file))

    def changed(self) -> dict[str, ModuleType]:
        """The loaded modules of each local package or file that has changed on disk, by their dotted names."""
        self.note()
        loaded = {name: sys.modules[name] for name in self._noted if name in sys.modules}
        tops = {
            name.partition(".")[0]
            for name, module in loaded.items()
            if _written(str(module.__file__)) != self._noted[name][1:]
        }
        return {name: module for name, module in sorted(loaded.items()) if name.partition(".")[0] in tops}


@contextmanager
def by_value(modules: Mapping[str, ModuleType]) -> Iterator[None]:
    """Let cloudpickle take along the functions and classes of these modules instead of their names."""
    known = cloudpickle.list_registry_pickle_by_value()
    fresh = [module for name, module in modules.items() if name not in known]
    for module in fresh:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in fresh:
            cloudpickle.unregister_pickle_by_value(module)


def _local_file(name: str, module: object) -> str | None:
    file = getattr(module, "__file__", None)
    if name == "__main__" or name.partition(".")[0] in _OURS or not isinstance(file, str) or not file.endswith(".py"):
        return None
    return None if file.startswith(f"{_STDLIB}/") or _INSTALLED.intersection(Path(file).parts) else file


def _written(file: str) -> tuple[int, int]:
    """When a file was written and its size; a file that is gone is as it was never written."""
    try:
        status = Path(file).stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
