"""A form from a JSON schema: its fields, what is filled in as text, and back."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from jupyter_runai.widgets import strings
from scheduler_core.errors import InvalidRequest

Shape: TypeAlias = Literal["text", "words", "pairs", "counts", "integer", "number", "amount", "flag", "choice"]
Schema: TypeAlias = Mapping[str, Any]
Filled: TypeAlias = str | bool


class Field(Struct, frozen=True, kw_only=True):
    """One field by its path, such as `request.gpu`; optional ones may be left empty."""

    path: str
    label: str
    shape: Shape
    is_required: bool
    is_nullable: bool
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None

    def shown(self, value: Any) -> Filled:
        """A value as it is filled in."""
        if self.shape == "flag" and not self.is_nullable:
            return bool(value)
        return "" if value is None else _text(value)

    def read(self, filled: Filled) -> Any:
        """What is filled in as a value; null where nothing is.

        Raises:
            InvalidRequest: it is no such value; the sentence names the field.
        """
        if isinstance(filled, bool):
            return filled
        if not filled.strip():
            if self.is_required:
                raise InvalidRequest(strings.REQUIRED.format(self.label))
            return None
        return _READERS[self.shape](self.label, filled.strip())


def fields_of(schema: Schema) -> tuple[Field, ...]:
    """The fields of a struct's schema as msgspec writes it, those of structs inside of it among them."""
    return tuple(_fields(schema, schema, ""))


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by path as the struct has them; what is null is left out."""
    whole: dict[str, Any] = {}
    for path, value in values.items():
        *outer, name = path.split(".")
        at = whole
        for step in outer:
            at = at.setdefault(step, {})
        if value is not None:
            at[name] = value
    return whole


def _fields(node: Schema, schema: Schema, prefix: str) -> Iterator[Field]:
    struct = _resolved(node, schema)
    for name, part in struct["properties"].items():
        path = f"{prefix}{name}"
        if "$ref" in part:
            yield from _fields(part, schema, f"{path}.")
        else:
            yield _field(path, part, name in struct["required"])


def _resolved(node: Schema, schema: Schema) -> Schema:
    found: Schema = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return found


def _field(path: str, node: Schema, is_required: bool) -> Field:
    every = node.get("anyOf", [node])
    parts = [part for part in every if part.get("type") != "null"]
    bounds = parts[0]
    return Field(
        path=path,
        label=_label(path.rpartition(".")[2]),
        shape=_shape(parts),
        is_required=is_required,
        is_nullable=len(parts) < len(every),
        choices=tuple(bounds.get("enum", ())),
        least=bounds.get("minimum", bounds.get("exclusiveMinimum")),
        most=bounds.get("maximum"),
    )


def _label(name: str) -> str:
    """A field's name in words, its unit in brackets: max run (s)."""
    stem, _, unit = name.rpartition("_")
    words = f"{stem} ({strings.UNITS[unit]})" if unit in strings.UNITS else name
    return words.replace("_", " ")


def _shape(parts: list[Schema]) -> Shape:
    if "enum" in parts[0]:
        return "choice"
    if len(parts) > 1:
        return "amount"
    if parts[0]["type"] == "object":
        return "pairs" if parts[0]["additionalProperties"]["type"] == "string" else "counts"
    return _SHAPES[parts[0]["type"]]


def _text(value: Any) -> str:
    match value:
        case bool():
            return strings.YES if value else strings.NO
        case Mapping():
            return "\n".join(f"{name}={one}" for name, one in value.items())
        case tuple() | list():
            return shlex.join(value)
        case float():
            return f"{value:g}"
    return str(value)


def _integer(label: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidRequest(strings.NOT_WHOLE.format(label, text)) from None


def _number(label: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidRequest(strings.NOT_NUMBER.format(label, text)) from None


def _words(label: str, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InvalidRequest(strings.NOT_WORDS.format(label, error)) from None


def _pairs(label: str, text: str) -> dict[str, str]:
    pairs = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, value = line.partition("=")
        if not equals or not name:
            raise InvalidRequest(strings.NOT_PAIR.format(label, line))
        pairs[name] = value
    return pairs


_SHAPES: Mapping[str, Shape] = {
    "array": "words",
    "boolean": "flag",
    "integer": "integer",
    "number": "number",
    "string": "text",
}
_READERS: Mapping[Shape, Callable[[str, str], Any]] = {
    "text": lambda _, text: text,
    "choice": lambda _, text: text,
    "amount": lambda _, text: int(text) if text.isdecimal() else text,
    "flag": lambda _, text: text == strings.YES,
    "integer": _integer,
    "number": _number,
    "words": _words,
    "pairs": _pairs,
    "counts": lambda label, text: {name: _integer(label, value) for name, value in _pairs(label, text).items()},
}
