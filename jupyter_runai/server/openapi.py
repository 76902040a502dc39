"""The REST interface as an OpenAPI 3.1 document, made from the routes and the structs that they name.

`python -m jupyter_runai.server.openapi` writes it to the standard output, with what the WebSocket carries.
"""

from __future__ import annotations

import inspect
import re
import sys
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec

from jupyter_runai.server.messages import ClientMessage, ServerMessage
from jupyter_runai.server.routes import ROUTES, Route
from jupyter_runai.server.wire import TextStream
from scheduler_core.errors import ErrorRecord

_TEMPLATE = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)\}")
_STREAM = {"ClientMessage": ClientMessage, "ServerMessage": ServerMessage}


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON schema (2020-12) of one type."""
    schema: dict[str, Any] = _described(msgspec.json.schema(kind))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


@cache
def document() -> dict[str, Any]:
    """The whole interface."""
    schemas, components = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(f"/{route.path}", {})[route.method.lower()] = _operation(route, schemas)
    named = {name: schemas[kind] for name, kind in _STREAM.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jupyter-runai",
            "version": version("jupyter-runai"),
            "description": "GPUs and workloads. Times are seconds since the epoch, portions thousandths of a device.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/jupyter-runai", "description": "below the Jupyter server's base URL"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {**components, **named},
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`token TOKEN`, the Jupyter server's.",
                }
            },
        },
    }


def _schemas() -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    """The schema of each type that a route or the stream names, and the components that these refer to."""
    kinds: dict[Any, None] = {ErrorRecord: None, **dict.fromkeys(_STREAM.values())}
    for route in ROUTES:
        types = route.signature
        kinds |= dict.fromkeys(types[part] for part in ("body", "return") if types.get(part) in _structs(types))
    found, components = msgspec.json.schema_components(kinds, ref_template=_TEMPLATE)
    _, taken = msgspec.json.schema_components(_inputs(), ref_template=_TEMPLATE)
    for name in components.keys() - taken.keys():
        # Whoever asks may leave out what has a default; an answer leaves out nothing.
        components[name]["required"] = list(components[name]["properties"])
    return dict(zip(kinds, found, strict=True)), _described(components)


def _inputs() -> list[Any]:
    bodies = [types["body"] for types in (route.signature for route in ROUTES) if "body" in types]
    return [ClientMessage, *bodies]


def _structs(types: dict[str, Any]) -> list[Any]:
    return [kind for kind in types.values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]


def _operation(route: Route, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    types = route.signature
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": inspect.getdoc(route.verb),
        "description": f"Asks the authoriser for `{route.action}` on `{route.resource}`.",
        "parameters": [*_path_parameters(route), *_query_parameters(types.get("query"))],
        "responses": {str(route.status): _answer(route, schemas), "default": _refusal(schemas)},
    }
    if "body" in types:
        content = {"application/json": {"schema": schemas[types["body"]]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]


def _query_parameters(kind: type[msgspec.Struct] | None) -> list[dict[str, Any]]:
    if kind is None:
        return []
    schema = msgspec.json.schema(kind)["$defs"][kind.__name__]
    return [
        {"name": name, "in": "query", "description": inspect.getdoc(kind), "schema": of_it}
        for name, of_it in schema["properties"].items()
    ]


def _answer(route: Route, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    kind = route.signature["return"]
    answer: dict[str, Any] = {"description": HTTPStatus(route.status).phrase}
    if kind is TextStream:
        answer["content"] = {route.media: {"schema": {"type": "string"}}}
    elif kind is not type(None):
        answer["content"] = {route.media: {"schema": schemas.get(kind, {"type": "object"})}}
    return answer


def _refusal(schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    return {"description": "A refusal.", "content": {"application/json": {"schema": schemas[ErrorRecord]}}}


def _described(schema: Any) -> Any:
    """The schema with its descriptions, which come from docstrings, free of their indentation."""
    if isinstance(schema, list):
        return [_described(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: inspect.cleandoc(part) if name == "description" and isinstance(part, str) else _described(part)
        for name, part in schema.items()
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document()), indent=2) + b"\n")
