"""Which part of a value keeps it from being pickled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from types import CodeType, FunctionType, MethodType
from typing import Any

import cloudpickle

_DEEPEST = 20
_MOST_PARTS = 10_000


def place_of(label: str, value: object) -> str:
    """Where in a value that cannot be pickled the part lies that cannot, as Python would write it: `config['lock']`."""
    for _ in range(_DEEPEST):
        found = next(((step, part) for step, part in islice(_parts(value), _MOST_PARTS) if not _travels(part)), None)
        if found is None:
            break
        label, value = label + found[0], found[1]
    return label


def _travels(value: object) -> bool:
    try:
        cloudpickle.dump(value, _Nowhere())
    except Exception:
        return False
    return True


class _Nowhere:
    def write(self, data: object) -> None:
        """Take what comes and keep nothing."""


def _parts(value: object) -> Iterator[tuple[str, object]]:
    match value:
        case Mapping():
            yield from ((f"[{key!r}]", part) for key, part in value.items())
        case list() | tuple():
            yield from ((f"[{index}]", part) for index, part in enumerate(value))
        case partial():
            yield from ((f".{name}", getattr(value, name)) for name in ("func", "args", "keywords"))
        case MethodType():
            yield ".__self__", value.__self__
        case FunctionType():
            yield from ((f", which reads {name}", part) for name, part in _read_by(value))
        case _:
            yield from ((f".{name}", part) for name, part in getattr(value, "__dict__", {}).items())


def _read_by(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:
            continue  # It is not filled yet: there is nothing to take along.
    for name in _global_names(function.__code__):
        if name in function.__globals__:
            yield name, function.__globals__[name]


def _global_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)
