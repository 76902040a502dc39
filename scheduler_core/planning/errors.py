"""The one refusal of the planner."""

from __future__ import annotations


class BadSnapshot(ValueError):
    """The snapshot contradicts itself or the contract; the message names the field by its path."""

    def __init__(self, sentence: str, path: str) -> None:
        super().__init__(f"{sentence} - at `{path}`")
        self.path = path
