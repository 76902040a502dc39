"""Runs one cell: loads the values that travelled, and saves those that are to come back.

`cell.json` in the inputs is {source, filename, names, outputs, largest, path, ipython, modules, sources, cuts,
versions, id, keep}. The values are as `values.py` writes them: the namespaces of `modules`, then the values in the
order of `names`, of which `cuts` are the ends in the pickle.
Without a `path` modules are looked for where this Python has them.
"""

from __future__ import annotations

import builtins
import importlib
import json
import os
import pickle
import sys
from types import ModuleType

from . import displays
from .execution import execute
from .reports import FAILED, ValueLost, described, readable, remember_source, report
from .values import OverLimit, ValueFiles, unpickler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run_cell(inputs: str, folder: str, index: int) -> int:
    """Run the cell; 0 when it ended well, 1 when it raised, its own status when it exited.

    One that is to be kept (`keep` in seconds) is followed by others in the same process.
    """
    cell = _read(inputs)
    sys.modules["__main__"] = module = ModuleType("__main__")
    displays.prepare(module, displays.Displays(displays.display_file(folder, index)))
    if cell["keep"] is not None:
        from .kept.keeping import keep_cells  # noqa: PLC0415 (only what is needed)

        return keep_cells(
            inputs, folder, vars(module), _read, lambda found, cell: _run(found, cell, module, folder, index)
        )
    status, said = _run(inputs, cell, module, folder, index)
    if said is not None:
        report(**said)
    return status


def _read(inputs: str) -> dict[str, Any]:
    with open(f"{inputs}/cell.json", encoding="utf-8") as file:
        cell: dict[str, Any] = json.load(file)
    return cell


def _run(
    inputs: str, cell: dict[str, Any], module: ModuleType, folder: str, index: int
) -> tuple[int, dict[str, Any] | None]:
    """Run one cell in this module: its status and what is to be reported of it, nothing where it exited by itself."""
    if cell["path"] is not None:
        sys.path[:] = cell["path"]
    for filename, source in cell["sources"].items():
        remember_source(filename, source)
    try:
        module.__dict__.update(_load(f"{inputs}/values", cell))
        # Loading functions leaves the dict of the builtins there; a notebook has the module.
        module.__dict__["__builtins__"] = builtins
        if cell["ipython"]:
            importlib.import_module("IPython")
        status = execute(cell["source"], cell["filename"], module.__dict__)
        if status:
            return status, None
        # Of several tasks the first one's variables come back.
        results, lost = _save([] if index else cell["outputs"], module.__dict__, folder, cell["largest"])
    except BaseException as error:
        sys.stdout.flush()
        return FAILED, {"error": described(error, cell["filename"])}
    if lost:
        return FAILED, {"results": results, "error": described(ValueLost("\n".join(lost)), cell["filename"])}
    return 0, {"results": results}


def _load(stem: str, cell: dict[str, Any]) -> dict[str, Any]:
    """What travelled, by its name; modules that were changed on disk are made as the notebook has them."""
    there = list(sys.version_info[:2])
    if there != cell["versions"]["python"]:
        here, wanted = (".".join(map(str, version)) for version in (there, cell["versions"]["python"]))
        raise ValueLost(f"This workload runs Python {here} and its values are from Python {wanted}.")
    for name in cell["modules"]:
        # All of them before any is filled: they may know each other.
        sys.modules[name] = ModuleType(name)
    loaded: dict[str, Any] = {}
    with unpickler(stem) as opened:
        for name in cell["modules"]:
            vars(sys.modules[name]).update(_loaded(opened, name, cell))
        for name in cell["names"]:
            loaded[name] = _loaded(opened, name, cell)
    return loaded


def _loaded(opened: pickle.Unpickler, name: str, cell: dict[str, Any]) -> Any:
    try:
        return opened.load()
    except Exception as error:
        raise ValueLost(
            f"{name!r} could not be loaded here: {type(error).__name__}: {error}{_versions(cell)}"
        ) from error


def _versions(cell: dict[str, Any]) -> str:
    """A clause where another cloudpickle loads than has pickled, which it need not understand."""
    written = cell["versions"]["cloudpickle"]
    read = getattr(sys.modules.get("cloudpickle"), "__version__", written)
    return "" if read == written else f" (pickled by cloudpickle {written}, loaded by {read})"


def _save(
    outputs: list[str], namespace: dict[str, Any], folder: str, largest: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """Pickle the outputs, each in files of its own; a sentence for each that cannot be."""
    results: list[dict[str, Any]] = []
    lost: list[str] = []
    if not outputs:
        return results, lost
    import cloudpickle  # noqa: PLC0415 (only where something comes back)

    for name in outputs:
        if name not in namespace:
            lost.append(f"the cell ended without a variable {name!r} to bring back{_nearest(name, namespace)}")
            continue
        try:
            with ValueFiles(f"{folder}/{name}", largest) as files:
                pickler = cloudpickle.Pickler(files, protocol=pickle.HIGHEST_PROTOCOL, buffer_callback=files.apart)
                pickler.dump(namespace[name])
        except OverLimit:
            lost.append(
                f"{name!r} is larger than the {largest / 1_000_000:,.0f} MB left for what comes back: "
                "save it to a file instead, or raise it: %config RunaiMagics.largest_values = ..."
            )
        except Exception as error:
            lost.append(f"{name!r} could not be brought back: {readable(error)}")
        else:
            largest -= files.size
            results.append({"name": name, "type": type(namespace[name]).__name__, "size": files.size})
            continue
        for suffix in ("pickle", "buffers"):
            if os.path.exists(f"{folder}/{name}.{suffix}"):
                os.unlink(f"{folder}/{name}.{suffix}")
    return results, lost


def _nearest(name: str, namespace: dict[str, Any]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 (only after a slip)

    nearest = get_close_matches(name, [known for known in namespace if not known.startswith("_")], 1)
    return f" (did you mean {nearest[0]!r}?)" if nearest else ""
