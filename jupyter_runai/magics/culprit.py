"""Finds the part of a value that keeps it from being pickled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from types import FunctionType
from typing import Any

import cloudpickle

_DEEPEST = 20
_MOST_PARTS = 1_000
_MOST_BYTES = 100_000_000
_LONGEST_KEY = 40


def culprit(name: str, value: object, error: Exception) -> tuple[str, Exception]:
    """Where in the value called `name` lies what cannot be pickled (`model.layers[2].lock`), and what it raises."""
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


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=False)
        yield from ((f" → {name}", cell.cell_contents) for name, cell in cells)
        read = (name for name in value.__code__.co_names if name in value.__globals__)
        yield from ((f" → {name}", value.__globals__[name]) for name in read)
    elif isinstance(value, Mapping):
        yield from ((f"[{_short(key)}]", part) for key, part in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{index}]", part) for index, part in enumerate(value))
    for name, part in getattr(value, "__dict__", {}).items():
        if not isinstance(value, type) or isinstance(part, FunctionType):
            yield f".{name}", part


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


def _short(key: object) -> str:
    text = repr(key)
    return text if len(text) <= _LONGEST_KEY else f"{text[:_LONGEST_KEY]}..."
