"""TOML files that people write: what is wrong in one is said with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from scheduler_core.errors import InvalidRequest

T = TypeVar("T", bound=Struct)


class Written:
    """The text of a file; every refusal is an `error` that names the file and the line.

    Raises:
        InvalidRequest: as the given `error`: it is not TOML.
    """

    def __init__(self, text: str, name: str, error: type[InvalidRequest]) -> None:
        self.name = name
        self._text = text
        self._error = error
        try:
            self.content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as wrong:
            raise error(f"{name} is not TOML: {wrong}.") from None

    def bad(self, path: Sequence[str], why: str) -> InvalidRequest:
        """What to raise where the value at `path` cannot be."""
        line = line_of(self._text, path)
        return self._error(f"{self.name}{f', line {line}' if line else ''}: {why}.")

    def fields(self, path: Sequence[str], table: Mapping[str, Any], of: type[T]) -> T:
        """The table at `path` as a struct: no unknown key, no value of another type."""
        names = of.__struct_fields__
        for key in table.keys() - set(names):
            nearest = get_close_matches(key, names, 1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(names)}"
            raise self.bad([*path, key], f"{key!r} is no setting; {hint}")
        try:
            return msgspec.convert(table, of)
        except msgspec.ValidationError as error:
            what, _, where = str(error).partition(" - at `$")
            keys = where.strip(".`").partition("[")[0]
            raise self.bad([*path, *keys.split(".")], f"{keys}: {what[:1].lower()}{what[1:]}") from None


def line_of(text: str, path: Sequence[str]) -> int | None:
    """The line on which a key stands, or else the last of the tables around it; null where it is not seen."""
    table: list[str] = []
    best, line = 0, None
    for number, written in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+([^\]]+)\]", written)
        if header:
            found = table = _parts(header[1])
        else:
            key = re.match(r"\s*([A-Za-z0-9_.\"' -]+?)\s*=", written)
            found = [*table, *_parts(key[1])] if key else []
        if found and len(found) > best and list(path[: len(found)]) == found:
            best, line = len(found), number
    return line


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]
