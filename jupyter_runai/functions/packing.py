"""Writes a function and what it is called with into the folder that its workload starts from."""

from __future__ import annotations

import inspect
import json
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from jupyter_runai.functions.errors import warn
from jupyter_runai.pickling.culprit import culprit
from jupyter_runai.pickling.pickles import LimitedFile, OverLimit, first_line
from jupyter_runai.pickling.shell import size_limits
from jupyter_runai.pickling.sources import SourcePickler
from jupyter_runai.submission.specification import module_path
from jupyter_runai.words.figures import size
from scheduler_core.errors import InvalidRequest, TooLarge


class Call(Struct, frozen=True):
    """A function and the arguments that it is to be called with."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        """What people call the function."""
        called = self.function
        while isinstance(called, partial):
            called = called.func
        return getattr(called, "__name__", None) or type(called).__name__


def pack_call(folder: Path, call: Call) -> None:
    """Write down one call.

    Raises:
        InvalidRequest: the function takes no such arguments, or one of them cannot be pickled; the message names it.
        TooLarge: together they are over the limit; the message names the one that went over.
    """
    values = {f"{call.name}()": call.function, **dict(zip(_labels(call), call.args, strict=True)), **call.kwargs}
    warn_from, largest = size_limits()
    with _Packer(folder / "values.pickle", largest) as packer:
        for label, value in values.items():
            packer.add(label, value)
    _tell_size(packer.size, warn_from)
    _describe(folder, packer.sources, list(values), keywords=list(call.kwargs))


def pack_items(folder: Path, call: Call, items: Sequence[Any], tasks: int) -> None:
    """Write down a call with each of several items; a task reads its own ones alone.

    Raises:
        InvalidRequest, TooLarge: as above.
    """
    label = f"{call.name}()"
    warn_from, largest = size_limits()
    with _Packer(folder / "values.pickle", largest) as packer:
        packer.add(label, call.function)
    offsets = []
    with _Packer(folder / "items.pickle", largest - packer.size, packer.sources) as item_packer:
        for index, item in enumerate(items):
            offsets.append(item_packer.size)
            item_packer.add(f"items[{index}]", item)
            item_packer.forget()
    (folder / "items.offsets").write_bytes(struct.pack(f"<{len(offsets)}Q", *offsets))
    _tell_size(packer.size + item_packer.size, warn_from)
    _describe(folder, packer.sources, [label], keywords=[], items=len(items), tasks=tasks)


def _labels(call: Call) -> list[str]:
    """What to call each positional argument: the name of its parameter."""
    try:
        signature = inspect.signature(call.function)
    except (TypeError, ValueError):
        return [f"argument {index}" for index in range(len(call.args))]
    try:
        signature.bind(*call.args, **call.kwargs)
    except TypeError as error:
        raise InvalidRequest(f"{call.name}{signature} cannot be called so: {first_line(error)}.") from None
    labels: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            labels += (f"{parameter.name}[{index}]" for index in range(len(call.args) - len(labels)))
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            labels.append(parameter.name)
    return labels[: len(call.args)]


class _Packer:
    """A file of pickles, one after another, and the sources of functions that no file over there has."""

    def __init__(self, path: Path, limit: int, sources: dict[str, str] | None = None) -> None:
        self._file = path.open("wb")
        self._limited = LimitedFile(self._file, limit)
        self.sources: dict[str, str] = {} if sources is None else sources
        self._pickler = SourcePickler(self._limited, self.sources)

    def __enter__(self) -> _Packer:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def size(self) -> int:
        return self._limited.size

    def add(self, label: str, value: object) -> None:
        try:
            self._pickler.dump(value)
        except OverLimit:
            raise TooLarge(
                f"With {label} what travels to the workload is over {size(size_limits()[1])}.",
                "Save it to a file and load it in the function, or raise it: "
                "%load_ext jupyter_runai, then %config RunaiMagics.largest_values = ...",
            ) from None
        except OSError:
            raise
        except Exception as error:
            place, cause = culprit(label, value, error)
            raise InvalidRequest(
                f"{place} cannot travel to the workload: {first_line(cause)}.",
                "Make it inside the function instead of taking it along.",
            ) from None

    def forget(self) -> None:
        """What comes next shares no object with what came before: it can be read by itself."""
        self._pickler.clear_memo()


def _describe(folder: Path, sources: Mapping[str, str], names: Iterable[str], **more: object) -> None:
    call = {"names": list(names), "path": module_path(), "sources": sources, **more}
    (folder / "call.json").write_text(json.dumps(call))


def _tell_size(count: int, warn_from: int) -> None:
    if count > warn_from:
        warn(f"{size(count)} of values travel with this call; a path to a file would be faster.")
