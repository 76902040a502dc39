"""One digest for values that are the same, in whatever process: by it a call is known again after a restart.

It is that of a pickle, less what differs from process to process: the order of sets, which equal strings are one
object, the file and line numbers of a notebook's functions, the marks of its classes. Of a module that lies beside the
notebook the file's content counts as well, and that of what it imports there.
"""

from __future__ import annotations

import hashlib
import os
import re
import site
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import cloudpickle

_CLASS_MARK = re.compile(r"[0-9a-f]{32}")
_OF_THE_FILE = ("__firstlineno__", "__static_attributes__", "__file__")


def fingerprint(*values: object) -> str:
    """A digest of the values together.

    Raises:
        Exception: whatever pickling one of them raises.
    """
    digest = hashlib.sha256()
    local: set[ModuleType] = set()
    _Contents(digest, local).dump(values)
    for module in sorted(_with_imports(local), key=lambda module: module.__name__):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()


class _Contents(cloudpickle.Pickler):  # type: ignore[misc]
    """A pickler whose output goes into a digest; `local` gathers the modules of the user's own that are referred to."""

    def __init__(self, digest: Any, local: set[ModuleType]) -> None:
        super().__init__(_Into(digest), protocol=5)
        self._local = local

    def persistent_id(self, value: object) -> object:
        # Called before anything is looked up in the memo.
        if isinstance(value, str) and type(value) is str:
            return _number(b"s" + value.encode("utf-8", "surrogatepass"))
        if isinstance(value, bytes) and type(value) is bytes:
            return _number(b"b" + value)
        if isinstance(value, set | frozenset) and type(value) in (set, frozenset):
            return sorted(int(fingerprint(item), 16) for item in value)
        return None

    def reducer_override(self, value: object) -> Any:
        if isinstance(value, CodeType):
            return _nothing, _of_code(value)
        reduced = super().reducer_override(value)
        if isinstance(value, type | FunctionType):
            if not isinstance(reduced, tuple):
                module = sys.modules.get(value.__module__)
                if module is not None and _is_local(module):
                    self._local.add(module)
            else:
                return _less_its_marks(reduced)
        return reduced


class _Into:
    def __init__(self, digest: Any) -> None:
        self._digest = digest

    def write(self, data: Any) -> None:
        self._digest.update(data)


def _number(content: bytes) -> int:
    return int.from_bytes(hashlib.sha256(content).digest(), "big")


def _nothing(*_: object) -> None:
    """Stands in the pickle for what would load; nobody loads it."""


def _of_code(code: CodeType) -> tuple[object, ...]:
    names = ("co_code", "co_consts", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_flags", "co_name")
    counts = ("co_argcount", "co_posonlyargcount", "co_kwonlyargcount")
    return tuple(getattr(code, name) for name in (*names, *counts, "co_exceptiontable"))


def _less_its_marks(reduced: Any) -> Any:
    """What makes a function or class anew, without what is of this process alone."""
    make, arguments, state, *rest = reduced
    arguments = tuple("" if _is_mark(part) else _less_its_file(part) for part in arguments)
    if isinstance(state, tuple):
        state = tuple(_less_its_file(part) for part in state)
    return make, arguments, state, *rest


def _is_mark(value: object) -> bool:
    return isinstance(value, str) and _CLASS_MARK.fullmatch(value) is not None


def _less_its_file(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {name: part for name, part in value.items() if name not in _OF_THE_FILE}


def _with_imports(modules: set[ModuleType]) -> set[ModuleType]:
    found: set[ModuleType] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imported_by(module)
    return found


def _imported_by(module: ModuleType) -> Iterator[ModuleType]:
    for value in list(vars(module).values()):
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        imported = sys.modules.get(name) if isinstance(name, str) else None
        if imported is not None and _is_local(imported):
            yield imported


def _is_local(module: ModuleType) -> bool:
    """Whether a module is the user's own: a file that belongs to no installation."""
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file.endswith(".py") and not file.startswith(_installed()) and Path(file).exists()


@cache
def _installed() -> tuple[str, ...]:
    places = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), *site.getsitepackages()}
    own = Path(__file__).parent.parent
    return tuple(f"{place}{os.sep}" for place in (*places, site.getusersitepackages(), own))
