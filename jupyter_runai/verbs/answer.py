"""What a verb answers."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any, NamedTuple

import msgspec

from jupyter_runai.words.tables import Table


class Answer(NamedTuple):
    """The same for people and for programs: `data` is what `--json` shows, `as_lines` one document for each of it."""

    text: str
    data: Any
    as_lines: bool = False
    parts: tuple[str | Table, ...] = ()

    @staticmethod
    def of(data: Any, *parts: str | Table) -> Answer:
        """An answer of lines and tables, one below the other."""
        return Answer("\n".join(part if isinstance(part, str) else part.text for part in parts), data, parts=parts)

    @property
    def html(self) -> str:
        """The same with its tables as elements; empty for an answer without any."""
        if not any(isinstance(part, Table) for part in self.parts):
            return ""
        return "".join(_line(part) if isinstance(part, str) else part.html for part in self.parts)

    def json(self) -> str:
        """What `--json` shows."""
        if not self.as_lines:
            return msgspec.json.format(msgspec.json.encode(self.data), indent=2).decode()
        documents: Iterable[object] = self.data
        return "\n".join(msgspec.json.encode(document).decode() for document in documents)


def _line(text: str) -> str:
    return f'<div style="white-space:pre-wrap">{escape(text)}</div>'
