"""The door at which every request's content is checked, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from scheduler_core.errors import InvalidRequest

T = TypeVar("T")


def decoded(content: bytes, kind: type[T]) -> T:
    """JSON as a value of this kind.

    Raises:
        InvalidRequest: it is none; the message names the field.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The request is not valid: {error}.") from None


def from_words(words: Mapping[str, str], kind: type[T]) -> T:
    """The words of a query as a value of this kind.

    Raises:
        InvalidRequest: they are none; the message names the field.
    """
    try:
        return msgspec.convert(words, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"The request is not valid: {error}.") from None
