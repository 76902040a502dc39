"""Who may do what: without a token nothing, with a read-only authoriser no change, and of several users one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.auth.identity import PasswordIdentityProvider, User
from tornado.httpclient import HTTPClientError

from jupyter_runai.client import AsyncClient
from jupyter_runai.server.routes import ROUTES, Route
from tests.helpers import spec

BASE = "jupyter-runai"
ID = "0badc0de"
EVERY = pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
CHANGES = pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if route.action == "write"],
    ids=lambda route: f"{route.method} {route.path}",
)
STRANGER = {"Authorization": "token wrong"}


class OnlyRead(Authorizer):
    """Reads everything, changes nothing."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        asked.append((action, resource))
        return action == "read"


class Nobody(Authorizer):
    """Refuses everything."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return False


class OnlyAna(Authorizer):
    """Lets one user in, of several who are known."""

    def is_authorized(self, handler: Any, user: User, action: str, resource: str) -> bool:
        return user.username == "ana"


class ByHeader(PasswordIdentityProvider):
    """Knows people by a header, as a hub's proxy does."""

    def get_user(self, handler: Any) -> User | None:
        name = handler.request.headers.get("X-User", "")
        return User(name) if name else None


asked: list[tuple[str, str]] = []


async def refusal(jp_fetch: Any, route: Route, **options: Any) -> dict[str, Any]:
    """The record with which a request is refused as 403."""
    place = route.path.replace("{workload_id}", ID).replace("{name}", ID)
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(BASE, place, method=route.method, body="{}" if route.method == "POST" else None, **options)
    assert refused.value.code == 403
    assert refused.value.response is not None
    record: dict[str, Any] = json.loads(refused.value.response.body)
    assert record.keys() == {"code", "message", "hint"}
    return record


def test_every_route_is_tried() -> None:
    assert len(ROUTES) == 39
    looks = ("preview", "policy/check")
    assert {route.action for route in ROUTES if route.method != "GET" and route.path not in looks} == {"write"}


@EVERY
async def test_nothing_is_answered_without_a_token(jp_fetch: Any, route: Route) -> None:
    assert (await refusal(jp_fetch, route, headers=STRANGER))["code"] == "not_logged_in"


async def test_not_even_that_there_is_nothing_there(jp_fetch: Any) -> None:
    for method, body in (("GET", None), ("POST", ""), ("DELETE", None)):
        with pytest.raises(HTTPClientError) as refused:
            await jp_fetch(BASE, "no", "such", "path", method=method, body=body, headers=STRANGER)
        assert refused.value.code == 403


async def test_the_stream_needs_a_token(jp_ws_fetch: Any) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_ws_fetch(BASE, "stream", headers=STRANGER)
    assert refused.value.code == 403


class TestReadOnly:
    """With an authoriser that lets people look."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> dict[str, Any]:
        asked.clear()
        jp_server_config["ServerApp"]["authorizer_class"] = OnlyRead
        return jp_server_config

    @CHANGES
    async def test_no_change_is_let_through(self, jp_fetch: Any, route: Route) -> None:
        assert (await refusal(jp_fetch, route))["code"] == "not_allowed"
        assert asked[-1] == ("write", route.resource)

    async def test_looking_is(self, jp_fetch: Any, jp_ws_fetch: Any, simulated: Path) -> None:
        workload = await AsyncClient().engine.submit(spec())
        for route in ROUTES:
            if route.method == "GET":
                place = route.path.replace("{workload_id}", workload.id)
                assert (await jp_fetch(BASE, place)).code == 200
                assert asked[-1] == ("read", route.resource)
        stream = await jp_ws_fetch(BASE, "stream")
        assert await stream.read_message()
        stream.close()

    async def test_and_so_is_a_preview(self, jp_fetch: Any, simulated: Path) -> None:
        body = json.dumps({"command": ["/bin/true"], "cwd": "/"})
        assert (await jp_fetch(BASE, "preview", method="POST", body=body)).code == 200


class TestAnotherUser:
    """Of several users of one server, only one may use it."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> dict[str, Any]:
        jp_server_config["ServerApp"] |= {
            "authorizer_class": OnlyAna,
            "identity_provider_class": ByHeader,
            # What is asked here is not a browser that somebody else's page could use.
            "disable_check_xsrf": True,
        }
        return jp_server_config

    @EVERY
    async def test_is_refused_everywhere(self, jp_fetch: Any, route: Route) -> None:
        record = await refusal(jp_fetch, route, headers={"X-User": "ben"})
        assert record["code"] == "not_allowed"
        assert f"not authorized to {route.action} on resource: {route.resource}" in record["message"]

    async def test_is_refused_the_stream(self, jp_ws_fetch: Any) -> None:
        with pytest.raises(HTTPClientError) as refused:
            await jp_ws_fetch(BASE, "stream", headers={"X-User": "ben"})
        assert refused.value.code == 403

    async def test_while_the_one_is_answered(self, jp_fetch: Any, jp_ws_fetch: Any, simulated: Path) -> None:
        assert (await jp_fetch(BASE, "workloads", headers={"X-User": "ana"})).code == 200
        stream = await jp_ws_fetch(BASE, "stream", headers={"X-User": "ana"})
        assert await stream.read_message()
        stream.close()


class TestRefused:
    """With an authoriser that refuses."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> dict[str, Any]:
        jp_server_config["ServerApp"]["authorizer_class"] = Nobody
        return jp_server_config

    @EVERY
    async def test_nothing_is_answered(self, jp_fetch: Any, route: Route) -> None:
        assert (await refusal(jp_fetch, route))["code"] == "not_allowed"

    async def test_the_stream_is_refused_before_it_opens(self, jp_ws_fetch: Any) -> None:
        with pytest.raises(HTTPClientError) as refused:
            await jp_ws_fetch(BASE, "stream")
        assert refused.value.code == 403
