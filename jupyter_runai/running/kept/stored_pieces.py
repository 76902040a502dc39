"""The pieces that files of cells are made of, by their SHA-256; what is in them is nobody's business here."""

from __future__ import annotations

import hashlib
import os
import shutil

TYPE_CHECKING = False
if TYPE_CHECKING:
    Pieces = dict[str, list[tuple[str, int]]]
    """Of each file, by its path, the (digest, size) of what it is made of."""

LARGEST = 120_000_000
"""In bytes: so much of one cell's inputs is taken."""
_MOST_KEPT = 1_000_000_000


class Refused(Exception):
    """An order that cannot be carried out."""


class Store:
    """Pieces of files by their digests, in a folder of this pod."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._sizes: dict[str, int] = {}
        os.makedirs(folder)

    def missing(self, inputs: Pieces) -> list[tuple[str, int]]:
        """The pieces that are not here, each once."""
        wanted = {digest: size for pieces in inputs.values() for digest, size in pieces}
        if sum(wanted.values()) > LARGEST:
            raise Refused(f"more than {LARGEST // 1_000_000} MB")
        return [(digest, size) for digest, size in wanted.items() if digest not in self._sizes]

    def add(self, digest: str, content: bytes) -> None:
        if hashlib.sha256(content).hexdigest() != digest:
            raise Refused("a piece that is not what it is called")
        with open(f"{self._folder}/{digest}", "wb") as file:
            file.write(content)
        self._sizes[digest] = len(content)

    def add_files(self, folder: str, inputs: Pieces) -> None:
        """Take over what lies in a folder."""
        for path, pieces in inputs.items():
            with open(f"{folder}/{path}", "rb") as file:
                for digest, size in pieces:
                    self.add(digest, file.read(size))

    def content(self, digest: str) -> bytes:
        """A piece that is here."""
        with open(f"{self._folder}/{digest}", "rb") as file:
            return file.read()

    def write(self, folder: str, inputs: Pieces) -> None:
        """Make files of their pieces; where much is kept, only these pieces are from then on."""
        for path, pieces in inputs.items():
            if os.path.isabs(path) or ".." in path.split("/"):
                raise Refused(f"a file at {path!r}")
            os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
            with open(f"{folder}/{path}", "wb") as file:
                for digest, _ in pieces:
                    with open(f"{self._folder}/{digest}", "rb") as piece:
                        shutil.copyfileobj(piece, file)
        if sum(self._sizes.values()) > _MOST_KEPT:
            for digest in self._sizes.keys() - {digest for pieces in inputs.values() for digest, _ in pieces}:
                os.unlink(f"{self._folder}/{digest}")
                del self._sizes[digest]
