"""How the daemon answers a request: who asks, whether they may, and what an error looks like."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, get_args

import msgspec
from tornado.web import RequestHandler

from scheduler_core.errors import EngineDefect, InvalidRequest, RunaiError
from scheduler_core.local.access.callers import Right
from scheduler_core.local.serving.service import Service

_log = logging.getLogger(__name__)

DECIDES: Mapping[str, Right] = {"POST": "decide", "DELETE": "decide"}
READS: Mapping[str, Right] = {"GET": "read"}
ADMINISTERS: Mapping[str, Right] = {"POST": "administer"}
"""The rights that a handler's methods take."""


class Answering(RequestHandler):
    """The door: who asks, and whether they may (`rights`, by method); errors leave as records of the exception tree."""

    rights: ClassVar[Mapping[str, Right]] = {}
    service: Service

    def prepare(self) -> None:
        self.caller = self.service.callers.of(self.request)
        right = self.rights.get(self.request.method or "", "see")
        if right == "administer":
            self.caller.check_administers()
        elif right != "see":
            self.caller.check(right, self.service.anywhere(self.path_args[0]))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = _explained(kwargs.get("exc_info", (None, None, None))[1], status_code)
        self.set_status(error.status)
        self.finish(msgspec.json.encode(error.record()))

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        if not isinstance(value, RunaiError):
            _log.error("A request failed: %s", self.request.path, exc_info=value)


class Handler(Answering):
    """JSON in, JSON out."""

    def initialize(self, service: Service, restart: Callable[[], None]) -> None:
        self.service = service
        self.restart = restart

    def set_default_headers(self) -> None:
        self.set_header("Content-Type", "application/json")

    def compute_etag(self) -> None:
        """No client of ours asks whether an answer has changed, and a hash of a long list is a tenth of its cost."""

    def answer(self, value: object) -> None:
        self.write(msgspec.json.encode(value))


def chosen(word: str, words: Any) -> Any:
    """A word of a query, where it is one of these."""
    if word not in get_args(words):
        raise InvalidRequest(f"{word!r} is none of {', '.join(get_args(words))}.")
    return word


def whole_number(text: str) -> int:
    """A whole number as it comes in a query; 0 for anything else."""
    return int(text[:18]) if text.isdecimal() and text.isascii() else 0


def signed_number(text: str) -> int:
    """The same, where it may be below zero."""
    return -whole_number(text[1:]) if text.startswith("-") else whole_number(text)


def _explained(error: BaseException | None, status: int) -> RunaiError:
    if isinstance(error, RunaiError):
        return error
    if status in (InvalidRequest.status, 405):
        return InvalidRequest("The engine does not take such a request.")
    return EngineDefect("The engine failed on this request; its log says more.")
