"""Writes a cell and the values it reads into the folder that its workload starts from."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cloudpickle

from jupyter_runai.pickles import LimitedFile, OverLimit, first_line
from jupyter_runai.specification import module_path
from scheduler_core.errors import InvalidRequest, TooLarge

_MB = 1_000_000


class _CellNamespace:
    """Stands for the notebook's namespace in a pickle; loaded, it is the namespace that the cell runs in."""

    def __reduce__(self) -> tuple[Any, ...]:
        return vars, (sys.modules["__main__"],)


def write_values(folder: Path, values: Mapping[str, Any], limit: int, namespace: Mapping[str, Any]) -> int:
    """Pickle `values` into `values.pickle`, one copy, and return its size in bytes.

    Functions whose globals are `namespace`, the notebook's, have the cell's own as their globals once loaded; what
    they read of it travels with them.

    Raises:
        InvalidRequest: a value cannot be pickled; the message names its variable.
        TooLarge: together they are over `limit` bytes; the message names the one that went over.
    """
    with (folder / "values.pickle").open("wb") as file:
        limited = LimitedFile(file, limit)
        # One pickler for all, so that values which share an object still share it over there.
        pickler = cloudpickle.Pickler(limited, protocol=pickle.HIGHEST_PROTOCOL)
        # The globals that functions of a namespace share over there; cloudpickle would make them a fresh dict.
        pickler.globals_ref[id(namespace)] = _CellNamespace()
        for name, value in values.items():
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
                raise InvalidRequest(
                    f"{name!r} cannot travel to the workload: {first_line(error)}.",
                    "Make it inside the cell instead of taking it from the notebook.",
                ) from None
    return limited.size


def write_cell(folder: Path, source: str, filename: str, names: list[str], outputs: list[str], ipython: bool) -> None:
    """Describe the cell in `cell.json`, as the runner reads it."""
    cell = {
        "source": source,
        "filename": filename,
        "names": names,
        "outputs": outputs,
        "path": module_path(),
        "ipython": ipython,
    }
    (folder / "cell.json").write_text(json.dumps(cell))


def read_results(folder: Path, names: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """The values that the workload left, and a sentence for each that cannot be had."""
    values: dict[str, Any] = {}
    lost: list[str] = []
    for name in names:
        path = folder / f"{name}.pickle"
        try:
            with path.open("rb") as file:
                values[name] = pickle.load(file)  # noqa: S301 (written by the user's own workload)
        except FileNotFoundError:
            lost.append(f"{name!r} did not come back: its file {path} is gone.")
        except Exception as error:
            reason = f"{type(error).__name__}: {first_line(error)}"
            lost.append(f"{name!r} did not come back, loading it here raised {reason}. It is kept in {path}.")
    return values, lost
