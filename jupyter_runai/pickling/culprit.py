"""Finds the part of a value that keeps it from being pickled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from types import CodeType, FunctionType, MethodType
from typing import Any

import cloudpickle

_DEEPEST = 20
_MOST_PARTS = 10_000
_MOST_BYTES = 100_000_000
_LONGEST_KEY = 40


def culprit(name: str, value: object, error: Exception) -> tuple[str, Exception]:
    """Where in the value called `name` lies what cannot be pickled, as Python would write it, and what it raises.

    `config['lock']`, or of what a function reads `train(), which reads lock`.
    """
    place = name
    for _ in range(_DEEPEST):
        for step, part in islice(_parts(value), _MOST_PARTS):
            failure = _failure(part)
            if failure is not None:
                place, value, error = f"{place}{step}", part, failure
                break
        else:
            break
    return place, error


def _failure(part: object) -> Exception | None:
    try:
        cloudpickle.Pickler(_Nowhere(), buffer_callback=lambda buffer: False).dump(part)
    except _Enough:
        return None
    except Exception as error:
        return error
    return None


class _Enough(Exception):
    """So much could be pickled that the rest is not tried."""


class _Nowhere:
    def __init__(self) -> None:
        self._size = 0

    def write(self, data: Any) -> int:
        length = memoryview(data).nbytes
        self._size += length
        if self._size > _MOST_BYTES:
            raise _Enough
        return length


def _parts(value: object) -> Iterator[tuple[str, object]]:
    match value:
        case Mapping():
            yield from ((f"[{_short(key)}]", part) for key, part in value.items())
        case list() | tuple() | set() | frozenset():
            yield from ((f"[{index}]", part) for index, part in enumerate(value))
        case partial():
            yield from ((f".{name}", getattr(value, name)) for name in ("func", "args", "keywords"))
        case MethodType():
            yield ".__self__", value.__self__
        case FunctionType():
            yield from ((f", which reads {name}", part) for name, part in _read_by(value))
    for name, part in getattr(value, "__dict__", {}).items():
        if not isinstance(value, type) or isinstance(part, FunctionType):
            yield f".{name}", part


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


def _short(key: object) -> str:
    text = repr(key)
    return text if len(text) <= _LONGEST_KEY else f"{text[:_LONGEST_KEY]}..."
