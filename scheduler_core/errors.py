"""The one exception tree of the project.

RunaiError
├── InvalidRequest       400  the request itself is wrong
├── NotAllowed           403  the caller may not do this
├── NotFound             404  no such workload, queue or device
├── Conflict             409  right request, wrong moment
├── TooLarge             413  a value is over the configured size
├── StorageFull          507  no space left where the engine writes
├── EngineUnavailable    503  no engine answers
└── EngineDefect         500  ours to mend
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec


class ErrorRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An error as it travels: `code` for programs, `message` and `hint` for people."""

    code: str
    message: str
    hint: str = ""


class RunaiError(Exception):
    """A refusal a person can act on: `message` says what happened, `hint` what to do."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def record(self) -> ErrorRecord:
        return ErrorRecord(code=self.code, message=self.message, hint=self.hint)


class InvalidRequest(RunaiError):
    code = "invalid_request"
    status = 400


class NotAllowed(RunaiError):
    code = "not_allowed"
    status = 403


class NotFound(RunaiError):
    code = "not_found"
    status = 404


class Conflict(RunaiError):
    code = "conflict"
    status = 409


class TooLarge(RunaiError):
    code = "too_large"
    status = 413


class StorageFull(RunaiError):
    code = "storage_full"
    status = 507


class EngineUnavailable(RunaiError):
    code = "engine_unavailable"
    status = 503


class EngineDefect(RunaiError):
    code = "engine_defect"
    status = 500


_BY_CODE: dict[str, type[RunaiError]] = {
    kind.code: kind
    for kind in (
        InvalidRequest,
        NotAllowed,
        NotFound,
        Conflict,
        TooLarge,
        StorageFull,
        EngineUnavailable,
        EngineDefect,
    )
}


def error_from_record(record: ErrorRecord) -> RunaiError:
    """The exception a record stands for; an unknown code becomes an EngineDefect."""
    return _BY_CODE.get(record.code, EngineDefect)(record.message, record.hint)


def leaves(group: BaseExceptionGroup[RunaiError]) -> Iterator[RunaiError]:
    """Each error of a group, and of the groups in it."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error
