"""Writes a cell and the values it reads into the folder that its workload starts from, and reads what comes back."""

from __future__ import annotations

import builtins
import importlib
import json
import secrets
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cloudpickle
from msgspec import Struct, field

from jupyter_runai.magics.modules import by_value
from jupyter_runai.pickling.culprit import culprit
from jupyter_runai.pickling.pickles import OverLimit, first_line
from jupyter_runai.pickling.sources import SourcePickler
from jupyter_runai.running.values import ValueFiles, unpickler
from jupyter_runai.submission.specification import module_path
from scheduler_core.errors import InvalidRequest, TooLarge

_MB = 1_000_000
_NOT_TAKEN = frozenset({"__builtins__", "__spec__", "__loader__", "__cached__"})


class Cell(Struct, frozen=True, kw_only=True):
    """A cell that is ready to travel: its Python, the values and the modules that go along as they are here.

    Its process is kept for `keep` seconds after it, null: not at all.
    """

    python: str
    filename: str
    values: dict[str, Any]
    modules: dict[str, ModuleType]
    outputs: list[str]
    keep: float | None
    id: str = field(default_factory=lambda: secrets.token_hex(16))


class Written(Struct, frozen=True):
    """What was written down: bytes by the names of values, and sources by the names of their files.

    `cuts` are where in `values.pickle` each of them ends.
    """

    sizes: dict[str, int]
    sources: dict[str, str]
    cuts: list[int]


class _Namespace:
    """Stands for a namespace in a pickle; loaded, it is that of the module of this name over there."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __reduce__(self) -> tuple[Any, ...]:
        return vars, (sys.modules[self._module],)


class _Pickler(SourcePickler):
    """Gives functions over there the globals that they share here."""

    def __init__(
        self,
        files: ValueFiles,
        sources: dict[str, str],
        namespace: Mapping[str, Any],
        modules: Mapping[str, ModuleType],
    ) -> None:
        super().__init__(files, sources, buffer_callback=files.apart)
        # cloudpickle would make a fresh dict of each.
        self.globals_ref[id(namespace)] = _Namespace("__main__")
        for name, module in modules.items():
            self.globals_ref[id(vars(module))] = _Namespace(name)
        self._travelling = {id(module): name for name, module in modules.items()}
        own = {name: namespace[name] for name in ("display", "get_ipython") if name in namespace}
        self._own = {id(value): name for name, value in own.items() if _is_ipythons(value)}

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, ModuleType) and id(obj) in self._travelling:
            # The one that the runner has made under this name.
            return importlib.import_module, (self._travelling[id(obj)],)
        if id(obj) in self._own:
            # A kernel does not travel; the runner has these of its own.
            return getattr, (builtins, self._own[id(obj)])
        return super().reducer_override(obj)


def write_values(
    folder: Path,
    values: Mapping[str, Any],
    limit: int,
    namespace: Mapping[str, Any],
    modules: Mapping[str, ModuleType],
) -> Written:
    """Pickle `values` into the files `values.*`, one copy.

    Functions whose globals are `namespace`, the notebook's, have the cell's own as their globals once loaded; what
    they read of it travels with them. `modules` travel as they are here, under their dotted names.

    Raises:
        InvalidRequest: a value cannot be pickled; the message names its variable and the place in it.
        TooLarge: together they are over `limit` bytes; the message names the one that went over.
    """
    written = Written(sizes={}, sources={}, cuts=[])
    with ValueFiles(str(folder / "values"), limit) as files, by_value(modules):
        # One pickler for all, so that values which share an object still share it over there.
        pickler = _Pickler(files, written.sources, namespace, modules)
        states = [(name, _state(module)) for name, module in modules.items()]
        for name, value in [*states, *values.items()]:
            before = files.size
            try:
                pickler.dump(value)
            except OverLimit:
                raise TooLarge(
                    f"With {name!r} the values that this cell reads are over {limit / _MB:,.0f} MB.",
                    "Save it to a file and load it in the cell, or raise it: %config RunaiMagics.largest_values = ...",
                ) from None
            except OSError:
                raise
            except Exception as error:
                raise _refusal(name, value, error, changed=name in modules) from None
            written.sizes[name] = written.sizes.get(name, 0) + files.size - before
            written.cuts.append(files.pickled)
    return written


def _refusal(name: str, value: Any, error: Exception, changed: bool) -> InvalidRequest:
    """What cannot travel and why; `changed` for the namespace of a module that has changed on disk."""
    place, cause = culprit(name, SimpleNamespace(**value) if changed else value, error)
    where = "" if place == name else f" because of {place}"
    reload = f"It has changed on disk. Load it anew: importlib.reload({name})"
    return InvalidRequest(
        f"{name!r} cannot travel to the workload{where}: {first_line(cause)}.",
        reload if changed else "Make it inside the cell instead of taking it from the notebook.",
    )


def write_cell(folder: Path, cell: Cell, written: Written, largest: int) -> None:
    """Describe the cell in `cell.json`, as the runner reads it; `largest` bytes may come back."""
    description = {
        "source": cell.python,
        "filename": cell.filename,
        "names": list(cell.values),
        "outputs": cell.outputs,
        "largest": largest,
        "path": module_path(),
        "ipython": "get_ipython()" in cell.python,
        "modules": list(cell.modules),
        "sources": written.sources,
        "cuts": written.cuts,
        "versions": {"python": sys.version_info[:2], "cloudpickle": cloudpickle.__version__},
        "id": cell.id,
        "keep": cell.keep,
    }
    (folder / "cell.json").write_text(json.dumps(description))


def read_results(folder: Path, names: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """The values that the workload left, and a sentence for each that cannot be had."""
    values: dict[str, Any] = {}
    lost: list[str] = []
    for name in names:
        path = folder / f"{name}.pickle"
        try:
            with unpickler(str(folder / name)) as results:
                values[name] = results.load()
        except FileNotFoundError:
            lost.append(f"{name!r} did not come back: its file {path} is gone.")
        except Exception as error:
            reason = f"{type(error).__name__}: {first_line(error)}"
            lost.append(f"{name!r} did not come back, loading it here raised {reason}. It is kept in {path}.")
    return values, lost


def _is_ipythons(value: object) -> bool:
    return str(getattr(value, "__module__", "")).partition(".")[0] == "IPython"


def _state(module: ModuleType) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if name not in _NOT_TAKEN}
