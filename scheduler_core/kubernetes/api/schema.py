"""From our structs to what the Kubernetes API validates: a structural schema of OpenAPI 3.0."""

from __future__ import annotations

from collections.abc import Collection
from inspect import cleandoc
from typing import Any

import msgspec

from scheduler_core.kubernetes.api.connection import Json

_KEPT = (
    "description",
    "type",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "required",
)
_SHARE = r"^0?\.([1-9][0-9]{0,2}|0[1-9][0-9]?|00[1-9])0*$"
"""Whole thousandths of a device above 0 and below 1."""
_OF_ENUM = {str: "string", int: "integer", bool: "boolean"}


def structural_schema(struct: type[msgspec.Struct], leave_out: Collection[str] = ()) -> Json:
    """The schema of a struct, with the descriptions that its docstrings are, without the fields `leave_out`."""
    whole = msgspec.json.schema(struct)
    schema = _structural(whole, whole["$defs"])
    for name in leave_out:
        del schema["properties"][name]
    return schema


def _structural(schema: Json, known: Json) -> Json:
    if "$ref" in schema:
        return _structural(known[schema["$ref"].rpartition("/")[2]], known)
    if "anyOf" in schema:
        return _one_of(schema["anyOf"], known)
    found: Json = {name: schema[name] for name in _KEPT if name in schema}
    if "description" in found:
        found["description"] = cleandoc(found["description"])
    if "enum" in found:
        found["type"] = _OF_ENUM[type(found["enum"][0])]
    if "exclusiveMinimum" in schema:
        found |= {"minimum": schema["exclusiveMinimum"], "exclusiveMinimum": True}
    if found.get("type") == "integer":
        found["format"] = "int64"
    if "items" in schema:
        found["items"] = _structural(schema["items"], known)
    if isinstance(schema.get("default"), str | int | float):
        found["default"] = schema["default"]
    if "properties" in schema:
        found["properties"] = {name: _structural(part, known) for name, part in schema["properties"].items()}
    elif schema.get("type") == "object":
        found |= _mapping(schema.get("additionalProperties"), known)
    return found


def _mapping(values: Any, known: Json) -> Json:
    if isinstance(values, dict) and values:
        return {"additionalProperties": _structural(values, known)}
    return {"x-kubernetes-preserve-unknown-fields": True}


def _one_of(choices: list[Json], known: Json) -> Json:
    """A value that may be null, or devices: a whole number, or a share as a text, as Kubernetes writes quantities."""
    named = [choice for choice in choices if choice.get("type") != "null"]
    nullable: Json = {"nullable": True} if len(named) < len(choices) else {}
    if len(named) == 1:
        return _structural(named[0], known) | nullable
    return {"x-kubernetes-int-or-string": True, "pattern": _SHARE} | nullable
