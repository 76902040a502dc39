"""The files of a cell's inputs in pieces that are sent only where they are not: each value's pickle, each buffer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

from jupyter_runai.running.values import ALIGNMENT

Piece: TypeAlias = tuple[str, int]
"""Its SHA-256, and its size in bytes."""


def pieces_of(folder: Path) -> dict[str, list[Piece]]:
    """Of each file the pieces that make it, in their order."""
    return {path: [(_digest(content), len(content)) for content in parts] for path, parts in _files(folder)}


def content_of(folder: Path) -> dict[str, bytes]:
    """The pieces by their digests."""
    return {_digest(content): content for _, parts in _files(folder) for content in parts}


def _files(folder: Path) -> Iterator[tuple[str, list[bytes]]]:
    cuts = json.loads((folder / "cell.json").read_bytes())["cuts"]
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            path = file.relative_to(folder).as_posix()
            content = file.read_bytes()
            at = {"values.pickle": cuts, "values.buffers": _buffers(content)}.get(path, [])
            ends = [0, *(cut for cut in at if cut < len(content)), len(content)]
            yield path, [content[start:end] for start, end in pairwise(sorted(set(ends)))]


def _buffers(content: bytes) -> list[int]:
    """Where each buffer of a file as `running/values.py` writes it has its end."""
    ends, start = [], 0
    while start < len(content):
        length = int.from_bytes(content[start : start + ALIGNMENT], "little")
        start += ALIGNMENT + length + -length % ALIGNMENT
        ends.append(start)
    return ends


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
