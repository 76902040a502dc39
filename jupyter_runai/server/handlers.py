"""From a route to its handler: authenticated, authorised, JSON in and out, and errors as {code, message, hint}."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import aclosing, suppress
from http import HTTPStatus
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.iostream import StreamClosedError

from jupyter_runai.server.routes import ROUTES, Route
from jupyter_runai.server.stream import StreamHandler
from jupyter_runai.server.verbs import Context
from jupyter_runai.server.wire import TextStream
from scheduler_core.errors import EngineDefect, ErrorRecord, InvalidRequest, NotAllowed, NotFound, RunaiError
from scheduler_core.requests import decoded

T = TypeVar("T")

_PARAMETER = re.compile(r"\{\w+\}")
_ID = "([0-9a-zA-Z._-]+)"


class Handler(APIHandler):
    """What all routes share. Looking at the panel keeps no idle server alive."""

    _track_activity = False

    @property
    def context(self) -> Context:
        return Context(
            self.settings["runai_client"].engine,
            Path(self.settings["server_root_dir"]).expanduser(),
            self.kernel_manager,
            self.kernel_spec_manager,
        )

    def query(self, kind: type[T]) -> T:
        """The query's arguments; those that the route does not know are other layers'.

        Raises:
            InvalidRequest: one has a value that it cannot have.
        """
        given = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        try:
            return msgspec.convert(given, kind, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"The request is not valid: {error}.") from None

    async def send(self, text: TextStream, media: str) -> None:
        """Send text as it comes, no faster than it is taken."""
        async with aclosing(text.pieces) as pieces:
            # What cannot be read is refused before anything is sent.
            piece = await anext(pieces, b"")
            kind = f"{media}; charset=utf-8"
            self.set_header("Content-Type", kind)
            if text.saved_as is not None:
                self.set_header("Content-Disposition", f'attachment; filename="{text.saved_as}"')
            with suppress(StreamClosedError):
                while piece:
                    self.write(piece)
                    await self.flush()
                    piece = await anext(pieces, b"")
                await self.finish(set_content_type=kind)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        record = self._record(kwargs.get("exc_info", (None, None, None))[1])
        if isinstance(record, RunaiError):
            self.set_status(record.status)
            record = record.record()
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(record))

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        if self._headers_written:
            # A proper end would let a part look like the whole.
            self.detach().close()
            return
        super().send_error(status_code, **kwargs)

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        if not isinstance(value, RunaiError):
            super().log_exception(typ, value, tb)

    def _record(self, error: BaseException | None) -> RunaiError | ErrorRecord:
        if isinstance(error, RunaiError):
            return error
        if not isinstance(error, web.HTTPError):
            return EngineDefect("The server extension failed on this request.", "The Jupyter server's log says why.")
        if self.current_user is None:
            message = "You are not logged in to this Jupyter server, or not any more."
            return ErrorRecord(code="not_logged_in", message=message, hint="Log in again.")
        code = {HTTPStatus.FORBIDDEN: NotAllowed.code, HTTPStatus.NOT_FOUND: NotFound.code}.get(
            HTTPStatus(error.status_code), InvalidRequest.code
        )
        return ErrorRecord(code=code, message=error.log_message or HTTPStatus(error.status_code).phrase, hint="")


class UnknownHandler(Handler):
    """Anything else."""

    @web.authenticated
    async def get(self) -> None:
        raise NotFound(f"The server extension has no {self.request.path}.")

    post = delete = get


def handlers() -> list[tuple[str, type[Any]]]:
    """The pattern of each path, below the extension's own, and its handler."""
    found: list[tuple[str, type[Any]]] = [
        (_PARAMETER.sub(_ID, path.replace(".", r"\.")), handler_of(routes))
        for path, routes in groupby(sorted(ROUTES, key=lambda route: route.path), key=lambda route: route.path)
    ]
    return [*found, ("stream", StreamHandler), (".*", UnknownHandler)]


def handler_of(routes: Iterable[Route]) -> type[Handler]:
    """The handler of one path's routes."""
    return type("RouteHandler", (Handler,), {route.method.lower(): _method(route) for route in routes})


def _method(route: Route) -> Any:
    types = route.signature

    @web.authenticated
    @authorized(route.action, resource=route.resource)
    async def method(handler: Handler, *path: str) -> None:
        arguments: dict[str, Any] = {}
        if "body" in types:
            arguments["body"] = decoded(handler.request.body, types["body"])
        if "query" in types:
            arguments["query"] = handler.query(types["query"])
        answer = await route.verb(handler.context, *path, **arguments)
        if isinstance(answer, TextStream):
            await handler.send(answer, route.media)
            return
        handler.set_status(route.status)
        await handler.finish(None if answer is None else msgspec.json.encode(answer))

    return method
