"""Who may do what: without a token nothing, with a read-only authoriser no change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado.httpclient import HTTPClientError

from jupyter_runai.server.handlers import ROUTES

ID = "0badc0de"


class OnlyRead(Authorizer):
    """Reads everything, changes nothing."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        asked.append((action, resource))
        return action == "read"


class Nobody(Authorizer):
    """Refuses everything."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return False


asked: list[tuple[str, str]] = []


def requests() -> list[tuple[str, str]]:
    """Every method of every route, with an id where it takes one."""
    found = []
    for path, handler in ROUTES:
        place = path.replace("([0-9a-zA-Z_-]+)", ID)
        found += [
            (method.upper(), place)
            for method in ("get", "post", "delete")
            if method in vars(handler) and place != "stream"
        ]
    return found


def body(method: str) -> str | None:
    return '{"devices": null}' if method == "POST" else None


def test_every_route_is_tried() -> None:
    assert len(requests()) == 13


@pytest.mark.parametrize(("method", "path"), requests())
async def test_nothing_is_answered_without_a_token(jp_fetch: Any, method: str, path: str) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(
            "jupyter-runai", path, method=method, body=body(method), headers={"Authorization": "token wrong"}
        )
    assert refused.value.code == 403


async def test_the_stream_needs_a_token(jp_ws_fetch: Any) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_ws_fetch("jupyter-runai", "stream", headers={"Authorization": "token wrong"})
    assert refused.value.code == 403


class TestReadOnly:
    """With an authoriser that lets people look."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> dict[str, Any]:
        asked.clear()
        jp_server_config["ServerApp"]["authorizer_class"] = OnlyRead
        return jp_server_config

    @pytest.mark.parametrize(("method", "path"), [known for known in requests() if known[0] != "GET"])
    async def test_no_change_is_let_through(self, jp_fetch: Any, method: str, path: str) -> None:
        with pytest.raises(HTTPClientError) as refused:
            await jp_fetch("jupyter-runai", path, method=method, body=body(method))
        assert refused.value.code == 403
        assert asked[-1][0] == "write"
        assert asked[-1][1].startswith("runai:")

    async def test_looking_is(self, jp_fetch: Any, jp_ws_fetch: Any, simulated: Path) -> None:
        assert (await jp_fetch("jupyter-runai", "workloads")).code == 200
        assert asked[-1] == ("read", "runai:workloads")
        stream = await jp_ws_fetch("jupyter-runai", "stream")
        assert await stream.read_message()
        stream.close()


class TestRefused:
    """With an authoriser that refuses."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> dict[str, Any]:
        jp_server_config["ServerApp"]["authorizer_class"] = Nobody
        return jp_server_config

    async def test_the_stream_is_refused_before_it_opens(self, jp_ws_fetch: Any) -> None:
        with pytest.raises(HTTPClientError) as refused:
            await jp_ws_fetch("jupyter-runai", "stream")
        assert refused.value.code == 403
