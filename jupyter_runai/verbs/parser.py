"""Parsers of lines that people write."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from scheduler_core.errors import InvalidRequest


class UsageError(InvalidRequest):
    """A line that cannot be read: no such verb or option, or a value that is written otherwise."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises what a person can act on, and never ends the process."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(add_help=False, allow_abbrev=False, exit_on_error=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[0].upper()}{message[1:]}.", f"Try: {self.usage_line()}")

    def usage_line(self) -> str:
        """The usage in one line."""
        return " ".join(self.format_usage().removeprefix("usage: ").split())

    def parse(self, words: list[str]) -> argparse.Namespace:
        """Parse all words.

        Raises:
            UsageError: one sentence that names the word, with the nearest known option.
        """
        try:
            known, unknown = self.parse_known_args(words)
        except argparse.ArgumentError as error:
            if error.argument_name is None:
                self.error(str(error))
            raise UsageError(f"{error.argument_name}: {error.message}.") from None
        if unknown:
            options = [option for action in self._actions for option in action.option_strings]
            nearest = get_close_matches(unknown[0].partition("=")[0], options, 1)
            hint = f"Did you mean {nearest[0]}?" if nearest else f"Try: {self.usage_line()}"
            raise UsageError(f"{unknown[0]} is no option of {self.prog}.", hint)
        return known


def asks_for_help(words: Sequence[str]) -> bool:
    """Whether the options of a verb are asked for; what stands after `--` is a command's."""
    ours = words[: words.index("--")] if "--" in words else words
    return "--help" in ours or "-h" in ours


class CommandParser(Parser):
    """A parser of options that a command follows after `--`; it is taken as it stands."""

    def parse(self, words: list[str]) -> argparse.Namespace:
        """As of every parser, with the words of the `command`.

        Raises:
            UsageError: also where there is none.
        """
        end = words.index("--") if "--" in words else len(words)
        options = super().parse(words[:end])
        options.command = words[end + 1 :]
        if not options.command:
            raise UsageError(
                f"{self.prog} needs a command after --.", f"Try: {self.prog} --gpu 0.5 -- python train.py --lr 0.1"
            )
        return options
