"""What a verb answers."""

from __future__ import annotations

from typing import NamedTuple


class Answer(NamedTuple):
    """The same for people and for programs: `data` is what `--json` shows."""

    text: str
    data: object
