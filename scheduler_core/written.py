"""Files that people write, in TOML or YAML: what is wrong in one is said with its line."""

from __future__ import annotations

import re
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec
import yaml
from msgspec import Struct

from scheduler_core.errors import InvalidRequest

T = TypeVar("T", bound=Struct)

_LONGEST_YAML = 1024 * 1024


class Written(ABC):
    """What a file says (`content`); every refusal is an `error` that names the file and the line."""

    content: dict[str, Any]

    def __init__(self, name: str, error: type[InvalidRequest]) -> None:
        self.name = name
        self._error = error

    @abstractmethod
    def line_of(self, path: Sequence[str]) -> int | None:
        """The line on which a key stands, or else the last of those around it; null where it is not seen."""

    def bad(self, path: Sequence[str], why: str) -> InvalidRequest:
        """What to raise where the value at `path` cannot be."""
        line = self.line_of(path)
        return self._error(f"{self.name}{f', line {line}' if line else ''}: {why}.")

    def table(self, path: Sequence[str], value: object) -> dict[str, Any]:
        """The value at `path`, which has to be a table; none is an empty one."""
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise self.bad(path, f"{path[-1] if path else 'the file'}: settings by their names, not {value!r}"[:200])
        return value

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


class WrittenToml(Written):
    """A file in TOML.

    Raises:
        InvalidRequest: as the given `error`: it is not TOML.
    """

    def __init__(self, text: str, name: str, error: type[InvalidRequest]) -> None:
        super().__init__(name, error)
        self._text = text
        try:
            self.content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as wrong:
            raise error(f"{name} is not TOML: {wrong}.") from None

    def line_of(self, path: Sequence[str]) -> int | None:
        table: list[str] = []
        best, line = 0, None
        for number, written in enumerate(self._text.splitlines(), 1):
            header = re.match(r"\s*\[+([^\]]+)\]", written)
            if header:
                found = table = _parts(header[1])
            else:
                key = re.match(r"\s*([A-Za-z0-9_.\"' -]+?)\s*=", written)
                found = [*table, *_parts(key[1])] if key else []
            if found and len(found) > best and list(path[: len(found)]) == found:
                best, line = len(found), number
        return line


class WrittenYaml(Written):
    """A file in YAML: one document without anchors, since a few lines of them can stand for millions.

    Raises:
        InvalidRequest: as the given `error`: it is not such a file.
    """

    def __init__(self, text: str, name: str, error: type[InvalidRequest]) -> None:
        super().__init__(name, error)
        if len(text) > _LONGEST_YAML:
            raise error(f"{name} is longer than {_LONGEST_YAML:,} characters.")
        loader = yaml.SafeLoader(text)
        try:
            self._check_anchors(text)
            node = loader.get_single_node()
            self._lines = dict(self._keys(node, ()))
            content = None if node is None else loader.construct_document(node)
        except yaml.MarkedYAMLError as wrong:
            line = "" if wrong.problem_mark is None else f", line {_line(wrong.problem_mark)}"
            raise error(f"{name}{line}: this is not YAML: {wrong.problem or wrong.context}.") from None
        except (yaml.YAMLError, ValueError, RecursionError) as wrong:
            raise error(f"{name} is not YAML: {str(wrong).splitlines()[0]}.") from None
        finally:
            loader.dispose()
        self.content = self.table((), content)

    def line_of(self, path: Sequence[str]) -> int | None:
        for length in range(len(path), 0, -1):
            if tuple(path[:length]) in self._lines:
                return self._lines[tuple(path[:length])]
        return None

    def _check_anchors(self, text: str) -> None:
        for event in yaml.parse(text, yaml.SafeLoader):
            if getattr(event, "anchor", None) is not None:
                raise self._error(f"{self.name}, line {_line(event.start_mark)}: anchors are not taken: write it out.")

    def _keys(self, node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
        """Every key by its path, with its line; that of a value where its list begins."""
        if not isinstance(node, yaml.MappingNode):
            return
        seen: set[str] = set()
        for key, value in node.value:
            name, line = str(key.value), _line(key.start_mark)
            if name in seen:
                raise self._error(f"{self.name}, line {line}: {name!r} stands here twice.")
            seen.add(name)
            yield (*path, name), line
            yield from self._keys(value, (*path, name))


def _line(mark: Any) -> int:
    """PyYAML counts from 0."""
    return int(mark.line) + 1


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]
