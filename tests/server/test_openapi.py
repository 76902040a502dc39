"""The document that describes the REST interface: valid, fresh, and true."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate
from tornado.httpclient import HTTPClientError

from jupyter_runai.client import AsyncClient
from jupyter_runai.server.routes import ROUTES, Route
from tests.helpers import UNTIL_STOPPED, spec

BASE = "jupyter-runai"
FRONT_END = Path(__file__).parents[2] / "labextension"


async def served_document(jp_fetch: Any) -> dict[str, Any]:
    """The document that a server serves."""
    served: dict[str, Any] = json.loads((await jp_fetch(BASE, "openapi.json")).body)
    return served


def check(value: Any, schema: Any, document: dict[str, Any]) -> None:
    """Raise where a value is not as a schema of the document says."""
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def operation(document: dict[str, Any], route: Route) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][f"/{route.path}"][route.method.lower()]
    return found


async def test_it_is_valid_and_has_every_route(jp_fetch: Any) -> None:
    document = await served_document(jp_fetch)
    validate(document)
    assert document["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(route.method, f"/{route.path}") for route in ROUTES}
    names = [operation(document, route)["operationId"] for route in ROUTES]
    assert len(set(names)) == len(names)


async def test_answers_are_as_it_says(jp_fetch: Any) -> None:
    document = await served_document(jp_fetch)
    engine = AsyncClient().engine
    await engine.submit(spec(UNTIL_STOPPED, gpu="0.5", grace_s=0, tasks=2))
    workload = await engine.submit(spec(gpu=2))
    checked = 0
    for route in ROUTES:
        if route.method != "GET" or route.media != "application/json":
            continue
        answer = await jp_fetch(BASE, route.path.replace("{workload_id}", workload.id))
        content = operation(document, route)["responses"][str(answer.code)]["content"]
        check(json.loads(answer.body), content["application/json"]["schema"], document)
        checked += 1
    assert checked == 19


async def test_refusals_are_as_it_says(jp_fetch: Any) -> None:
    document = await served_document(jp_fetch)
    for route in ROUTES:
        if "{workload_id}" not in route.path:
            continue
        body = '{"tasks": 1}' if route.path.endswith("/scale") else "{}"
        with pytest.raises(HTTPClientError) as refused:
            await jp_fetch(
                BASE,
                route.path.replace("{workload_id}", "0badc0de"),
                method=route.method,
                body=body if route.method == "POST" else None,
            )
        assert refused.value.code == 404
        assert refused.value.response is not None
        refusal = operation(document, route)["responses"]["default"]["content"]["application/json"]["schema"]
        check(json.loads(refused.value.response.body), refusal, document)


async def test_the_stream_is_as_it_says(jp_fetch: Any, jp_ws_fetch: Any) -> None:
    document = await served_document(jp_fetch)
    stream = await jp_ws_fetch(BASE, "stream")
    workload = await AsyncClient().engine.submit(spec(gpu="0.5"))
    message = {"type": "follow", "workload": workload.id}
    check(message, document["components"]["schemas"]["ClientMessage"], document)
    stream.write_message(json.dumps(message))
    seen = set()
    async with aclosing(_messages(stream)) as messages:
        async for said in messages:
            check(said, document["components"]["schemas"]["ServerMessage"], document)
            seen.add(said["type"])
            if seen >= {"state", "workload", "devices", "log", "log_end"}:
                break
    stream.close()


async def _messages(stream: Any) -> AsyncGenerator[dict[str, Any], None]:
    while (message := await stream.read_message()) is not None:
        yield json.loads(message)


def test_the_front_end_is_made_from_this_one() -> None:
    """When it fails: `python -m jupyter_runai.server.openapi > openapi.json && npm run api`, in labextension."""
    command = [sys.executable, "-m", "jupyter_runai.server.openapi"]
    written = subprocess.run(command, check=True, capture_output=True).stdout
    assert (FRONT_END / "openapi.json").read_bytes() == written
