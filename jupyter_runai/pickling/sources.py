"""Takes the sources of functions along that travel by value, so that tracebacks over there have their lines."""

from __future__ import annotations

import linecache
import pickle
from pathlib import Path
from types import CodeType
from typing import Any

import cloudpickle

from jupyter_runai.pickling.shell import cell_name


class SourcePickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Gathers in `sources`, by the names of their files, those of functions that no file over there has."""

    def __init__(self, file: Any, sources: dict[str, str], **settings: Any) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL, **settings)
        self._sources = sources

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, CodeType):
            return super().reducer_override(obj)
        make, arguments = self.dispatch_table[CodeType](obj)
        shown = self._shown(obj.co_filename)
        # Newer cloudpickles leave the file out, and every traceback without its lines.
        return make, tuple(shown if part in (obj.co_filename, "<dynamic-code>") else part for part in arguments)

    def _shown(self, filename: str) -> str:
        """The name of a file as tracebacks are to have it; its source travels where there is no such file."""
        if Path(filename).exists():
            return filename
        cell = cell_name(filename)
        self._sources.setdefault(cell, "".join(linecache.getlines(filename)))
        return cell
