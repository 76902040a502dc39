"""An attribute that is worked out at the first look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class lazily(Generic[Value]):  # noqa: N801 -- it reads as a decorator
    """`functools.cached_property` without its lock, which takes longer than most of what is kept here."""

    def __init__(self, find: Callable[[Any], Value]) -> None:
        self.find = find
        self.name = find.__name__

    def __get__(self, owner: Any, kind: type) -> Value:
        value = owner.__dict__[self.name] = self.find(owner)
        return value
