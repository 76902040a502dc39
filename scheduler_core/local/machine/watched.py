"""A file that people write while the engine runs: taken over once it has changed, where it is valid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from scheduler_core.errors import EngineUnavailable, InvalidRequest

T = TypeVar("T")


class WatchedFile(Generic[T]):
    """A file, be it there or not; `look` reads it again once it has changed, else what was valid goes on.

    `parse` makes its content of its text and its name, and raises InvalidRequest; without the file it is `absent`.

    Raises:
        EngineUnavailable: it is not valid from the beginning.
    """

    def __init__(self, path: Path, parse: Callable[[str, str], T], absent: T) -> None:
        self._path = path
        self._parse = parse
        self._absent = absent
        self.problem = ""
        self._seen = self._mark()
        try:
            self.content = self._read()
        except InvalidRequest as error:
            raise EngineUnavailable(error.message, "Mend or remove the file.") from error

    def look(self) -> bool:
        """Whether it says something else, or has another problem, than before."""
        mark = self._mark()
        if mark == self._seen:
            return False
        self._seen = mark
        before = self.content, self.problem
        try:
            self.content, self.problem = self._read(), ""
        except InvalidRequest as error:
            self.problem = f"{error.message} What was valid before goes on."
        return (self.content, self.problem) != before

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _read(self) -> T:
        try:
            text = self._path.read_text()
        except FileNotFoundError:
            return self._absent
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequest(f"{self._path} cannot be read: {error}.") from None
        return self._parse(text, str(self._path))
