"""What the browser says to a widget."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

_Name: TypeAlias = Annotated[str, Meta(max_length=100)]
_Text: TypeAlias = Annotated[str, Meta(max_length=100_000)]


class Seen(Struct, frozen=True, tag="seen"):
    """A page shows the widget."""


class Hidden(Struct, frozen=True, tag="hidden"):
    """A page shows it no more: its output was cleared."""


class Filled(Struct, frozen=True, tag="filled"):
    """A field was given another value."""

    field: _Name
    value: _Text | bool


class Pressed(Struct, frozen=True, tag="pressed"):
    """A button was pressed."""

    button: _Name


Message: TypeAlias = Seen | Hidden | Filled | Pressed
ROLL_CALL = {"type": "roll_call"}
"""Asks every page that shows the widget to say so."""
