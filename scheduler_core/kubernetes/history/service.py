"""Answers what was, to whoever shows the token of a namespace, or that of all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, get_args

import msgspec
from msgspec.structs import replace
from tornado.web import HTTPError, RequestHandler

from scheduler_core.accounting.past import QueueHistory
from scheduler_core.accounting.usage import MOST_GROUPS, Usage, UsageBy, UsageStep
from scheduler_core.errors import InvalidRequest, RunaiError
from scheduler_core.kubernetes.api.blobs import TOKEN_HEADER
from scheduler_core.kubernetes.api.history import Keeping, Said
from scheduler_core.kubernetes.history.tokens import Tokens

_NAME = r"([a-z0-9.-]{1,253})"
_log = logging.getLogger(__name__)


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Who knows what is asked about."""

    keeping: Keeping
    usage: Callable[[UsageBy, float, float | None, UsageStep, int, str], Awaitable[Usage]]
    queue_history: Callable[[float, float | None, UsageStep], Awaitable[QueueHistory]]
    log: Callable[[str, str, int, float], Said | None]


def routes(answers: Callable[[], Answers | None], tokens: Tokens) -> Sequence[Any]:
    """The routes of a tornado application; `answers` are null while the controller has just begun."""
    known = {"answers": answers, "tokens": tokens}
    return (
        (r"/history", _KeepingHandler, known),
        (r"/history/all/(usage|queues)", _AllHandler, known),
        (rf"/history/namespaces/{_NAME}/(usage|queues)", _NamespaceHandler, known),
        (rf"/history/namespaces/{_NAME}/logs/{_NAME}/([0-9]{{1,6}})", _LogHandler, known),
    )


class _Handler(RequestHandler):
    def initialize(self, answers: Callable[[], Answers | None], tokens: Tokens) -> None:
        self._find = answers
        self._tokens = tokens

    @property
    def answers(self) -> Answers:
        found = self._find()
        if found is None:
            raise HTTPError(503, "the history is not open yet")
        return found

    def check(self, namespace: str | None) -> None:
        if not self._tokens.opens(self.request.headers.get(TOKEN_HEADER, ""), namespace):
            raise HTTPError(403)

    async def tell(self, what: str, namespace: str | None) -> None:
        since, until = self._number("since") or 0.0, self._number("until")
        step = self._word("step", UsageStep, "all")
        try:
            if what == "queues":
                self._write(await self.answers.queue_history(since, until, step))
                return
            by, most = self._word("by", UsageBy, "project"), round(self._number("most") or MOST_GROUPS)
            prefix = "" if namespace is None else f"{namespace}/"
            found = await self.answers.usage(by, since, until, step, most, prefix)
        except InvalidRequest as error:
            self._refuse(400, error)
        except RunaiError as error:
            self._refuse(503, error)
        else:
            self._write(replace(found, namespace=namespace))

    def _write(self, answer: msgspec.Struct) -> None:
        self.set_header("Content-Type", "application/json")
        self.write(msgspec.json.encode(answer))

    def _refuse(self, status: int, error: RunaiError) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.write(msgspec.json.encode({"message": str(error)}))

    def _number(self, name: str) -> float | None:
        said = self.get_query_argument(name, "")
        try:
            return float(said) if said else None
        except ValueError:
            raise HTTPError(400) from None

    def _word(self, name: str, kind: Any, default: str) -> Any:
        said = self.get_query_argument(name, default)
        if said not in get_args(kind):
            raise HTTPError(400)
        return said

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        if not isinstance(value, HTTPError):
            _log.error("History could not be told: %r", value)


class _KeepingHandler(_Handler):
    """How long what is kept: that is no secret."""

    def get(self) -> None:
        self._write(self.answers.keeping)


class _AllHandler(_Handler):
    async def get(self, what: Literal["usage", "queues"]) -> None:
        self.check(None)
        await self.tell(what, None)


class _NamespaceHandler(_Handler):
    """Of usage that of the namespace; what queues hold everybody may see."""

    async def get(self, namespace: str, what: Literal["usage", "queues"]) -> None:
        self.check(namespace)
        await self.tell(what, namespace)


class _LogHandler(_Handler):
    async def get(self, namespace: str, workload: str, task: str) -> None:
        self.check(namespace)
        since = self._number("since") or 0.0
        try:
            found = await asyncio.to_thread(self.answers.log, namespace, workload, int(task), since)
        except RunaiError as error:
            self._refuse(503, error)
            return
        if found is None:
            raise HTTPError(404)
        self.set_header("Content-Type", "application/octet-stream")
        self.write(b"%d\n" % found.first)
        self.write(found.data)
