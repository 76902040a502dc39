"""What a verb answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec


class Answer(NamedTuple):
    """The same for people and for programs: `data` is what `--json` shows, `as_lines` one document for each of it."""

    text: str
    data: Any
    as_lines: bool = False

    def json(self) -> str:
        """What `--json` shows."""
        if not self.as_lines:
            return msgspec.json.format(msgspec.json.encode(self.data), indent=2).decode()
        documents: Iterable[object] = self.data
        return "\n".join(msgspec.json.encode(document).decode() for document in documents)
