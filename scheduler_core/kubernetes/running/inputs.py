"""A workload's inputs: as a Secret as much as the API server takes, larger files by way of the controller."""

from __future__ import annotations

import hashlib
from pathlib import Path

from msgspec import Struct

from scheduler_core.errors import TooLarge
from scheduler_core.kubernetes.api.blobs import Blob

RUNNER = "runner"
"""The folder of a workload's inputs that is not its submitter's: it does not count."""
LARGEST = 100_000_000
"""In bytes, of all that travels with a workload."""
_LARGEST_IN_SECRET = 900_000
_LARGEST_RUNNER = 140_000
"""A Secret holds 1 MiB."""


class WrittenInputs(Struct, frozen=True):
    """The `paths` of the files in a Secret, their `content` by the numbers of those, and the `blobs` that are not."""

    paths: tuple[str, ...]
    content: dict[str, bytes]
    blobs: tuple[Blob, ...]


def written_inputs(folder: Path) -> WrittenInputs:
    """All files in the folder; the largest of them are blobs where together they are too many for a Secret.

    Raises:
        TooLarge: it is more than travels.
    """
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    sizes = {path: file.stat().st_size for path, file in files.items()}
    theirs = {path: size for path, size in sizes.items() if not path.startswith(f"{RUNNER}/")}
    total = sum(theirs.values())
    if total > LARGEST or sum(sizes.values()) - total > _LARGEST_RUNNER:
        raise TooLarge(
            f"{total / 1e6:.1f} MB would travel, and a cluster takes along up to {LARGEST / 1e6:.0f} MB.",
            "Leave large values in a file or an object store that its tasks can read (--mount), and send the path.",
        )
    blobs = []
    for path in sorted(theirs, key=lambda path: -theirs[path]):
        if total <= _LARGEST_IN_SECRET:
            break
        total -= theirs[path]
        with files[path].open("rb") as file:
            blobs.append(Blob(path, hashlib.file_digest(file, "sha256").hexdigest(), theirs[path]))
    apart = {blob.path for blob in blobs}
    paths = tuple(path for path in files if path not in apart)
    content = {str(number): files[path].read_bytes() for number, path in enumerate(paths)}
    return WrittenInputs(paths, content, tuple(blobs))
